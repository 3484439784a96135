"""How many small faults in the rule and the kernels the tests find: mutation tests, without the compiler.

A mutant is the package with one operator, number or word changed, as cosmic-ray changes it: ``<`` to
``<=``, 1 to 2, ``and`` to ``or``. Of all mutants a sample is drawn at random, and each meets the tests of its
folder until one of them fails. Those that none finds are listed; ``mutation.md`` judges them. This makes its
figures anew, in an hour of one processor, and goes on where it was broken off::

    .venv/bin/pip install -e '.[test,mutation]'
    .venv/bin/python tests/mutation.py --sample 600 --seed 20261128

Only what computes is mutated: bodies of functions in `rule`, and of those in `simulation` and in the
portable functions of `numerics` that are compiled. Two kinds of mutants say nothing of tests and are left
out: decorators removed, without which an uncompiled function is the same, and ``is``, which compares no
numbers. The sources are mutated in a copy.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import multiprocessing
import os
import random
import re
import resource
import shutil
import sys
import time
from collections import Counter
from contextlib import chdir
from pathlib import Path

os.environ |= {"NUMBA_DISABLE_JIT": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import hypothesis
import pytest
from cosmic_ray.commands.init import init
from cosmic_ray.mutating import use_mutation
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import TestOutcome, WorkerOutcome, WorkItem, WorkResult
from scipy.stats import binomtest

ROOT = Path(__file__).parents[1]
COPIED = ("scenarios", "src", "tests")

ORACLE = "tests/rule/test_rule_against_oracle.py"
FROZEN = "tests/simulation/test_frozen_bits.py"
COUNTS = "tests/simulation/test_counts.py"
#: Tests that a mutant of these sources meets, in this order.
TESTS = {
    "src/asmrisk/rule": (
        "tests/rule/test_scoring.py",
        "tests/rule/test_payment.py",
        "tests/rule/test_policy.py",
        "tests/rule/test_order_and_sums.py",
        f"{ORACLE}::test_the_final_rule",
        f"{ORACLE}::test_every_alternative",
        FROZEN,
    ),
    "src/asmrisk/numerics/portable_math.py": ("tests/numerics/test_portable_math.py", FROZEN),
    "src/asmrisk/numerics/portable_normal.py": ("tests/numerics/test_portable_normal.py", FROZEN),
    "src/asmrisk/simulation/counts.py": (FROZEN, COUNTS),
    "src/asmrisk/simulation/cornish_fisher.py": (FROZEN, COUNTS),
    "src/asmrisk/simulation/normal.py": (FROZEN, COUNTS),
    "src/asmrisk/simulation/practice_outcomes.py": (FROZEN, "tests/simulation/test_practice_outcomes.py"),
    "src/asmrisk/simulation": (FROZEN, "tests/simulation/test_philox.py"),
}
#: What takes minutes without the compiler, or starts it.
TOO_LONG = (
    "not (compiled or quadratic or dense or many_numbers or end_where_it_is_not_normal"
    " or tolerance or every_score or word_to_word)"
)
OPTIONS = ("-x", "-v", "--tb=line", "-p", "no:cacheprovider", "-k", TOO_LONG, "-W", "ignore")

COMPILERS = {"kernel", "inner", "inline"}
LEFT_OUT = re.compile(r"core/RemoveDecorator|.*_Is(Not)?(_|$)")

#: Processor seconds that a test may take, three times what the longest needs, and bytes of memory.
SECONDS, BYTES = 36, 6 * 2**30
#: Imported once and not with every mutant.
OTHERS = ("mpmath", "numba", "pandas", "scipy.special", "scipy.stats", "xarray")


def computing_lines(path: Path) -> set[int]:
    """Find the lines of a module that are within the bodies of functions that compute."""
    lines: set[int] = set()
    for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(function, ast.FunctionDef):
            names = {each.id for each in function.decorator_list if isinstance(each, ast.Name)}
            if "rule" in path.parts or names & COMPILERS:
                for each in function.body[ast.get_docstring(function) is not None :]:
                    lines.update(range(each.lineno, (each.end_lineno or 0) + 1))
    return lines


def place(item: WorkItem) -> tuple[str, tuple[int, int], str, int]:
    (mutation,) = item.mutations
    return str(mutation.module_path), mutation.start_pos, mutation.operator_name, mutation.occurrence


def draw_sample(database: WorkDB, size: int, seed: int) -> int:
    """Leave a random sample of all mutants in a session; say of how many it is."""
    modules = sorted(
        path for each in map(Path, TESTS) for path in (each.glob("*.py") if each.is_dir() else [each])
    )
    init(modules, database, {})
    lines = {str(path): computing_lines(path) for path in modules}
    every = []
    for item in sorted(database.work_items, key=place):
        module, (line, _), operator, _ = place(item)
        if line in lines[module] and not LEFT_OUT.match(operator):
            every.append(item)
    database.clear()
    database.add_work_items(random.Random(seed).sample(every, size))
    return len(every)


class Limits:
    """A plugin of pytest: no test takes forever."""

    def pytest_runtest_setup(self) -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + SECONDS, resource.RLIM_INFINITY))


def try_tests(tests: tuple[str, ...], said: Path) -> None:
    """Run tests until one fails, with limits; the status of this process is pytest's."""
    resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
    Limits().pytest_runtest_setup()
    with said.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.path.insert(0, str(Path("src").resolve()))
    os._exit(pytest.main([*OPTIONS, *tests], plugins=[Limits()]))


