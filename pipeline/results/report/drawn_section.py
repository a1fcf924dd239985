"""The part of a run's report that shows the rows drawn most and least: photographs, or lines of a table."""

from collections.abc import Sequence

import numpy as np
import torch

from ...common.errors import DataError, RunError
from ...data.blocks import BlockReader
from ...feeds.images.decode import Encoded
from ...feeds.shard_rows import ShardRows
from ...runs.trained_model import TrainedModel
from ...runs.trained_run import TrainedRun
from .drawn_rows import DrawnRow, most_and_least_drawn
from .markup import Html, element, joined
from .page import Section, left_out, prose, subheading, table
from .run_source import RunSource
from .thumbnails import thumbnail
from .wording import fixed, short

_COUNT = 12


def drawn_section(source: RunSource) -> Section | None:
    """Return the rows drawn most and least with their labels and scores; None without known labels."""
    if source.data is None:
        return None
    try:
        most, least = most_and_least_drawn(source, _COUNT)
        reader = ShardRows(source.manifest()).open()
        predicted = _predictions(source, reader, np.array([row.row for row in (*most, *least)], np.int64))
        parts = {"Drawn most": (most, predicted[: len(most)]), "Drawn least": (least, predicted[len(most) :])}
        shown = [
            part for name, rows in parts.items() for part in (subheading(name), _shown(source, reader, name, *rows))
        ]
    except (DataError, RunError) as error:
        return Section("rows", "Rows drawn most and least", left_out("The rows", f"{error}."))
    told = prose(
        "Draws in the whole run, and the method's scores at its newest checkpoint; of rows drawn equally often some "
        f"from everywhere. {'After a label: its predicted probability.' if source.result else ''}"
    )
    return Section("rows", "Rows drawn most and least", joined(told, *shown))


def _shown(source: RunSource, reader: BlockReader, name: str, rows: Sequence[DrawnRow], predicted: np.ndarray) -> Html:
    """Return a gallery of images, or a table."""
    labels = [_labels(source, row, predicted[k] if len(predicted) else None) for k, row in enumerate(rows)]
    if reader.manifest.kind != "image":
        scores = tuple(rows[0].scores)
        lines = [
            (str(row.row), str(row.draws), text, *(short(row.scores[name]) for name in scores))
            for row, text in zip(rows, labels, strict=True)
        ]
        return table(name, ("row", "draws", "labels", *scores), lines, words=(2,))
    images = reader.gather(np.array([row.row for row in rows], np.int64)).images or []
    return element("div", *map(_card, rows, labels, images), class_="gallery")


def _predictions(source: RunSource, reader: BlockReader, ids: np.ndarray) -> np.ndarray:
    """Return the best weights' probabilities, float32 (n, L); none while the run is not finished."""
    if source.result is None:
        return np.zeros((0, 0), np.float32)
    model = TrainedModel(TrainedRun.open(source.folder.path), torch.device("cpu"))
    return torch.cat([predicted.probabilities for predicted in model.predict(reader, ids)]).numpy()


def _labels(source: RunSource, row: DrawnRow, predicted: np.ndarray | None) -> str:
    names = [source.labels[j] for j in row.relevant]
    if predicted is not None:
        names = [f"{name} {fixed(predicted[j], 2)}" for name, j in zip(names, row.relevant, strict=True)]
    names = names or ["no label" if not row.unknown else "no label known"]
    return ", ".join([*names, *([f"{row.unknown} unknown"] if row.unknown else [])])


def _card(row: DrawnRow, labels: str, encoded: Encoded) -> Html:
    scores = "; ".join(f"{name} {short(value)}" for name, value in row.scores.items())
    told = [
        element("strong", f"row {row.row}: {row.draws} draws"),
        element("span", labels),
        element("span", scores, class_="remark"),
    ]
    return element("figure", thumbnail(encoded, f"row {row.row}"), element("figcaption", *told))
