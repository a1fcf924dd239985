"""The parts of a comparison's report about how it was made: failures, configurations, versions."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd
import yaml

from ...studies.compare.tuned_table import tuned_caption, tuned_rows
from .markup import Html, element, joined
from .page import Section, listing, prose, side_by_side, subheading, table
from .study_source import StudySource

_VALUES = 8


def failure_section(study: StudySource) -> Section:
    """Return which runs failed, and why."""
    if study.failed.empty:
        return Section("failures", "Failed runs", prose(f"None of {len(study.table)} runs failed."))
    rows = [
        (f"{row['data']} / {row['network']}", row["method"], str(row["fold"]), str(row["seed"]), row["error"])
        for row in study.failed.to_dict("records")
    ]
    head = ("data / network", "method", "fold", "seed", "error")
    told = prose(f"{len(study.failed)} of {len(study.table)} runs failed; no number above counts them.")
    return Section("failures", "Failed runs", joined(told, table("Failed runs", head, rows, words=(1, 4))))


def configuration_section(study: StudySource) -> Section:
    """Return what every run shares, what differs, and which versions ran where."""
    configs = [json.loads(text) for text in study.table["config"]]
    shared, differing = shared_settings(configs)
    first = study.table.drop_duplicates("method").set_index("method")["config"]
    methods = {name: json.loads(first[name])["selector"] for name in study.methods}
    rows = [(key, _listed(values)) for key, values in differing.items() if not key.startswith("selector.")]
    parts = [_versions(study.table)]
    if chosen := tuned_rows(study.table):
        parts.append(
            joined(table("Settings that tuning chose", chosen[0], chosen[1:], words=(1,)), prose(tuned_caption()))
        )
    if rows:
        parts += [table("Settings that differ between runs", ("setting", "values"), rows, words=(1,))]
    listings = [_settings("Methods", methods), _settings("Settings of every run", shared)]
    return Section("configuration", "Configuration and versions", joined(*parts, side_by_side(*listings)))


def _settings(title: str, settings: Mapping[str, Any]) -> Html:
    return element("div", subheading(title), listing(yaml.safe_dump(dict(settings), sort_keys=False)))


def _versions(runs: pd.DataFrame) -> Html:
    columns = ["version", "commit", "machine"]
    counts = runs[columns].fillna("–").value_counts(sort=False).sort_index()
    rows = [tuple(map(str, row)) for row in counts.reset_index().to_numpy().tolist()]
    finished = sorted(runs["finished"].dropna())
    made = table("Versions of d2ace", (*columns, "runs"), rows, words=(1, 2))
    return joined(made, prose(f"Finished from {finished[0]} to {finished[-1]}.") if finished else "")


def shared_settings(configs: list[dict[str, Any]]) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """Return the settings that all configurations share, nested as they were, and all values of each other setting.

    The keys of the second are dotted paths. A setting that only some configurations have differs.
    """
    flat = [dict(_flattened(config)) for config in configs]
    keys = dict.fromkeys(key for config in flat for key in config)
    values = {key: _distinct([config.get(key, "not set") for config in flat]) for key in keys}
    shared: dict[str, Any] = {}
    for key in [key for key in keys if len(values[key]) == 1]:
        *parents, last = key.split(".")
        node = shared
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = values[key][0]
    return shared, {key: found for key, found in values.items() if len(found) > 1}


def _flattened(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            yield from _flattened(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _distinct(values: list[Any]) -> list[Any]:
    return list({json.dumps(value, sort_keys=True): value for value in values}.values())


def _listed(values: list[Any]) -> str:
    shown = ", ".join(json.dumps(value) for value in values[:_VALUES])
    return shown if len(values) <= _VALUES else f"{shown}, and {len(values) - _VALUES} more"
