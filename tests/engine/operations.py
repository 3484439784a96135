"""Does something exactly before one of the operations on files or objects that a process makes."""

import os
import threading
from contextlib import ExitStack, contextmanager
from unittest import mock

import obstore

#: All that a writer changes or reads in a folder, or in object storage.
_FILES = ("open", "scandir", "mkdir", "link", "rename", "unlink", "fsync", "sync")
_OBJECTS = ("put", "get", "list", "delete")


def _is_about_a_store(name, arguments, options):
    """Whether it is the store's file, not a module that is imported or a folder that is opened."""
    if name == "open":
        return "dir_fd" in options and not arguments[1] & os.O_DIRECTORY
    return name in ("scandir", "fsync", "sync") or any(each.endswith("dir_fd") for each in options)


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
