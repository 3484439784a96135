"""A stand-in for the simulation, fast and a pure function of the draw; also a program that tests kill.

python -m tests.fake_run OUT DRAWS BLOCK_SIZE WORKERS [SECONDS_PER_DRAW [SCHEDULER]]

WORKERS is a number of threads, or of processes with a p behind it; 0 with a scheduler.
"""

import sys
import time

import numpy as np

from asmrisk.errors import InputError, RunError
from asmrisk.results.schema import empty_block
from asmrisk.results.store import writer
from asmrisk.scenario import scenario_from_dict
from asmrisk.simulation import engine


def scenario(**changes):
    """The final rule with a few values changed, `policy__risk_level=0.1` for policy.risk_level."""
    document = {}
    for name, value in changes.items():
        section, _, key = name.partition("__")
        document.setdefault(section, {})[key] = value
    return scenario_from_dict(document)


class Fake:
    """Numbers of every kind (any integer, NaN, signed zeros), a function of the draw's number alone."""

    piece, notes = 32, ()

    def __init__(self, scenario, seconds=0.0):
        self.seconds = seconds
        self.calls = []
        self.template = empty_block(scenario, 1)

    def __setstate__(self, state):
        """Arrive in a worker's process, which knows of no monkeypatch."""
        isolate(setattr)
        self.__dict__.update(state)

    def __call__(self, first, count, progress):
        self.calls.append((first, count))
        block = {path: np.repeat(array, count, axis=0) for path, array in self.template.items()}
        for index in range(count):
            if progress[1]:
                break
            rng = np.random.default_rng(first + index)
            for array in block.values():
                one = array[index : index + 1]
                if array.dtype == np.int32:
                    one[...] = rng.integers(-(2**31), 2**31, one.shape)
                else:
                    one[...] = rng.normal(size=one.shape)
                    one[rng.random(one.shape) < 0.1] = np.nan
                    one[rng.random(one.shape) < 0.1] = -0.0
            if self.seconds:
                time.sleep(self.seconds)
            progress[0] += 1
        return block


def isolate(put):
    """Make runs independent of the kernels: nothing to compile, one identity while sources are edited."""
    put(engine.work, "kernels_compiled", lambda: True)
    put(writer, "kernel_hash", lambda: "0123456789abcdef")


def main(out, draws, block_size, workers, seconds="0", scheduler=None):
    isolate(setattr)
    chosen = scenario()
    print("ready", flush=True)
    engine.run(
        chosen,
        draws=int(draws),
        out=out,
        block_size=int(block_size),
        workers=int(workers.removesuffix("p")) or None,
        processes=workers.endswith("p"),
        scheduler=scheduler,
        simulate=Fake(chosen, float(seconds)),
    )
    print("done", flush=True)


if __name__ == "__main__":
    # Workers look for the stand-in in its module, which is not the one that runs here.
    from tests import fake_run

    try:
        fake_run.main(*sys.argv[1:])
    except engine.Interrupted as interrupted:
        print(interrupted, file=sys.stderr)
        sys.exit(interrupted.exit_status)
    except (InputError, RunError) as error:
        print(error, file=sys.stderr)
        sys.exit(1)
