"""Take the times of the suite's ``time_`` benchmarks once, in this process; `compare.py` runs it in turns.

``python benchmarks/measure.py SOURCE PATTERN`` prints one line of JSON for each benchmark: its name, and
``seconds`` or ``error``. `SOURCE` is the folder that ``asmrisk`` must come from.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from asv_runner._aux import update_sys_path
from asv_runner.discovery import disc_benchmarks

_SUITE = Path(__file__).resolve().parent / "suite"
#: A benchmark is called until so many seconds have passed, at least once and at most so often.
_LONG_ENOUGH, _MOST = 0.5, 5


def found(pattern: str) -> Iterator[tuple[str, Any, int]]:
    """Find benchmarks and parameters: name, asv's benchmark, number of its parameters."""
    update_sys_path(str(_SUITE))
    for benchmark in disc_benchmarks(str(_SUITE)):
        for number, values in enumerate(itertools.product(*benchmark._params)):
            name = f"{benchmark.name}({', '.join(map(str, values))})" if values else benchmark.name
            if benchmark.type == "time" and re.search(pattern, name):
                yield name, benchmark, number


def least_seconds(benchmark: Any, number: int) -> float:
    """Set a benchmark up and time it: the least of several calls, after one that does not count."""
    if benchmark._params:
        benchmark.set_param_idx(number)
    benchmark.do_setup()
    try:
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
            result: dict[str, Any] = {"seconds": least_seconds(benchmark, number)}
        except Exception as error:  # an older commit may lack what a benchmark needs
            result = {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"}
        print(json.dumps({"name": name, **result}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
