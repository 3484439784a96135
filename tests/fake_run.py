"""A stand-in for the simulation, fast and a pure function of the draw; also a program that tests kill.

python -m tests.fake_run OUT DRAWS BLOCK_SIZE WORKERS [SECONDS_PER_DRAW [SCHEDULER]]

WORKERS is a number of threads, or of processes with a p behind it; 0 with a scheduler. With a BLOCK_SIZE of
0 it is chosen by the number of draws.
"""

import sys
import time
from dataclasses import replace

import numpy as np

from asmrisk.engine.executors import executor
from asmrisk.engine.fill import fill
from asmrisk.engine.interruption import Interrupted
from asmrisk.engine.progress import Progress
from asmrisk.engine.run import run_job
from asmrisk.errors import InputError, RunError
from asmrisk.results.place import place_of
from asmrisk.scenario.scenario import scenario_from_dict
from asmrisk.simulation.arrays import Simulation

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


class OneByOne(Simulation):
    """A simulation whose blocks share nothing."""

    compiled = True

    def prepare(self, say=None):
        pass

    def __call__(self, pieces, slot):
        return (self.block(piece.block, slot) for piece in pieces)


class Fake(OneByOne):
    """Numbers of every kind (any integer, NaN, signed zeros), a function of the draw's number alone."""

    def __init__(self, spec, seconds=0.0):
        self.seconds = seconds
        self.calls = []
        #: Of every variable of a run: shape without the draw, and type.
        self.shapes = {
            path: (array.shape[1:], array.dtype)
            for path, array in spec.arrays.items()
            if array.dims[0] == "draw" and path.rpartition("/")[2] != "draw"
        }

    def draw(self, number):
        """Every variable of one draw."""
        rng = np.random.default_rng(number)
        values = {}
        for path, (shape, dtype) in self.shapes.items():
            if dtype.startswith("int"):
                one = rng.integers(-(2**31), 2**31, shape).astype(dtype)
            else:
                one = rng.normal(size=shape)
                one[rng.random(shape) < 0.1] = np.nan
                one[rng.random(shape) < 0.1] = -0.0
            values[path] = one
        return values

    def block(self, block, slot):
        self.calls.append((block.first, block.count))
        shapes = self.shapes.items()
        values = {path: np.zeros((block.count, *shape), dtype) for path, (shape, dtype) in shapes}
        for index in range(block.count):
            if slot[1]:
                break
            for path, one in self.draw(block.first + index).items():
                values[path][index] = one
            if self.seconds:
                time.sleep(self.seconds)
            slot[0] += 1
        return values


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
    # Workers look for the stand-in in its module, which is not the one that runs here.
    from tests import fake_run

    try:
        fake_run.main(*sys.argv[1:])
    except Interrupted as interrupted:
        print(interrupted, file=sys.stderr)
        sys.exit(interrupted.exit_status)
    except (InputError, RunError) as error:
        print(error, file=sys.stderr)
        sys.exit(1)
