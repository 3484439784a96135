"""Stops a writer exactly before one of its operations on files or objects; also a program that stops itself.

python -m tests.engine.operations SIGNAL NUMBER OUT DRAWS WORKERS

runs a small store's stand-in and sends itself the signal (STOP, KILL) before the operation of that number; with
0 it comes to its end.
"""

import os
import signal
import sys
import threading
from contextlib import ExitStack, contextmanager
from unittest import mock

import obstore

from asmrisk.errors import InputError, RunError
from tests.results import small

#: All that a writer changes or reads in a folder, or in object storage.
_FILES = ("open", "mkdir", "link", "rename", "unlink", "fsync", "sync")
_OBJECTS = ("put", "get", "list", "delete")


def _is_about_a_store(name, arguments, options):
    """Whether it is the store's file, not a module that is imported or a folder that is opened."""
    if name == "open":
        return "dir_fd" in options and not arguments[1] & os.O_DIRECTORY
    return name in ("fsync", "sync") or any(each.endswith("dir_fd") for each in options)


@contextmanager
def operations(number=0, reached=None):
    """Call `reached` before the operation of a number, counted from 1; give the list of all up to there.

    The list has the name of each operation and of what it is about; whatever `reached` does, and what
    follows, is not in it.
    """
    done, lock, going_on = [], threading.Lock(), [True]

    def counting(name, original, about):
        def counted(*arguments, **options):
            with lock:
                mine = going_on[0] and about(name, arguments, options)
                if mine:
                    done.append((name, str(arguments[:2])))
                    going_on[0] = len(done) != number
            if mine and len(done) == number:
                reached()
            return original(*arguments, **options)

        return counted

    with ExitStack() as stack:
        for name in _FILES:
            stack.enter_context(
                mock.patch.object(os, name, counting(name, getattr(os, name), _is_about_a_store))
            )
        for name in _OBJECTS:
            each = counting(name, getattr(obstore, name), lambda *_: True)
            stack.enter_context(mock.patch.object(obstore, name, each))
        yield done


def main(name, number, out, draws, workers):
    print("ready", flush=True)
    with operations(int(number), lambda: os.kill(os.getpid(), getattr(signal, f"SIG{name}"))) as done:
        small.write(out, int(draws), workers=int(workers), stream=sys.stderr)
    print(f"done after {len(done)} operations", flush=True)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except KeyboardInterrupt as interrupted:
        print(interrupted, file=sys.stderr)
        sys.exit(interrupted.exit_status)
    except (InputError, RunError) as error:
        print(error, file=sys.stderr)
        sys.exit(1)
