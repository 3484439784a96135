"""Take the times of the suite's ``time_`` benchmarks once, in this process; `compare.py` runs it in turns.

``python benchmarks/measure.py SOURCE PATTERN`` prints one line of JSON for each benchmark: its name, and
``seconds`` with the ``threshold`` that it declares, or ``error``; so for a module of the suite that cannot be
imported. `SOURCE` is the folder that ``asmrisk`` must come from.
"""

from __future__ import annotations

import importlib
import itertools
import json
import os
import pkgutil
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from asv_runner._aux import update_sys_path
from asv_runner.benchmarks._base import _get_first_attr
from asv_runner.discovery import disc_benchmarks

_SUITE = Path(__file__).resolve().parent / "suite"
#: A benchmark is called until so many seconds have passed, at least once and at most so often.
_LONG_ENOUGH, _MOST = 0.5, 5


def found(pattern: str) -> Iterator[tuple[str, Any, int]]:
    """Find benchmarks and parameters: name, asv's benchmark, number of its parameters.

    In the place of the benchmarks of a module that cannot be imported: its name and the exception.
    """
    update_sys_path(str(_SUITE))
    suite = importlib.import_module(_SUITE.name)
    for module in pkgutil.iter_modules(suite.__path__):
        try:
            benchmarks = list(disc_benchmarks(f"{_SUITE.name}.{module.name}"))
        except Exception as error:  # an older commit may lack what the parts of a draw are called by
            yield module.name, error, 0
            continue
        for benchmark in benchmarks:
            for number, values in enumerate(itertools.product(*benchmark._params)):
                name = f"{benchmark.name}({', '.join(map(str, values))})" if values else benchmark.name
                if benchmark.type == "time" and re.search(pattern, name):
                    yield name, benchmark, number


def declared_threshold(benchmark: Any) -> float:
    """Give the ratio that is a regression, as the benchmark's function or class declares it."""
    threshold = _get_first_attr(benchmark._attr_sources, "threshold", None)
    if threshold is None:
        raise AttributeError("it declares no threshold")
    return float(threshold)


def least_seconds(benchmark: Any, number: int) -> float:
    """Set a benchmark up and time it: the least of several calls, after one to warm up unless setup has."""
    if benchmark._params:
        benchmark.set_param_idx(number)
    benchmark.do_setup()
    try:
        if benchmark.warmup_time:
            benchmark.func(*benchmark._current_params)
        times: list[float] = []
        while not times or (sum(times) < _LONG_ENOUGH and len(times) < _MOST):
            start = time.perf_counter()
            benchmark.func(*benchmark._current_params)
            times.append(time.perf_counter() - start)
    finally:
        benchmark.do_teardown()
    return min(times)


def main(source: str, pattern: str) -> None:
    """Print the times."""
    # One processor, so that threads cannot hide what the work costs.
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    import asmrisk

    if not Path(str(asmrisk.__file__)).resolve().is_relative_to(Path(source).resolve()):
        raise SystemExit(f"asmrisk was imported from {asmrisk.__file__}, not from {source}")
    for name, benchmark, number in found(pattern):
        try:
            if isinstance(benchmark, Exception):
                raise benchmark
            threshold = declared_threshold(benchmark)
            result: dict[str, Any] = {"threshold": threshold, "seconds": least_seconds(benchmark, number)}
        except Exception as error:  # an older commit may lack what a benchmark needs
            result = {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"}
        print(json.dumps({"name": name, **result}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
