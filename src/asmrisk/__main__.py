"""``asmrisk`` and ``python -m asmrisk``: signals end them in one line before anything else is imported.

What comes earlier is Python's own start, a fiftieth of a second in which Python itself answers a signal.
"""

import os
import signal


def _end(number: int, frame: object) -> None:
    """End at once: nothing is under way, or the command has told a handler of its own."""
    try:
        os.write(2, b"asmrisk: interrupted\n")
    finally:
        os._exit(128 + number)  # As a shell expects.


def main() -> None:
    """Run the command line and end the process with its exit status."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    # Where whoever started us closed a standard stream, no file of ours takes its number.
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    # It imports click, which takes its time.
    from asmrisk.cli import main as run

    run()


if __name__ == "__main__":
    main()
