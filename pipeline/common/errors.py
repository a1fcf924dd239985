"""Errors of the pipeline room: what a user meets, worded with what was got and what to do."""

from typing import Self

from ...selectors.common.errors import SHOWN, SelectionError, did_you_mean, nearest

__all__ = [
    "HAPPENS_AGAIN",
    "SHOWN",
    "ConfigError",
    "DamagedError",
    "DataError",
    "DivergedError",
    "FolderLostError",
    "LostError",
    "NotThereError",
    "RunError",
    "did_you_mean",
    "nearest",
]


class DataError(ValueError):
    """Input data that cannot be used; the message starts with ``PATH:LINE: `` where there is a line."""

    @classmethod
    def at(cls, path: object, line: int | None, message: str) -> Self:
        """Return the error for one place in a file (anything that prints as its path).

        ``line`` counts from 1, None for the file as a whole.
        """
        return cls(f"{path}: {message}" if line is None else f"{path}:{line}: {message}")


class NotThereError(DataError):
    """A place where nothing lies."""


class ConfigError(ValueError):
    """A configuration that cannot be run; the message names the key."""


class RunError(RuntimeError):
    """A run that cannot start, continue or be read."""


class DamagedError(RunError):
    """A checkpoint that is not what was written; an earlier one may do."""


class FolderLostError(RunError):
    """Another process took over the folder that this one wrote, while this one stood still."""


class LostError(RunError):
    """A process that held the selection, or a part of it, has ended; another try may spare it.

    Attributes:
        preempted: whether its node was taken away after Ray had been told so.
    """

    preempted = False

    @classmethod
    def of(cls, what: str, death: BaseException) -> Self:
        """Return the error with the first line of what Ray, or another of these, says of the end."""
        found = cls(f"{what}: {(str(death).strip() or repr(death)).splitlines()[0]}")
        found.preempted = bool(getattr(death, "preempted", False))
        return found


class DivergedError(RunError):
    """Training whose numbers are no longer finite."""


HAPPENS_AGAIN = (ConfigError, DataError, DivergedError, SelectionError)
"""What the same run would end with again, so that nothing is gained by another try."""
