"""Odd environments: a run ends well or says in one line why not. ``python tests/cli/test_environments.py``
writes the table of results in ``tests/environments.md`` anew.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

TABLE = Path(__file__).parents[1] / "environments.md"

RUN = "asmrisk run tiny.toml --draws 1 --fixed --quiet"

LOUD = RUN.removesuffix(" --quiet")
DASHED = RUN.replace("tiny.toml", "./-t.toml")

#: What is odd, and the line of a shell: ``RUN`` alone stands for a run to r.zarr, uncompiled.
ROWS = {
    "nothing": f"{RUN} --out r.zarr",
    "`LC_ALL=C`": f"LC_ALL=C {RUN} --out r.zarr",
    "`LC_ALL=POSIX`, UTF-8 mode off": f"PYTHONUTF8=0 PYTHONCOERCECLOCALE=0 LC_ALL=POSIX {RUN} --out r.zarr",
    "`LC_ALL=C.UTF-8`": f"LC_ALL=C.UTF-8 {RUN} --out r.zarr",
    "a locale that there is not": f"LC_ALL=xx_YY.ISO-8859-1 {RUN} --out r.zarr",
    "Latin-1 output": f"PYTHONIOENCODING=latin-1 {RUN} --out r.zarr",
    "ASCII output": f"PYTHONIOENCODING=ascii {RUN} --out r.zarr",
    "UTF-16 output": f"PYTHONIOENCODING=utf-16 {RUN} --out r.zarr",
    "standard output closed": f"{RUN} --out r.zarr >&-",
    "standard error closed": f"{RUN} --out r.zarr 2>&-",
    "standard input closed": f"{RUN} --out r.zarr <&-",
    "all three closed": f"{RUN} --out r.zarr <&- >&- 2>&-",
    "standard output full": f"{RUN} --out r.zarr >/dev/full",
    "standard error full": "asmrisk run tiny.toml --draws 1 --fixed --out r.zarr 2>/dev/full",
    "output that nobody reads": f"{RUN} --out r.zarr | true; exit ${{PIPESTATUS[0]}}",
    "no `HOME`": f"env -u HOME {RUN} --out r.zarr",
    "a `HOME` that cannot be written": f"HOME=/proc {RUN} --out r.zarr",
    "a `HOME` that is not there": f"HOME=/nowhere/at/all {RUN} --out r.zarr",
    "`HOME` is a file": f"HOME=$PWD/tiny.toml {RUN} --out r.zarr",
    "a cache that cannot be written": f"ASMRISK_CACHE_DIR=/proc {RUN} --out r.zarr",
    "no folder for temporary files": f"TMPDIR=/nowhere {RUN} --out r.zarr",
    "a working folder that was removed": "mkdir gone && cd gone && rmdir ../gone && "
    f'"$PYTHON" -m {RUN.replace("tiny.toml", "baseline --set population.clinicians=60")} --out r.zarr',
    "a place with spaces": f"{RUN} --out 'our own results.zarr'",
    "a place in Greek": f"{RUN} --out αποτελέσματα.zarr",
    "a place with a line's end": f"{RUN} --out $'a\\nb.zarr'",
    "a place whose name is no UTF-8": f"{RUN} --out $'\\xff.zarr'",
    "a place that begins with a dash": f"{RUN} --out ./-r.zarr",
    "a scenario that begins with a dash": f"cp tiny.toml ./-t.toml && {DASHED} --out r.zarr",
    "a place of 300 characters": f"{RUN} --out {'x' * 300}",
    "a place in a file": f"{RUN} --out tiny.toml/r.zarr",
    "a place that cannot be written": f"{RUN} --out /proc/r.zarr",
    "`ulimit -v` 1 GB": f"ulimit -v 1000000; {RUN} --out r.zarr",
    "`ulimit -v` 2 GB": f"ulimit -v 2000000; {RUN} --out r.zarr",
    "`ulimit -f 0`": f"ulimit -f 0; {RUN} --out r.zarr",
    "`ulimit -f 1`": f"ulimit -f 1; {RUN} --out r.zarr",
    "`ulimit -n 12`": f"ulimit -n 12; {RUN} --out r.zarr",
    "`ulimit -n 32`": f"ulimit -n 32; {RUN} --out r.zarr",
    "`ulimit -u 1`": f"ulimit -u 1; {RUN} --out r.zarr",
    "`umask 0`": f"umask 0; {RUN} --out r.zarr",
    "`umask 777`": f"umask 777; {RUN} --out r.zarr",
    "`COLUMNS=1`": f"COLUMNS=1 {RUN} --out r.zarr",
    "a dumb terminal": f"script -qec 'TERM=dumb {LOUD} --out r.zarr' /dev/null",
    "a terminal of two columns": f"script -qec 'stty cols 2; {LOUD} --out r.zarr' /dev/null",
    "`PYTHONOPTIMIZE=2`": f"PYTHONOPTIMIZE=2 {RUN} --out r.zarr",
    "`PYTHONHASHSEED=1`": f"PYTHONHASHSEED=1 {RUN} --out r.zarr",
    "Python's development mode": f"PYTHONDEVMODE=1 {RUN} --out r.zarr",
    "a time zone a day ahead": f"TZ=Pacific/Kiritimati {RUN} --out r.zarr",
    "a time zone that there is not": f"TZ=nonsense {RUN} --out r.zarr",
    "one processor": f"taskset -c 0 {RUN} --out r.zarr",
}

#: Those of which the ordinary tests try each time.
FEW = (
    "`LC_ALL=POSIX`, UTF-8 mode off",
    "ASCII output",
    "all three closed",
    "a `HOME` that cannot be written",
    "`ulimit -f 0`",
    "a place whose name is no UTF-8",
)


def tried(name, folder):
    """Run a line; give its status and what was said last of what went wrong, or of what was done."""
    (folder / "tiny.toml").write_text('title = "Ünïcode"\n[population]\nclinicians = 60\n', "utf-8")
    (folder / "home").mkdir()
    (folder / "asmrisk").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m asmrisk "$@"\n')
    (folder / "asmrisk").chmod(0o755)
    odd = ("ASMRISK_", "PYTHONUTF8", "PYTHONIOENCODING", "LC_", "LANG", "TMPDIR", "XDG_")
    env = {key: value for key, value in os.environ.items() if not key.startswith(odd)}
    env |= {
        "HOME": str(folder / "home"),
        "PATH": f"{folder}:{env['PATH']}",
        "NUMBA_DISABLE_JIT": "1",
        "PYTHON": sys.executable,
        "PYTHONPATH": str(Path(__file__).parents[2] / "src"),
    }
    done = subprocess.run(
        ["bash", "-c", ROWS[name]], cwd=folder, env=env, capture_output=True, timeout=240, check=False
    )
    out, said = done.stdout, done.stderr.decode(errors="replace")
    for text in (out.decode(errors="replace"), said):
        assert "Traceback" not in text, said
        assert "internal error" not in text, said
        assert "Fatal Python error" not in text, said
    lines = said.splitlines()
    assert done.returncode in (0, 1, 2, 141), (done.returncode, said)
    if done.returncode in (1, 2):
        assert len(lines) == 1 or ("full" in name and len(lines) <= 1), said
    # Of a run that was refused nothing is left.
    left = [each for each in folder.rglob("*.zarr") if each.is_dir()]
    assert done.returncode != 2 or left == []
    assert done.returncode != 0 or len(left) == 1 or "terminal" in name
    last = lines[-1].removeprefix("asmrisk: ") if lines else ""
    return done.returncode, re.sub("x{20,}", "x…x", last.replace(str(folder), "…"))


@pytest.mark.parametrize("name", FEW)
def test_a_run_in_an_odd_environment_ends_in_results_or_one_line(name, tmp_path):
    status, _ = tried(name, tmp_path)
    assert f"| {name} | {status} |" in TABLE.read_text(encoding="utf-8")


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(ROWS.keys() - set(FEW)))
def test_every_environment_of_the_table_ends_as_it_says(name, tmp_path):
    status, _ = tried(name, tmp_path)
    assert f"| {name} | {status} |" in TABLE.read_text(encoding="utf-8")


def test_the_table_has_every_environment():
    assert re.findall(r"^\| (.+?) \| \d+ \|", TABLE.read_text(encoding="utf-8"), flags=re.M) == list(ROWS)


def main():
    """Write the table."""
    rows = []
    for name in ROWS:
        with tempfile.TemporaryDirectory() as folder:
            status, said = tried(name, Path(folder))
        print(name, status, said, flush=True)
        said = said.replace("|", "\\|").replace("<", "&lt;") or "the results are there"
        rows.append(f"| {name} | {status} | {said} |\n")
    TABLE.write_text(
        "# Odd environments, and how a run ends in each\n\n"
        "`.venv/bin/python tests/cli/test_environments.py` tries them all, as root on Debian 12, and writes\n"
        "this table; `pytest -m long tests/cli/test_environments.py` holds the program to its statuses.\n"
        "Each is a run of one draw of 60 clinicians, uncompiled.\n\n"
        f"| what is odd | status | what is said |\n|---|---|---|\n{''.join(rows)}",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
