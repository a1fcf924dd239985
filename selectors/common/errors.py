"""Errors of the selection room, and the one helper that words "did you mean"."""

from collections.abc import Iterable
from difflib import get_close_matches

SHOWN = 12
"""Most names that a message lists: a data set may have 1,000 columns."""
_LONGEST = 100
"""Characters of a name that may be a typo, and that a message lists: a damaged table has columns of 100,000."""


class SelectionError(ValueError):
    """A selector was given something it cannot work with; the message says what, and what to do."""


def nearest(got: str, known: Iterable[str], likeness: float = 0.6) -> str | None:
    """Return the known name that ``got`` is, or is likely a typo of; None when none is as much alike (0 to 1)."""
    if len(got) > _LONGEST:
        return None
    close = get_close_matches(got, sorted(name for name in known if len(name) <= _LONGEST), n=1, cutoff=likeness)
    return close[0] if close else None


def did_you_mean(got: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for a likely typo, else what is known."""
    names = sorted(known)
    close = nearest(got, names)
    if close is not None:
        return f"; did you mean {close!r}?"
    shown = ", ".join(name if len(name) <= _LONGEST else f"{name[:_LONGEST]}..." for name in names[:SHOWN])
    if len(names) > SHOWN:
        return f"; known: {shown}, ... ({len(names)} in all)"
    return f"; known: {shown or 'none'}"
