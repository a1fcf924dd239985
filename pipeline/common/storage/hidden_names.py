"""Names of files that hold no data: of file systems, archives and version control."""

_NO_DATA = "__MACOSX"
"""The folder of resource forks in archives that macOS made."""


def is_hidden(name: str) -> bool:
    """Return whether a relative name is that of no data: ``._x``, ``.DS_Store``, ``__MACOSX/x``, ``.git/x``."""
    parts = name.split("/")
    return any((part.startswith(".") and part not in (".", "..")) or part == _NO_DATA for part in parts)
