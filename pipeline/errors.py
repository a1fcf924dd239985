"""Errors of the pipeline room: what a user meets, worded with what was got and what to do."""

from pathlib import Path
from typing import Self

from ..selectors.errors import did_you_mean

__all__ = ["ConfigError", "DataError", "RunError", "did_you_mean"]


class DataError(ValueError):
    """Input data that cannot be used; the message starts with ``PATH:LINE: `` where there is a line."""

    @classmethod
    def at(cls, path: str | Path, line: int | None, message: str) -> Self:
        """Return the error for one place in a file; ``line`` counts from 1, None for the file as a whole."""
        return cls(f"{path}: {message}" if line is None else f"{path}:{line}: {message}")


class ConfigError(ValueError):
    """A configuration that cannot be run; the message names the key."""


class RunError(RuntimeError):
    """A run that cannot start, continue or be read."""
