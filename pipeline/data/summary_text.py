"""The summary of a prepared data set as lines for a terminal."""

from collections.abc import Iterator

import numpy as np

from .manifest import Manifest
from .summary import Summary, some

_NAMED = 3
_WIDTH = 12


def summary_text(manifest: Manifest, summary: Summary) -> str:
    """Return what was understood, in about ten lines of at most 120 columns (but for names)."""
    splits = ", ".join(f"{name or 'no split'} {rows:,}" for name, rows in manifest.splits.items() if rows)
    lines = [f"{manifest.rows} rows ({splits}), {manifest.n_labels} labels, {manifest.cardinality:.3f} labels a row"]
    lines.append(_line("features", features_text(manifest, summary)))
    if manifest.is_labelled:
        lines += [*_labels(manifest, summary), *_splits(summary)]
    else:
        lines.append(_line("labels", "nobody knows one of any row: predict takes the rows, train and evaluate do not"))
    lines += [_line("note", notice) for notice in summary.notices]
    lines += [_line("look at", odd) for odd in summary.odd]
    lines += [_line("warning", f"{name} {why}") for name, why in summary.warnings() if manifest.is_labelled]
    return "\n".join(lines)


def _line(head: str, text: str) -> str:
    return f"{head:<{_WIDTH}}{text}"


def features_text(manifest: Manifest, summary: Summary) -> str:
    """Return of what kind the features of a data set are, in a few words."""
    if manifest.image is not None:
        image = manifest.image
        size = f"{image.width} x {image.height} pixels" if image.width else "sizes vary"
        return f"images, {'grey' if image.mode == 'L' else 'RGB'}, {size}"
    return f"{manifest.n_features:,} {manifest.kind}, {100 * (summary.density or 0):.1f} % of the values not 0"


def _labels(manifest: Manifest, summary: Summary) -> Iterator[str]:
    counts, density = np.array(summary.counts), manifest.label_density
    balance = ""
    if summary.imbalance is not None:
        balance = f", imbalance {summary.imbalance[0]:,.1f} in the mean, {summary.imbalance[1]:,.1f} at most"
    yield _line("labels", f"density {density:.3f}{balance}; {summary.unlabelled_rows:,} rows without a label")
    order = np.argsort(-counts, kind="stable")
    if len(order) <= 2 * _NAMED:
        yield _line("", _counted(summary, order, counts))
    else:
        yield _line("", f"most frequent   {_counted(summary, order[:_NAMED], counts)}")
        yield _line("", f"least frequent  {_counted(summary, order[::-1][:_NAMED], counts)}")
    if summary.known is not None:
        unknown = manifest.rows - np.array(summary.known)
        yield _line("unknown", _most(summary, unknown, manifest.rows * len(counts)))
    if summary.soft is not None:
        known = manifest.rows * len(counts) if summary.known is None else sum(summary.known)
        yield _line("soft", _most(summary, np.array(summary.soft), known))


def _most(summary: Summary, counts: np.ndarray, entries: int) -> str:
    """Return how many of all entries are so, and of the labels those where most are."""
    order = np.argsort(-counts, kind="stable")[: 2 * _NAMED]
    share = 100 * counts.sum() / max(1, entries)
    return f"{counts.sum():,} entries ({share:.1f} %); most: {_counted(summary, order[counts[order] > 0], counts)}"


def _counted(summary: Summary, order: np.ndarray, counts: np.ndarray) -> str:
    return ", ".join(f"{some([summary.labels[place]])} {counts[place]:,}" for place in order)


def _splits(summary: Summary) -> Iterator[str]:
    for name, support in summary.splits.items():
        carved = " (carved, default settings)" if name in summary.carved and name != "train" else ""
        yield _line(name, support.sentence() + carved)
        missing = summary.without_positives[name]
        if missing:
            yield _line("", f"without a positive there: {some(missing)}")
