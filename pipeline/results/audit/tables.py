"""The tables of an audit: a line for each suspect, and a line for each label.

n suspects, L labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...common.storage.any_path import AnyPath, make_folder, replacing
from ...data.manifest import Manifest
from ...data.packed_index import image_names
from ..replay import SelectionOfRun
from .judged import Judged
from .surroundings import NEIGHBOURS, neighbour_features, neighbours_with_label, scaled_features
from .suspects import Suspects
from .trajectories import trajectories


@dataclass(frozen=True)
class Views:
    """What the page shows of the suspects besides their lines.

    Attributes:
        positions: int64 (n,), of their rows among the training rows.
        scaled: features of the training rows, float32 (N, d); None for images.
        no_neighbours: why there are no neighbours; None where there are.
    """

    positions: np.ndarray
    scaled: np.ndarray | None
    no_neighbours: str | None


def suspect_table(known: SelectionOfRun, judged: Judged, found: Sequence[Suspects]) -> tuple[pd.DataFrame, Views]:
    """Return all suspects, one kind after the other, with the evidence.

    Columns: ``kind``, ``rank`` within the kind, ``row`` (id), ``name`` of the image where it came from, ``label``,
    ``given`` ("0", "1", "unknown", or a soft value), ``chance``, ``mean`` prediction, ``predictions`` as far as they
    are known, oldest first, ``flips`` over one half, ``last_loss``, ``neighbours_with_label``, of how many
    ``neighbours``, and ``rank_in_label``.
    """
    positions, labels = (np.concatenate([getattr(each, name) for each in found]) for name in ("positions", "labels"))
    chances, means, places = (
        np.concatenate([getattr(each, name) for each in found]) for name in ("chances", "means", "places")
    )
    rows, seen = known.rows.ids_at(positions), trajectories(known, judged.rows_state, positions, labels)
    scaled = scaled_features(known)
    features = neighbour_features(known, scaled)
    near = None if features is None else neighbours_with_label(features, judged.labels, positions, labels)
    table = pd.DataFrame(
        {
            "kind": np.repeat([each.kind for each in found], [len(each) for each in found]),
            "rank": np.concatenate([np.arange(1, len(each) + 1) for each in found]),
            "row": rows,
            "name": pd.array(row_names(known.manifest, rows), "string"),
            "label": [known.data.labels[label] for label in labels],
            "given": _given(judged, positions, labels),
            "chance": chances,
            "mean": means,
            "predictions": seen.predictions,
            "flips": pd.array(seen.flips(), "Int64"),
            "last_loss": seen.losses,
            "neighbours_with_label": pd.array([None] * len(rows) if near is None else near.tolist(), "Int64"),
            "neighbours": 0 if near is None else min(NEIGHBOURS, len(known.rows) - 1),
            "rank_in_label": places,
        }
    )
    why = None if near is not None else "images have none without selector.neighbour_features=embeddings or a file"
    return table, Views(positions, scaled, why)


def label_table(names: Sequence[str], judged: Judged, found: Sequence[Suspects], chosen: np.ndarray) -> pd.DataFrame:
    """Return a line for each kind and label.

    Columns: ``kind``, ``label``, ``positives``, ``suspects``, how many of them are ``expected`` to be missing or wrong
    at most, and how many are ``listed``.
    """
    positives = judged.labels.positive_counts()
    parts = [
        pd.DataFrame(
            {
                "kind": each.kind,
                "label": [names[j] for j in chosen],
                "positives": positives[chosen],
                "suspects": each.counts[chosen],
                "expected": each.expected[chosen],
                "listed": np.bincount(each.labels, minlength=len(names))[chosen],
            }
        )
        for each in found
    ]
    return pd.concat(parts, ignore_index=True)


def write_tables(folder: AnyPath, suspects: pd.DataFrame, labels: pd.DataFrame) -> None:
    """Write ``suspects.csv``, ``suspects.parquet`` and ``labels.csv``; in CSV predictions are separated by spaces."""
    make_folder(folder)
    plain = suspects.assign(predictions=[" ".join(f"{p:.3f}" for p in seen) for seen in suspects["predictions"]])
    for name, table in (("suspects.csv", plain), ("labels.csv", labels)):
        with replacing(folder / name) as temporary:
            table.to_csv(temporary, index=False, float_format="%.4g")
    with replacing(folder / "suspects.parquet") as temporary:
        suspects.to_parquet(temporary, index=False)


def row_names(manifest: Manifest, rows: np.ndarray) -> list[str | None]:
    """Return what the images of some rows (n,) were called where they came from; None where nobody knows."""
    names: list[str | None] = [None] * len(rows)
    bounds = manifest.first_rows()
    owners = np.searchsorted(bounds, rows, "right") - 1
    for number in np.unique(owners).tolist():
        found = image_names(manifest, number)
        if found is None:
            continue
        for place in np.flatnonzero(owners == number).tolist():
            names[place] = found[int(rows[place] - bounds[number])].as_py() or None
    return names


def _given(judged: Judged, positions: np.ndarray, labels: np.ndarray) -> list[str]:
    values = [judged.labels.dense(positions[k : k + 1])[0, label] for k, label in enumerate(labels)]
    return ["unknown" if np.isnan(value) else f"{value:.3g}" for value in values]
