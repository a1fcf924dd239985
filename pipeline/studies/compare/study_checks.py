"""What of a study must fit together, looked at before anything is trained."""

from collections.abc import Mapping, Sequence
from typing import Any

from ...common.config.selector_section import SelectorSection
from ...common.errors import ConfigError, did_you_mean
from .rivals import api as rivals
from .sections import StudyRival
from .tuning_grid import StudyTuning

_DECIDED = {
    "selector": "methods",
    "model": "networks",
    "data.path": "data",
    "data.fold": "folds",
    "data.folds": "folds",
    "run.seed": "seeds",
    "run.threads": "threads",
    "run.gpu": "gpus_per_run",
}
"""Keys of a configuration, and what of the study decides them."""


def require_known_arms(
    methods: Mapping[str, SelectorSection], rivals_of: Mapping[str, StudyRival], reference: str
) -> None:
    """Raise ValueError for methods or rivals that there are not, names of both, or a reference that is no method."""
    if reference not in methods:
        raise ValueError(f"the reference {reference!r} is not one of the methods{did_you_mean(reference, methods)}")
    for name, method in methods.items():
        try:
            method.require_known()
        except ValueError as error:
            raise ValueError(f"methods.{name}: {error}") from None
    for name, rival in rivals_of.items():
        if name in methods:
            raise ValueError(f"rivals.{name}: a method is called {name!r}, too; expected another name")
        try:
            rivals.REGISTRY.require(rival.name)
        except ConfigError as error:
            raise ValueError(f"rivals.{name}: {error}") from None


def require_open(parts: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise ValueError for a setting that the study decides by itself, so that it would do nothing.

    Args:
        parts: of a configuration, by their places in the study.
    """
    for place, part in parts.items():
        for key, by in _DECIDED.items():
            section, _, last = key.partition(".")
            if section in part and (not last or (isinstance(part[section], Mapping) and last in part[section])):
                raise ValueError(f"{place}.{key} is decided by the study's {by!r}: leave it out")


def require_own_seeds(seeds: Sequence[int], tuning: StudyTuning | None) -> None:
    """Raise ValueError for a seed of the study that tunes, too."""
    if tuning and (both := sorted(set(tuning.seeds) & set(seeds))):
        raise ValueError(f"tuning.seeds: {both} are seeds of the study too; tuning needs seeds of its own")
