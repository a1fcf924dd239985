"""``d2ace compare``: methods against each other, and what may be concluded."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .comparison import compare_methods
    from .execution import compare
    from .study import Study
    from .table import read_table

__all__ = ["Study", "compare", "compare_methods", "read_table"]

_HOMES = {"compare": "execution", "compare_methods": "comparison", "Study": "study", "read_table": "table"}


def __getattr__(name: str) -> Any:
    """Import a name on first use, so that the statistics need neither Ray nor torch."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value
