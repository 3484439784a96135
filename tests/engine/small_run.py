"""Runs the stand-in of a small store as a program: python -m tests.engine.small_run OUT DRAWS [OPTIONS]."""

import argparse
import os
import signal
import sys
from pathlib import Path

from asmrisk.engine.executors import executor
from asmrisk.engine.fill import fill
from asmrisk.engine.interruption import interruptible
from asmrisk.engine.progress import Progress
from asmrisk.errors import InputError, RunError
from asmrisk.results.place import place_of
from tests.engine.operations import operations
from tests.fake_simulation import Fake
from tests.results import small


class Announced(Fake):
    """Makes a file when it begins."""

    def __init__(self, spec, seconds, sign):
        super().__init__(spec, seconds)
        self.sign = sign

    def block(self, block, slot):
        if self.sign is not None:
            self.sign.touch()
        return super().block(block, slot)


def main(arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("draws", type=int)
    parser.add_argument("--size", type=int, default=5, help="draws of a block")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--processes", action="store_true")
    parser.add_argument("--scheduler")
    parser.add_argument("--seconds", type=float, default=0.0, help="of each draw")
    parser.add_argument("--sign", type=Path, help="file to make when a block begins")
    parser.add_argument("--signal", type=signal.Signals.__getitem__, help="SIGSTOP, SIGKILL: to send itself")
    parser.add_argument("--operation", type=int, default=0, help="before which operation on files or objects")
    given = parser.parse_args(arguments)
    place = place_of(given.out)
    spec = small.declare(place, given.draws, size=given.size).spec
    simulation = Announced(spec, given.seconds, given.sign)
    job = small.declare(place, given.draws, size=given.size, simulation=simulation)
    chosen = executor(workers=given.workers, processes=given.processes, scheduler=given.scheduler)
    print("ready", flush=True)
    with operations(given.operation, lambda: os.kill(os.getpid(), given.signal)):
        fill([job], chosen, Progress(sys.stderr))
    print("done", flush=True)


if __name__ == "__main__":
    # Workers look for the simulation in its module, which is not the one that runs here.
    from tests.engine import small_run

    try:
        # As the command line does: what comes after the first signal is not heeded.
        with interruptible(last=True):
            small_run.main(sys.argv[1:])
    except KeyboardInterrupt as interrupted:
        print(interrupted, file=sys.stderr)
        sys.exit(interrupted.exit_status)
    except (InputError, RunError) as error:
        print(error, file=sys.stderr)
        sys.exit(1)
