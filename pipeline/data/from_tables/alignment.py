"""Files of a data set read in the same columns, found by name whatever their order; and files without labels."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from scipy.sparse import csr_array

from ....selectors.common.label_matrix import LabelMatrix
from ...common.errors import SHOWN, DataError, did_you_mean, nearest
from ..label_choice import chosen_labels, chosen_or_unknown, nothing_known, unknown_where
from ..rows import Rows
from .source import Source

MissingLabels = Literal["error", "absent", "unknown"]
"""What a file means that lacks labels: a mistake, that none of its rows has them, or that nobody knows them there."""


def has_no_labels(columns: Collection[str], labels: Sequence[str] | None, missing: MissingLabels) -> bool:
    """Return whether a file is one of rows whose labels nobody knows: it has no column for any label.

    Without an option it is that only where no name looks like a typo, and the columns have names: cost, a few labels
    against all columns.

    Args:
        columns: names of the file's columns.
        labels: those that the user names; None for none.
        missing: what the user says of labels that are not there.
    """
    if not labels or missing == "absent" or any(name in columns for name in labels):
        return False
    alike = any(nearest(name, columns) is not None for name in labels[:SHOWN])
    return missing == "unknown" or not (alike or all(map(is_number, columns)))


def assembled(parts: Sequence[Source], labels: Sequence[str] | None, missing: MissingLabels, unknown: bool) -> Source:
    """Return one source of all files of a data set.

    Args:
        parts: the files, each with the labels that it has.
        labels: those that all shall have, in this order; None for those of the first.
        missing: what a file means that lacks some.
        unknown: all files have no labels, see ``has_no_labels``.

    Raises:
        DataError: see ``aligned``.
    """
    if unknown:
        return joined([_unlabelled(part, tuple(labels or ())) for part in parts])
    return joined([with_labels(parts[0], labels, missing), *parts[1:]], missing)


def _unlabelled(source: Source, labels: tuple[str, ...]) -> Source:
    """Return the source with labels that nobody knows in any row."""

    def chunks() -> Iterator[Rows]:
        for rows in source.chunks():
            yield replace(rows, labels=nothing_known(len(rows), len(labels)))

    told = f"{source.description}: has no column for a label: nobody knows the labels of its rows"
    return replace(source, labels=labels, chunks=chunks, notices=(*source.notices, told), labelled=False)


def is_number(text: str) -> bool:
    """Return whether a text is a number, which no column is called."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def joined(parts: Sequence[Source], missing_labels: MissingLabels = "error") -> Source:
    """Return one source with the rows of all parts in order, in the columns of the first.

    Raises:
        DataError: see ``aligned``.
    """
    parts = _listing_alike(parts)
    first = parts[0]
    parts = [first, *(aligned(first, other, missing_labels) for other in parts[1:])]

    def chunks() -> Iterator[Rows]:
        for part in parts:
            yield from part.chunks()

    kind = "sparse" if any(part.kind == "sparse" for part in parts) else "dense"
    description = " + ".join(part.description for part in parts)
    notices = tuple(dict.fromkeys(notice for part in parts for notice in part.notices))
    return replace(first, kind=kind, chunks=chunks, description=description, notices=notices)  # type: ignore[arg-type]


def _listing_alike(parts: Sequence[Source]) -> Sequence[Source]:
    """Return the parts; where some say nothing of labels and others do, each of their rows lists all as unknown."""
    if len({part.labelled for part in parts}) == 1:
        return parts
    return [part if part.labelled else _listing_unknown(part) for part in parts]


def _listing_unknown(source: Source) -> Source:
    def chunks() -> Iterator[Rows]:
        for rows in source.chunks():
            shape = rows.labels.shape
            nothing = LabelMatrix(csr_array(shape, dtype=np.uint8))
            yield replace(rows, labels=unknown_where(nothing, np.ones(shape, bool)))

    return replace(source, chunks=chunks, labelled=True)