def failing(tests: tuple[str, ...]) -> str:
    """Give the first of some tests that fails, with the status where it did not end itself; or nothing."""
    said = Path("said.txt")
    process = multiprocessing.get_context("fork").Process(target=try_tests, args=(tests, said))
    process.start()
    process.join()
    if process.exitcode == 0:
        return ""
    begun = re.findall(
        r"^(tests/\S+::\S.*?) (?:PASSED|FAILED|ERROR|SKIPPED)?", said.read_text(errors="replace"), re.M
    )
    last = begun[-1] if begun else "import"
    return last if process.exitcode == 1 else f"{last} (status {process.exitcode})"


def try_mutant(item: WorkItem) -> WorkResult:
    """Find a test that fails with a mutant."""
    module, _, operator, occurrence = place(item)
    with use_mutation(Path(module), get_operator(operator)(), occurrence) as (before, after):
        pairs = zip(before.splitlines(), after.splitlines(), strict=False)
        changed = next((f"{one.strip()}  →  {two.strip()}" for one, two in pairs if one != two), "")
        found = failing(next(tests for where, tests in TESTS.items() if module.startswith(where)))
    outcome = TestOutcome.KILLED if found else TestOutcome.SURVIVED
    return WorkResult(WorkerOutcome.NORMAL, output=found, test_outcome=outcome, diff=changed)


def described(item: WorkItem, result: WorkResult) -> str:
    module, (line, _), _, _ = place(item)
    return f"{module}:{line} {item.mutations[0].definition_name}: {result.diff}"


def report(database: WorkDB) -> str:
    """Say what share of the mutants was found, by which tests, and which ones were not."""
    done = sorted(database.completed_work_items, key=lambda pair: place(pair[0]))
    files = Counter(result.output.split("::")[0] for _, result in done if result.is_killed)
    low, high = binomtest(files.total(), len(done)).proportion_ci(method="exact")
    return "\n".join(
        [
            f"{files.total()} of {len(done)} mutants were found: {files.total() / len(done):.1%}",
            f"(95% interval of Clopper and Pearson: {low:.1%} to {high:.1%})",
            *(f"{count:5} by {file}" for file, count in files.most_common()),
            *(described(item, result) for item, result in done if not result.is_killed),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--sample", type=int, default=600, help="number of mutants")
    parser.add_argument("--seed", type=int, default=20261128, help="of the sample")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "mutation", help="of the copies")
    asked = parser.parse_args()
    folder = asked.folder.resolve() / f"{asked.sample}-{asked.seed}"
    ready = folder / "ready"
    if not ready.exists():
        shutil.rmtree(folder, ignore_errors=True)
        for name in COPIED:
            shutil.copytree(ROOT / name, folder / name)
        shutil.copy2(ROOT / "pyproject.toml", folder)
    for name in OTHERS:
        importlib.import_module(name)
    # Failing examples are not made small, nor kept for the next mutant.
    phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
    hypothesis.settings.register_profile("mutants", derandomize=True, database=None, phases=phases)
    hypothesis.settings.load_profile("mutants")
    with chdir(folder), use_db("session.sqlite") as database:
        if not ready.exists():
            for tests in TESTS.values():
                if found := failing(tests):
                    sys.exit(f"{found} fails without any mutant; see {folder / 'said.txt'}")
            print(f"a sample of {draw_sample(database, asked.sample, asked.seed):,} mutants", flush=True)
            ready.touch()
        sys.dont_write_bytecode = True
        # In random order, so that what is done of a session is a sample too.
        for item in database.pending_work_items:
            result = try_mutant(item)
            database.set_result(item.job_id, result)
            print(f"{described(item, result)}: {result.output or 'FOUND BY NONE'}", flush=True)
        print(report(database))


if __name__ == "__main__":
    main()
