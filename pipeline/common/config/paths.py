"""Relative paths in settings: those of a YAML file are relative to that file."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..storage.local_paths import address_problem

NEIGHBOUR_WORDS = ("inputs", "embeddings")
"""Values of ``selector.neighbour_features`` that are no paths."""


def absolute_paths(values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return a run's nested settings with all paths in them absolute.

    Args:
        values: sections as they come from YAML, not validated yet; what is no section or no text stays as it is.
        folder: absolute, what relative paths are relative to.
    """
    known = {
        "data": _data,
        "run": _run,
        "model": absolute_model_paths,
        "selector": absolute_selector_paths,
        "train": _train,
    }
    return {
        name: known[name](section, folder) if name in known and isinstance(section, Mapping) else section
        for name, section in values.items()
    }


def absolute_selector_paths(section: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return a ``selector`` section with absolute paths of its reference, neighbour features and what it inherits."""
    result = _absolute(section, "inherit", folder)
    if result.get("neighbour_features") not in NEIGHBOUR_WORDS:
        result = _absolute(result, "neighbour_features", folder)
    if isinstance(result.get("options"), Mapping):
        result["options"] = _absolute(result["options"], "reference", folder)
    return result


def absolute_model_paths(section: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return a ``model`` section with absolute paths of the run to start from and of its source, if that is a folder.

    A source that is no folder is the name of a hub.
    """
    section = _absolute(section, "initial", folder)
    options = section.get("options")
    source = options.get("source") if isinstance(options, Mapping) else None
    if not isinstance(source, str) or not (folder / source).is_dir():
        return section
    return {**section, "options": _absolute(options or {}, "source", folder)}


def _data(section: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    return _absolute(section, "path", folder)


def _run(section: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    return _absolute(section, "storage", folder)


def _train(section: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    distillation = section.get("distillation")
    if not isinstance(distillation, Mapping):
        return dict(section)
    return {**section, "distillation": _absolute(_absolute(distillation, "teacher", folder), "answers", folder)}


def _absolute(section: Mapping[str, Any], key: str, folder: Path) -> dict[str, Any]:
    result, text = dict(section), section.get(key)
    if isinstance(text, str) and address_problem(text) is None:
        named = os.path.expanduser(text)  # noqa: PTH111 - Path's raises for "~nobody", and its resolve() for loops
        result[key] = os.path.realpath(folder / named)
    return result
