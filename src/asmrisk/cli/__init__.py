"""Command line: one thin command for each public function.

Exit status: 0 done, 1 a failure while working, 2 unusable input, 130 and 143 stopped by a signal. Modules are
imported inside the commands, so that each waits only for what it needs.
"""

from asmrisk.cli import analyses, clinicians, runs
from asmrisk.cli.group import command_of, commands, main

__all__ = ["analyses", "clinicians", "command_of", "commands", "main", "runs"]
