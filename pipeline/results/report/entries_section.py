"""What a policy made of single entries: what its gate decided, and how many entries it flagged, by epoch and label.

E epochs, L labels.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from .curves import Curve, curve_plot
from .markup import Html, joined
from .page import Section, figure, figures, prose, table
from .run_source import RunSource
from .theme import series_style
from .wording import fixed, percent

_LABELS_SHOWN = 30


def entries_section(source: RunSource) -> Section | None:
    """Return the section; None for a run without a policy, or whose policy said nothing yet."""
    entries, flagged = source.config.selector.entries, source.per_epoch("selection/entries_flagged")
    if entries is None or np.isnan(flagged).all():
        return None
    drawn = figures(
        figure(
            curve_plot([Curve("flagged", flagged, series_style(0))], "entries", from_zero=True),
            "Entries trained otherwise than their label says",
            "Flagged entries are taken for wrong.",
        )
    )
    said = prose(f"Policy {entries.policy}. {gate_sentence(source.epochs[-1])}")
    return Section("entries", "Missing and wrong labels", joined(said, drawn, _by_label(source)))


def gate_sentence(record: Mapping[str, Any]) -> str:
    """Return what the gate decided by the end of an epoch, from its record."""
    said = {name: record.get(f"selection/entries_{name}") for name in ("wrong_share", "skill", "separation")}
    known = {name: value for name, value in said.items() if value is not None and not np.isnan(value)}
    told = ""
    if "wrong_share" in known:
        told = f"About {percent(known['wrong_share'])} of the positives seem missing or wrong"
        if "skill" in known:
            told += f", and flags find them with a skill of {fixed(known['skill'], 2)}"
        if "separation" in known:
            told += f"; the components of a label's losses are up to {fixed(known['separation'], 1)} deviations apart"
        told += "."
    if record.get("selection/entries_gate_open"):
        return f"{told} The gate is open: {record['selection/entries_flagged']:,} entries are flagged.".strip()
    return f"{told} The gate is shut: no entry is touched." if told else "The policy has not begun to flag entries yet."


def _by_label(source: RunSource) -> Html | str:
    """Return how many entries of each label are wrong, as validation rows tell; the most first."""
    wrong = source.lists("entries_wrong")
    if wrong is None or not source.labels or np.isnan(wrong[-1]).any():
        return ""
    order = np.argsort(-wrong[-1], kind="stable")[:_LABELS_SHOWN]
    rows = [
        (source.labels[label], f"{source.positives[label]:,}", fixed(float(wrong[-1][label]), 0))
        for label in order.tolist()
    ]
    return table("About how many are wrong, by label", ("label", "positives", "missing or wrong"), rows)
