"""Programs of their own, with the compiler and without it."""

import os
import subprocess
import sys


def printed(script, *arguments, compiled):
    """What a script prints; a warning is an error."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, *arguments],
        env=os.environ | {"NUMBA_DISABLE_JIT": "0" if compiled else "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout


def assert_the_compiler_changes_nothing(script, lines):
    """Check that a script prints so many lines, the same ones compiled and uncompiled."""
    compiled, plain = (printed(script, compiled=each) for each in (True, False))
    assert len(compiled.splitlines()) == lines
    assert compiled == plain
