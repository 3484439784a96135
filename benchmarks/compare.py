"""Compare the working tree's speed with that of a commit: ``python benchmarks/compare.py BASE``.

The benchmarks of the working tree are run on both, in processes of their own on one processor, in turn (base,
tree, tree, base, ...), and the least time of each counts: noise only ever adds. Each benchmark of the tree
declares the ratio that is a regression. It is believed if it takes at least 50 ms; where a believed one seems
slower it is measured as often again before it is said.

Exit status: 0 no regression; 1 a regression; 2 nothing was measured, or a benchmark fails in the tree.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from machine import BUSY, busy_cores

__all__ = ["GATE", "Times", "main", "verdict"]

_HERE = Path(__file__).resolve().parent
#: Benchmarks that are compared unless told otherwise: the module of the suite that is made for it.
GATE = r"^gate\."
#: Seconds from which a benchmark is believed.
_LEAST = 0.05
_ONE_THREAD = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass
class Times:
    """Least time of each benchmark with the ratio that it declares a regression, and why others have none."""

    seconds: dict[str, float] = field(default_factory=dict)
    thresholds: dict[str, float] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    def add(self, lines: str) -> None:
        """Take in what `measure.py` printed."""
        for line in lines.splitlines():
            result = json.loads(line)
            name = result["name"]
            if "error" in result:
                self.errors[name] = result["error"]
            else:
                self.thresholds[name] = result["threshold"]
                self.seconds[name] = min(result["seconds"], self.seconds.get(name, float("inf")))


def regressions(base: Times, tree: Times, factor: float = 1.0) -> list[str]:
    """Name the benchmarks that reach `factor` times their threshold, among those that can be believed."""
    return [
        name
        for name, now in tree.seconds.items()
        if _believed(base, tree, name) and now >= factor * tree.thresholds[name] * base.seconds[name]
    ]


def _believed(base: Times, tree: Times, name: str) -> bool:
    return name in base.seconds and max(base.seconds[name], tree.seconds[name]) >= _LEAST


def verdict(base: Times, tree: Times, factor: float = 1.0) -> tuple[int, list[str]]:
    """Judge two sets of times, each benchmark by the threshold that the tree declares.

    Parameters
    ----------
    base, tree : Times
        Before and now.
    factor : float
        What all thresholds are multiplied by.

    Returns
    -------
    int, list of str
        Exit status, and the lines to show.
    """
    lines = [f"{'base':>12} {'tree':>12} {'ratio':>7} {'fails at':>8}  benchmark"]
    slower = regressions(base, tree, factor)
    for name, now in tree.seconds.items():
        times, note = f"{'-':>12} {1e3 * now:9.2f} ms {'-':>7}", f"  ({base.errors.get(name, 'new')})"
        if before := base.seconds.get(name):
            times = f"{1e3 * before:9.2f} ms {1e3 * now:9.2f} ms {now / before:7.2f}"
            note = "" if _believed(base, tree, name) else "  (too short to judge)"
        note = "  SLOWER" if name in slower else note
        lines.append(f"{times} {factor * tree.thresholds[name]:8.2f}  {name}{note}")
    lines += [f"failed in the working tree: {name}: {error}" for name, error in tree.errors.items()]
    judged = sum(_believed(base, tree, name) for name in tree.seconds)
    if slower:
        lines.append(f"regressions in {len(slower)} of {judged} benchmarks that were judged")
        return 1, lines
    if not judged:
        lines.append(f"nothing was measured that takes at least {1e3 * _LEAST:g} ms on both sides")
    else:
        lines.append(f"no regression in {judged} of {len(tree.seconds)} benchmarks")
    return (2 if tree.errors or not judged else 0), lines


def _git(*arguments: str) -> str:
    result = subprocess.run(
        ["git", "-C", str(_HERE), *arguments], capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        print(f"git {' '.join(arguments)}: {result.stderr.strip()}", file=sys.stderr)
        raise SystemExit(2)
    return result.stdout.strip()


@contextmanager
def _checked_out(commit: str) -> Iterator[Path]:
    """Check a commit out beside the working tree, for as long as it is needed."""
    with tempfile.TemporaryDirectory(prefix="asmrisk-base-") as folder:
        place = Path(folder) / "tree"
        _git("worktree", "add", "--detach", str(place), commit)
        try:
            yield place
        finally:
            _git("worktree", "remove", "--force", str(place))


def _measure(times: Times, root: Path, cache: Path | None, pattern: str) -> None:
    source = root / "src"
    environment = {**os.environ, "PYTHONPATH": str(source), **dict.fromkeys(_ONE_THREAD, "1")}
    if cache is not None:
        environment["ASMRISK_CACHE_DIR"] = str(cache)
    result = subprocess.run(
        [sys.executable, str(_HERE / "measure.py"), str(source), pattern],
        env=environment,
        cwd=_HERE,
        capture_output=True,
        text=True,
        check=False,
    )
    times.add(result.stdout)
    if result.returncode != 0:
        print(f"measuring {root} failed:\n{result.stderr.strip()}", file=sys.stderr)
        raise SystemExit(2)


def _compare(root: Path, other: Path, arguments: argparse.Namespace) -> tuple[Times, Times]:
    """Measure both in turn, then those that seem slower again."""
    base, tree = Times(), Times()
    sides = [(base, other, other.parent / "kernels"), (tree, root, None)]

    def rounds(pattern: str) -> None:
        for count in range(arguments.rounds):
            for times, place, cache in sides if count % 2 == 0 else reversed(sides):
                _measure(times, place, cache, pattern)
            print(f"round {count + 1} of {arguments.rounds} done", file=sys.stderr)

    rounds(arguments.bench)
    suspects = regressions(base, tree, arguments.factor)
    if suspects:
        print(f"measuring {len(suspects)} again that seem slower", file=sys.stderr)
        rounds("|".join(f"^{re.escape(name)}$" for name in suspects))
    return base, tree


def main(argv: list[str] | None = None) -> int:
    """Run the comparison.

    Parameters
    ----------
    argv : list of str, optional
        Arguments in place of the command line's.

    Returns
    -------
    int
        Exit status.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("base", help="commit, branch or tag to compare with")
    parser.add_argument(
        "--bench",
        default=GATE,
        metavar="REGEX",
        help="only benchmarks whose name it is found in; . for the whole suite (%(default)s)",
    )
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each side (%(default)s)")
    parser.add_argument(
        "--factor", type=float, default=1.0, help="multiply the declared thresholds by it (%(default)s)"
    )
    parser.add_argument("--busy", action="store_true", help="measure even if others use the machine")
    arguments = parser.parse_args(argv)
    busy = busy_cores(1.0)
    if busy > BUSY and not arguments.busy:
        print(
            f"others use {busy:.1f} of this machine's cores: wait, or pass --busy and do not believe "
            "the figures",
            file=sys.stderr,
        )
        return 2
    root = Path(_git("rev-parse", "--show-toplevel"))
    commit = _git("rev-parse", "--verify", f"{arguments.base}^{{commit}}")
    with _checked_out(commit) as other:
        base, tree = _compare(root, other, arguments)
    status, lines = verdict(base, tree, arguments.factor)
    print("\n".join(lines))
    return status


if __name__ == "__main__":
    sys.exit(main())