def with_labels(source: Source, labels: Sequence[str] | None, missing: MissingLabels) -> Source:
    """Return the source with all of the labels given, absent or unknown in all rows where it lacks them."""
    if labels is None or tuple(labels) == source.labels:
        return source
    return aligned(replace(source, labels=tuple(labels), description="the labels given"), source, missing)


def aligned(first: Source, other: Source, missing: MissingLabels) -> Source:
    """Return ``other`` with the labels and features of ``first``, in its order.

    Args:
        first: the file whose columns count.
        other: another file of the same data set.
        missing: what ``other`` means where it lacks labels.

    Raises:
        DataError: naming what is missing, what is too much, and the option that helps.
    """
    labels = places_of(first.labels, other.labels)
    lacking = [name for name, place in zip(first.labels, labels, strict=True) if place < 0]
    surplus = sorted(set(other.labels) - set(first.labels))
    if surplus:
        hint = did_you_mean(surplus[0], lacking) if lacking else "; give the labels that count with --labels"
        raise DataError(f"{other.description}: has the labels {listed(surplus)}, {first.description} has not{hint}")
    if lacking and missing == "error":
        hint = "if no row there has them, say --missing-labels absent; if nobody knows, --missing-labels unknown"
        raise DataError(f"{other.description}: lacks the labels {listed(lacking)} of {first.description}; {hint}")
    features = _feature_places(first, other)
    notices = [f"{other.description}: lacks the labels {listed(lacking)}: {missing} in all its rows"] if lacking else []
    same = first.labels == other.labels and bool((features == np.arange(len(features))).all())
    if same:
        return other
    if not lacking:
        notices.append(f"{other.description}: its columns stand in another order; read by their names")

    def chunks() -> Iterator[Rows]:
        for rows in other.chunks():
            choose = chosen_or_unknown if lacking and missing == "unknown" else chosen_labels
            chosen = choose(rows.labels, labels)
            yield Rows(rows.features[:, features], chosen, rows.split)  # type: ignore[call-overload]

    names = (*other.notices, *notices)
    return replace(other, labels=first.labels, feature_names=first.feature_names, chunks=chunks, notices=names)


def unknown_hint(labels: Iterable[str], columns: Collection[str]) -> str:
    """Return what helps where a file has none of the labels: nobody may know them yet; nothing where it has some."""
    if any(name in columns for name in labels):
        return ""
    return "; if nobody knows the labels of these rows yet, and you want to predict them, say --missing-labels unknown"


def listed(names: Sequence[str]) -> str:
    """Return names for a message, a few of many."""
    shown = ", ".join(repr(name) for name in names[:SHOWN])
    return shown if len(names) <= SHOWN else f"{shown}, ... ({len(names)} in all)"


def places_of(wanted: Sequence[str], have: Sequence[str]) -> np.ndarray:
    """Return where each wanted name stands among those that are there, int64, -1 where it does not."""
    place = {name: index for index, name in enumerate(have)}
    return np.array([place.get(name, -1) for name in wanted], np.int64)


def _feature_places(first: Source, other: Source) -> np.ndarray:
    if first.feature_names is None or other.feature_names is None:
        if first.n_features != other.n_features:
            have = f"has {other.n_features} features, {first.description} has {first.n_features}"
            raise DataError(f"{other.description}: {have}")
        return np.arange(first.n_features)
    places = places_of(first.feature_names, other.feature_names)
    lacking = [name for name, place in zip(first.feature_names, places, strict=True) if place < 0]
    surplus = [name for name in other.feature_names if name not in set(first.feature_names)]
    if not lacking and not surplus:
        return places
    parts = [f"lacks {listed(lacking)}"] if lacking else []
    parts += [f"has {listed(surplus)} besides"] if surplus else []
    near = [name for name in surplus if lacking and name.casefold().split() == lacking[0].casefold().split()]
    hint = f"; is {near[0]!r} the same as {lacking[0]!r}? name it so in both files" if near else ""
    if surplus and not near:
        hint = "; --exclude leaves columns out of both files"
    raise DataError(
        f"{other.description}: its features differ from those of {first.description}: {' and '.join(parts)}{hint}"
    )
