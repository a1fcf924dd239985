"""Errors of the pipeline room: what a user meets, worded with what was got and what to do."""

from collections.abc import Iterable
from typing import Self

from ...selectors.common import errors as selection_errors

SHOWN = 10
"""Most names that a message lists."""


class DataError(ValueError):
    """Input data that cannot be used; the message starts with ``PATH:LINE: `` where there is a line."""

    @classmethod
    def at(cls, path: object, line: int | None, message: str) -> Self:
        """Return the error for one place in a file (anything that prints as its path).

        ``line`` counts from 1, None for the file as a whole.
        """
        return cls(f"{path}: {message}" if line is None else f"{path}:{line}: {message}")


class ConfigError(ValueError):
    """A configuration that cannot be run; the message names the key."""


class RunError(RuntimeError):
    """A run that cannot start, continue or be read."""


class FolderLostError(RunError):
    """Another process took over the folder that this one wrote, while this one stood still."""


class DivergedError(RunError):
    """Training whose numbers are no longer finite."""


HAPPENS_AGAIN = (ConfigError, DataError, DivergedError, selection_errors.SelectionError)
"""What the same run would end with again, so that nothing is gained by another try."""


def did_you_mean(got: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for a likely typo, else what is known: a data set may have 1,000 columns."""
    names = sorted(known)
    hint = selection_errors.did_you_mean(got, names)
    if len(names) <= SHOWN or not hint.startswith("; known"):
        return hint
    return f"; known: {', '.join(names[:SHOWN])}, ... ({len(names)} in all)"
