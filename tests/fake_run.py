"""Runs of the final rule whose numbers a stand-in gives; also a program that tests kill.

python -m tests.fake_run OUT DRAWS BLOCK_SIZE WORKERS [SECONDS_PER_DRAW [SCHEDULER]]

WORKERS is a number of threads, or of processes with a p behind it; 0 with a scheduler. With a BLOCK_SIZE of
0 it is chosen by the number of draws.
"""

import sys
from dataclasses import replace

from asmrisk.engine.executors import executor
from asmrisk.engine.fill import fill
from asmrisk.engine.interruption import Interrupted
from asmrisk.engine.progress import Progress
from asmrisk.errors import InputError, RunError
from asmrisk.results.place import place_of
from asmrisk.scenario.scenario import scenario_from_dict
from tests.fake_simulation import Fake

#: In the place of the code's identity: stores stay readable while sources are edited.
CODE = "0123456789abcdef"


def scenario(**changes):
    """The final rule with a few values changed, `policy__risk_level=0.1` for policy.risk_level."""
    document = {}
    for name, value in changes.items():
        section, _, key = name.partition("__")
        document.setdefault(section, {})[key] = value
    return scenario_from_dict(document)


def job(out, draws, *, chosen=None, simulate=None, block_size=None):
    """Declare a run whose numbers the stand-in gives."""
    from asmrisk.analysis.jobs import (
        run_job,  # Worker processes, which import this module, need not wait for it.
    )

    declared = run_job(scenario() if chosen is None else chosen, place_of(out), draws, block_size)
    spec = replace(declared.spec, definition=declared.spec.definition | {"code": CODE})
    return replace(declared, spec=spec, simulation=Fake(spec) if simulate is None else simulate)


def run(out, draws, *, chosen=None, simulate=None, block_size=None, quiet=True, stream=None, **computing):
    """Fill a store with the stand-in's numbers; give its place."""
    fill(
        [job(out, draws, chosen=chosen, simulate=simulate, block_size=block_size)],
        executor(**(computing or {"workers": 1})),
        Progress(stream, quiet=quiet),
    )
    return place_of(out)


def main(out, draws, block_size, workers, seconds="0", scheduler=None):
    size = int(block_size) or None
    simulate = Fake(job(out, int(draws), block_size=size).spec, float(seconds))
    print("ready", flush=True)
    run(
        out,
        int(draws),
        simulate=simulate,
        block_size=size,
        workers=int(workers.removesuffix("p")) or None,
        processes=workers.endswith("p"),
        scheduler=scheduler,
        quiet=False,
        stream=sys.stderr,
    )
    print("done", flush=True)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except Interrupted as interrupted:
        print(interrupted, file=sys.stderr)
        sys.exit(interrupted.exit_status)
    except (InputError, RunError) as error:
        print(error, file=sys.stderr)
        sys.exit(1)
