"""The parts of a sweep's report about how it went: populations, failures, configuration, versions."""

import json
from typing import Any

import yaml

from .markup import joined
from .page import Section, listing, prose, table
from .sweep_source import SweepSource, changes
from .versions import version_table
from .wording import fixed, setting

_PACKAGES = ("d2ace", "numpy", "torch", "ray", "optuna", "scikit-learn", "matplotlib")


def population_section(source: SweepSource) -> Section | None:
    """Return which settings each trial had one after the other; None unless some had several."""
    rows = []
    for row in source.table.to_dict("records"):
        points = json.loads(row["points"])
        for number in range(1, len(points)):
            told = _listed(changes(points[number - 1], points[number]))
            rows.append((row["trial"], str(number + 1), told, fixed(row["score"])))
    if not rows:
        return None
    many = sum(len(json.loads(points)) > 1 for points in source.table["points"])
    told = prose(
        f"{many} of {len(source.table)} trials took over the state and settings of a better one, with the schedule "
        "changed. best.yaml holds the last settings of the best trial; trained from the start with them, a run need "
        "not become as good."
    )
    shown = table("Settings that trials took over", ("trial", "point", "changes", "score"), rows, words=(2,))
    return Section("population", "Population", joined(told, shown))


def failure_section(source: SweepSource) -> Section:
    """Return which trials failed, and why."""
    if source.failed.empty:
        return Section("failures", "Failed trials", prose(f"None of {len(source.table)} trials failed."))
    rows = [
        (row["trial"], str(row["epochs"]), fixed(row["score"]), row["error"], _values(json.loads(row["point"])))
        for row in source.failed.to_dict("records")
    ]
    told = prose(
        f"{len(source.failed)} of {len(source.table)} trials failed. Epochs that they had trained before count for the "
        "best score, not for the importance of knobs."
    )
    head = ("trial", "epochs", source.metric, "error", "settings")
    return Section("failures", "Failed trials", joined(told, table("Failed trials", head, rows, words=(3, 4))))


def configuration_section(source: SweepSource) -> Section:
    """Return ``sweep.yaml`` as it was started, and the versions that wrote the report."""
    text = listing(yaml.safe_dump(source.sweep.model_dump(mode="json"), sort_keys=False))
    told = prose("The folder of a sweep does not say which versions made it. These wrote the report:")
    return Section("configuration", "Configuration and versions", joined(text, told, version_table(_PACKAGES)))


def _listed(found: dict[str, tuple[Any, Any]]) -> str:
    return ", ".join(f"{name} {setting(before)} → {setting(after)}" for name, (before, after) in found.items())


def _values(point: dict[str, Any]) -> str:
    return ", ".join(f"{name} {setting(value)}" for name, value in point.items())
