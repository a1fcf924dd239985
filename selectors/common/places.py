"""What lies at a place, ``package.module:Class``: imported when it is asked for, told in words when it is not there."""

import pkgutil
import sys
from collections.abc import Callable, Mapping
from functools import cache, reduce
from importlib import import_module
from importlib.metadata import entry_points
from types import MappingProxyType, ModuleType
from typing import Any

from .errors import did_you_mean, nearest

_WHERE = "install it, or name its folder in PYTHONPATH, here and on every node of a cluster"
_MODULES_ALIKE = 0.85
"""Least likeness of a module that is suggested: hundreds are installed, and some resemble any name a little."""


class PlaceError(Exception):
    """Nothing can be had from a place; the message says why, and what to do."""


@cache
def offered(group: str) -> Mapping[str, str]:
    """Return the places that installed packages offer in a group of entry points, by name; imports none of them.

    Where two packages offer one name, the place is both, separated by a blank, which ``imported`` refuses.
    """
    found: dict[str, set[str]] = {}
    for point in entry_points(group=group):
        found.setdefault(point.name, set()).add(f"{point.module}:{point.attr}")
    return MappingProxyType({name: " ".join(sorted(places)) for name, places in found.items()})


def imported(place: str, package: str, fits: Callable[[Any], bool]) -> Any:
    """Import what lies at a place.

    Args:
        place: ``module:attribute``; one that begins with a dot counts from ``package``.
        package: of d2ace, for its own places.
        fits: whether an attribute is of the kind that is looked for; those that are may be suggested.

    Raises:
        PlaceError: when the module is not there or cannot be imported, or has no such attribute.
    """
    if " " in place:
        raise PlaceError(f"several packages offer it: {', '.join(place.split())}; give the one that you mean")
    module, _, attribute = place.partition(":")
    if not module.strip(".") or not attribute:
        raise PlaceError("expected package.module:Class")
    found = _module(module, package)
    try:
        return reduce(getattr, attribute.split("."), found)
    except AttributeError:
        there = [key for key, value in vars(found).items() if not key.startswith("_") and fits(value)]
        hint = did_you_mean(attribute, there) if there else ""
        raise PlaceError(f"module {module} has no {attribute!r}{hint}") from None


def suggestion(place: str, fits: Callable[[Any], bool]) -> str:
    """Return "; did you mean ...?" with what fits in the module of a place that was imported; else nothing."""
    module, _, attribute = place.partition(":")
    own = {key: value for key, value in vars(import_module(module)).items() if fits(value)}
    there = [key for key, value in own.items() if getattr(value, "__module__", module) == module]
    close = there[0] if len(there) == 1 else nearest(attribute, there)
    return f"; did you mean '{module}:{close}'?" if close else ""


def _module(module: str, package: str) -> ModuleType:
    try:
        return import_module(module, package)
    except ModuleNotFoundError as error:
        missing = error.name or module
        if module != missing and not module.startswith(f"{missing}."):
            raise PlaceError(f"module {module} needs module {missing}, which is not installed") from None
        raise PlaceError(f"there is no module {missing}{_advice(missing, module)}") from None
    except Exception as error:  # a user's module may do anything while it is imported
        raise PlaceError(f"module {module} cannot be imported: {type(error).__name__}: {error}") from None


def _advice(missing: str, module: str) -> str:
    """Return what to do about a module that is not there: correct the name, or make it known."""
    if module.endswith(".py") or "/" in module:
        return "; give a module, not a file: own_selector:Class, with the file's folder in PYTHONPATH"
    parent, _, last = missing.rpartition(".")
    path = getattr(sys.modules.get(parent), "__path__", []) if parent else None  # the parent has been imported
    close = nearest(last, (found.name for found in pkgutil.iter_modules(path)), _MODULES_ALIKE)
    if close is None:
        return f"; {_WHERE}"
    return f"; did you mean {'.'.join(filter(None, (parent, close)))!r}?"
