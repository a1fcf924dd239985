"""One way to say that a file cannot be used, whatever its damage leads the libraries to that read it."""

from collections.abc import Iterator
from contextlib import contextmanager

from ....selectors.common.errors import SelectionError
from ..errors import ConfigError, DataError, RunError

_WORDED = (ConfigError, DataError, RunError, SelectionError)
_MOST = 300
"""Characters of a library's words; some quote what they read."""


@contextmanager
def reading(
    path: object, error: type[ValueError | RuntimeError] = RunError, hint: str = "", says: str = "cannot be read"
) -> Iterator[None]:
    """Turn what goes wrong while a file is read into an error that names it; errors in words pass.

    Readers of archives, tables and states raise errors of nearly any class on damaged content, and content may have
    another form than expected: all of that is a fault of the file. Keep other work out of the block.

    Args:
        path: of the file; anything that prints as its path.
        error: the class to raise.
        hint: what to do.
        says: what is told of the file.
    """
    try:
        yield
    except _WORDED:
        raise
    except Exception as problem:
        words = " ".join(str(problem).split())[:_MOST]
        said = f"{type(problem).__name__}: {words}" if words else type(problem).__name__
        advice = f"; {hint}" if hint else ""
        raise error(f"{path}: {says} ({said}){advice}") from problem
