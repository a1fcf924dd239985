"""What a new table says of its rows' labels, in the run's labels and their order.

n rows   L labels of the run
"""

from collections.abc import Iterator
from dataclasses import replace

from ...data.from_tables.alignment import listed, places_of
from ...data.from_tables.source import Source
from ...data.label_choice import chosen_or_unknown, nothing_known
from ...data.label_reading import LabelReading
from ...data.rows import Rows

READING = LabelReading(("", "nan", "?"), soft=True)
"""How cells of labels are read: rows to predict often are a template whose labels nobody has filled in."""


def with_labels_of_run(source: Source, labels: tuple[str, ...]) -> Source:
    """Return a source with the run's labels, found by their names.

    Those that it lacks are unknown in all its rows; what the run does not know is left out. Both are told.

    Args:
        source: of rows whose own labels are called as they like.
        labels: names of the L labels of the run.
    """
    if source.labels == labels:
        return source
    places = places_of(labels, source.labels)

    def chunks() -> Iterator[Rows]:
        for rows in source.chunks():
            chosen = (
                chosen_or_unknown(rows.labels, places) if source.labelled else nothing_known(len(rows), len(labels))
            )
            yield replace(rows, labels=chosen)

    notices = (*source.notices, *_told(source, labels))
    return replace(source, labels=labels, chunks=chunks, notices=notices)


def _told(source: Source, labels: tuple[str, ...]) -> Iterator[str]:
    """Yield the sentences on labels that only one of the two knows; of rows without any the reader has told."""
    surplus = [name for name in source.labels if name not in set(labels)]
    lacking = [name for name in labels if name not in set(source.labels)]
    if surplus and source.labelled:
        yield f"{source.description}: the run does not know the labels {listed(surplus)}; left out"
    if lacking and source.labelled:
        yield f"{source.description}: lacks the labels {listed(lacking)}: unknown in all its rows"
