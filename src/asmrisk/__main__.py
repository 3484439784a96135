"""``python -m asmrisk`` is ``asmrisk``."""

from asmrisk.cli import main

main()
