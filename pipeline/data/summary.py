"""What a prepared data set is, for people: sizes, labels and their balance, what metrics rest on, what looks odd.

Sources: cardinality and density, Tsoumakas and Katakis 2007; imbalance (the most frequent label's rows over each
label's, mean and largest), Charte et al. 2015. What looks odd: own.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ...selectors.common.label_matrix import LabelMatrix
from ..common.config.sections import DataSection
from ..common.storage.json_text import parse_json
from .column_facts import ColumnFacts, column_facts, level_groups
from .manifest import SPLITS, Manifest
from .shards import read_labels, read_splits
from .splits import make_splits
from .support import Support, support_of

SUMMARY_FILE = "summary.json"
_MISSING_WORDS = {"nan", "none", "null", "na", "n/a", "<na>", "nat", "?"}
_LIST_LIKE = re.compile(r"[\[({].*|.*[\])}]|.*[;|].*")


@dataclass(frozen=True)
class Summary:
    """See the module. The splits are the source's, completed as a run with default settings would.

    Attributes:
        labels: names of the L labels.
        counts: known positives of each label in all rows; soft entries count from one half on.
        known: rows in which each label is known; None when all are in all rows.
        soft: entries of each label that are between 0 and 1; None where every known entry is 0 or 1.
        unlabelled_rows: rows without a label that is known to be positive.
        imbalance: mean and largest; None without positives.
        density: share of the feature values that are not 0; None for images.
        splits: what metrics of each split rest on.
        without_positives: for each split the labels that have none there.
        carved: splits that the source does not give.
        odd: what looks odd, a sentence each.
        notices: what was decided while the source was read.
    """

    labels: tuple[str, ...]
    counts: tuple[int, ...]
    unlabelled_rows: int
    imbalance: tuple[float, float] | None
    density: float | None
    splits: dict[str, Support]
    without_positives: dict[str, tuple[str, ...]]
    carved: tuple[str, ...]
    odd: tuple[str, ...]
    notices: tuple[str, ...] = ()
    known: tuple[int, ...] | None = None
    soft: tuple[int, ...] | None = None

    def warnings(self) -> list[tuple[str, str]]:
        """Return the splits whose metrics rest on little, each with the reasons."""
        held_out = {name: support.warning() for name, support in self.splits.items() if name not in ("", "train")}
        return [(name, why) for name, why in held_out.items() if why]


def summarise(manifest: Manifest, notices: Sequence[str] = ()) -> Summary:
    """Return the summary of a prepared data set and keep it in its folder; reads labels and features once.

    Args:
        manifest: the data set's.
        notices: what was decided while the source was read, a sentence each.

    Raises:
        DataError: when a shard cannot be read.
    """
    labels, given = read_labels(manifest), read_splits(manifest)
    facts = None if manifest.kind == "image" else column_facts(manifest)
    parts = _parts(labels, given)
    counts = np.array(manifest.label_counts, np.int64)
    summary = Summary(
        labels=manifest.labels,
        counts=manifest.label_counts,
        unlabelled_rows=int(np.count_nonzero(np.diff(labels.positives.indptr) == 0)),
        imbalance=_imbalance(counts),
        density=None if facts is None else facts.density,
        splits={name: support_of(labels, ids) for name, ids in parts.items()},
        without_positives={name: _without_positives(manifest, labels.take(ids)) for name, ids in parts.items()},
        carved=tuple(name for name in parts if not np.any(given == SPLITS.index(name))),
        odd=(*_odd_labels(manifest), *(_odd_features(manifest, facts) if facts else ())),
        notices=tuple(notices),
        known=manifest.known_counts,
        soft=_soft_counts(labels),
    )
    manifest.file(SUMMARY_FILE).write((json.dumps(asdict(summary), indent=1) + "\n").encode())
    return summary


def read_summary(manifest: Manifest) -> Summary | None:
    """Return the summary that ``summarise`` kept; None when there is none, or one of another version or data set."""
    try:
        values = parse_json(manifest.file(SUMMARY_FILE).read())
        summary = _from_plain(values)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return summary if (summary.labels, summary.counts) == (manifest.labels, manifest.label_counts) else None


def _from_plain(values: dict[str, Any]) -> Summary:
    plain: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    plain["splits"] = {name: Support(**support) for name, support in values["splits"].items()}
    plain["without_positives"] = {name: tuple(names) for name, names in values["without_positives"].items()}
    return Summary(**plain)


def _parts(labels: LabelMatrix, given: np.ndarray) -> dict[str, np.ndarray]:
    """Return row ids of each split as a run with default settings has them; one row can only train."""
    usual = DataSection.make({"path": ""})
    if labels.shape[0] == 1 or not np.any(given <= SPLITS.index("train")):
        return {name: np.flatnonzero(given == code) for code, name in enumerate(SPLITS) if np.any(given == code)}
    splits = make_splits(
        labels.positives,
        given,
        validation_fraction=usual.validation_fraction,
        test_fraction=usual.test_fraction,
        seed=0,
    )
    return {name: ids for name, ids in asdict(splits).items() if len(ids)}


def _soft_counts(labels: LabelMatrix) -> tuple[int, ...] | None:
    """Return how many entries of each label are between 0 and 1; None where none is."""
    soft = labels.values.indices[labels.values.data < 1]
    return tuple(np.bincount(soft, minlength=labels.shape[1]).tolist()) if len(soft) else None


def _without_positives(manifest: Manifest, labels: LabelMatrix) -> tuple[str, ...]:
    counts = labels.positive_counts()
    return tuple(manifest.labels[label] for label in np.flatnonzero(counts == 0))


def _imbalance(counts: np.ndarray) -> tuple[float, float] | None:
    known = counts[counts > 0]
    if not len(known):
        return None
    ratios = known.max() / known
    return float(ratios.mean()), float(ratios.max())


def _odd_labels(manifest: Manifest) -> Iterator[str]:
    if not manifest.is_labelled:
        return
    counts = np.array(manifest.label_counts)
    known = np.array(manifest.known_counts or (manifest.rows,) * manifest.n_labels)
    all_rows = "every row" if manifest.known_counts is None else "every row where they are known"
    for what, found in (("no row", counts == 0), (all_rows, (counts == known) & (counts > 0))):
        if found.any():
            yield f"labels that {what} has: {some([manifest.labels[i] for i in np.flatnonzero(found)])}"
    lists = [name for name in manifest.labels if _LIST_LIKE.fullmatch(name)]
    if lists:
        yield f"labels that look like lists or several names: {some(lists)}; see --label-delimiter"
    missing = [name for name in manifest.labels if name.strip().lower() in _MISSING_WORDS]
    if missing:
        yield f"labels that look like a missing value: {some(missing)}"
    if set(manifest.labels) == {"0", "1"} and sum(manifest.label_counts) > manifest.rows:
        yield "the labels are called 0 and 1: 0/1 vectors that were read as names?"
    yield from _same_but_for_case("labels", manifest.labels)


def _odd_features(manifest: Manifest, facts: ColumnFacts) -> Iterator[str]:
    names = manifest.feature_names or tuple(f"column {place}" for place in range(int(manifest.n_features or 0)))
    if facts.constant:
        yield f"features with one value in all rows: {some([names[place] for place in facts.constant])}"
    if facts.id_like:
        hint = "leave them out with --exclude"
        yield f"features that number the rows, like an id: {some([names[place] for place in facts.id_like])}; {hint}"
    levels = level_groups(manifest.feature_names or (), manifest.rows)
    if levels:
        yield f"nominal columns with about a level a row: {some(levels)}"
    if facts.empty_rows:
        yield f"rows in which every feature is 0: {facts.empty_rows:,}"
    yield from _same_but_for_case("features", manifest.feature_names or ())


def _same_but_for_case(what: str, names: Sequence[str]) -> Iterator[str]:
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault("".join(name.casefold().split()), []).append(name)
    alike = [" and ".join(map(repr, group)) for group in groups.values() if len(group) > 1]
    if alike:
        yield f"{what} whose names differ only in case or spaces: {'; '.join(alike[:3])}{' ...' if alike[3:] else ''}"


def some(names: Sequence[str], shown: int = 5) -> str:
    """Return a few names of many for a line, long ones cut."""
    cut = [name if len(name) <= 24 else f"{name[:23]}…" for name in names[:shown]]
    more = f", ... ({len(names):,} in all)" if len(names) > shown else ""
    return ", ".join(cut) + more
