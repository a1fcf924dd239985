"""The data of a run: what the metrics of its splits rest on, and what ``prepare`` said about it."""

import numpy as np

from ....selectors.common.label_matrix import LabelMatrix
from ...common.errors import DataError, RunError
from ...data.manifest import Manifest
from ...data.shards import read_labels
from ...data.summary import Summary, read_summary, some
from ...data.summary_text import features_text
from ...data.support import Support, support_of
from .markup import Html, joined
from .page import Section, details, left_out, notes, prose, table
from .run_source import RunSource
from .wording import fixed

_SPLITS = ("train", "validation", "test")


def data_section(source: RunSource) -> Section | None:
    """Return the section; None for a run that never came as far as its splits."""
    if source.data is None:
        return None
    try:
        manifest = source.manifest()
        labels = read_labels(manifest)
    except (DataError, RunError) as error:
        return Section("data", "Data", left_out("What the metrics rest on", f"{error}."))
    ids = {name: np.asarray(getattr(source.data.splits, name)) for name in _SPLITS}
    parts = {name: support_of(labels, rows) for name, rows in ids.items() if len(rows)}
    missing = {name: _without_positives(manifest, labels.take(ids[name])) for name in parts}
    warnings = [f"{name} {why}." for name, support in parts.items() if name != "train" and (why := support.warning())]
    summary = read_summary(manifest)
    said = notes([*warnings, *(_said(summary) if summary else [])])
    told = joined(_kind(manifest, summary), _balance(summary)) if summary else ""
    known = _known_table(manifest, labels)
    return Section("data", "Data", joined(told, _support_table(parts, missing), said, known))


def _without_positives(manifest: Manifest, labels: LabelMatrix) -> str:
    """Return the labels that no row is known to have, the first ones by name; "none" when there are none."""
    return some([manifest.labels[label] for label in np.flatnonzero(labels.positive_counts() == 0)]) or "none"


def _kind(manifest: Manifest, summary: Summary) -> Html:
    features = "" if manifest.kind == "image" else "features: "
    return prose(
        f"{manifest.rows:,} rows, {features}{features_text(manifest, summary)}. {manifest.n_labels:,} labels, "
        f"{manifest.cardinality:.3f} a row, density {manifest.label_density:.3f}."
    )


def _support_table(parts: dict[str, Support], missing: dict[str, str]) -> Html:
    partly = any(part.known_share < 1 for part in parts.values())
    first = ("split", "rows", "known entries") if partly else ("split", "rows")
    head = (
        *(*first, "macro_auc: labels", "map: labels", "rankings: rows", "positives of the median label"),
        "labels without a positive",
    )
    rows = [
        (
            name,
            f"{part.rows:,}",
            *([f"{100 * part.known_share:.1f} %"] if partly else []),
            f"{part.both_classes:,} of {part.labels:,}",
            f"{part.positive_labels:,}",
            f"{part.labelled_rows:,}",
            fixed(part.median_positives, 0),
            missing[name],
        )
        for name, part in parts.items()
    ]
    return table("What the metrics of each split of this run rest on", head, rows, words=(len(head) - 1,))


def _known_table(manifest: Manifest, labels: LabelMatrix) -> Html:
    """Return how much of each label is known, the least known first; nothing for complete 0/1 labels."""
    if manifest.known_counts is None and not manifest.soft:
        return Html("")
    known, positives = labels.known_counts(), labels.positive_counts()
    soft = np.bincount(labels.values.indices[labels.values.data < 1], minlength=manifest.n_labels)
    rows = [
        (
            manifest.labels[j],
            f"{100 * known[j] / manifest.rows:.1f} %",
            f"{known[j]:,}",
            f"{positives[j]:,}",
            *([f"{soft[j]:,}"] if manifest.soft else []),
        )
        for j in np.argsort(known, kind="stable")
    ]
    head = ("label", "known share", "known rows", "positive", *(["between 0 and 1"] if manifest.soft else []))
    about = "Unknown entries have no loss and count in no metric. "
    return details("Known entries of every label", prose(about), table("Labels, the least known first", head, rows))


def _balance(summary: Summary) -> Html:
    if summary.imbalance is None:
        return prose("No row has a label.")
    mean, most = summary.imbalance
    return prose(
        f"{summary.unlabelled_rows:,} rows have no label. The most frequent label has {mean:,.1f} times the rows of "
        f"another in the mean, {most:,.1f} times those of the rarest."
    )


def _said(summary: Summary) -> list[str]:
    return [f"{sentence}." for sentence in (*summary.notices, *summary.odd)]
