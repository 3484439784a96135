"""The two ways in which a command can fail, and how each ends the process."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["InputError", "RunError"]


class InputError(ValueError):
    """What the user gave cannot be used; nothing was written (exit status 2).

    Parameters
    ----------
    problems : str or iterable of str
        One readable sentence per problem: the file, key or row, what is allowed, the remedy.

    Attributes
    ----------
    problems : tuple of str
        The sentences, in the order given.
    """

    def __init__(self, problems: str | Iterable[str]) -> None:
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems))


class RunError(RuntimeError):
    """Something failed while working on good input (exit status 1); the message says how to go on."""
