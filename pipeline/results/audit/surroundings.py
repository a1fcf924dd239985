"""What a person can see of a row without the network: its neighbours' labels, and the features in which it stands out.

N training rows, d features, n rows asked for.
"""

from pathlib import Path

import numpy as np

from ....selectors.common.label_matrix import LabelMatrix
from ....selectors.neighbours.search import neighbours_of
from ...common.storage.any_path import fetched
from ...common.storage.reading import reading
from ...data.shards import read_features
from ...feeds.inputs import make_inputs
from ...feeds.neighbour_features import selection_features
from ...feeds.shard_rows import ShardRows
from ...training.selector_setup import features_from_file
from ..replay import SelectionOfRun

NEIGHBOURS = 10
_STRONGEST = 5


def scaled_features(known: SelectionOfRun) -> np.ndarray | None:
    """Return the features of the training rows as a network sees them, float32 (N, d); None for images."""
    if known.manifest.kind == "image":
        return None
    inputs = make_inputs(known.config, known.manifest, known.data.scaler)
    return selection_features(ShardRows(known.manifest), inputs, known.rows.row_ids)


def neighbour_features(known: SelectionOfRun, scaled: np.ndarray | None) -> np.ndarray | None:
    """Return what neighbours of the training rows are looked for in, float (N, e); None where there is nothing.

    Args:
        known: the run; its embeddings or its own file come first where it had one.
        scaled: its scaled features (N, d), of a table.
    """
    embeddings, wanted = known.folder.selection.embeddings, known.config.selector.neighbour_features
    if embeddings.is_file():
        with reading(embeddings), fetched(embeddings) as file:
            return np.load(file, allow_pickle=False)
    if wanted not in ("inputs", "embeddings"):
        return features_from_file(Path(wanted), known.manifest.rows)[known.rows.row_ids]
    return scaled


def neighbours_with_label(
    features: np.ndarray, labels: LabelMatrix, positions: np.ndarray, wanted: np.ndarray
) -> np.ndarray:
    """Return how many of the ``NEIGHBOURS`` nearest training rows have the label, int64 (n,).

    Args:
        features: (N, e).
        labels: of the training rows.
        positions: int64 (n,), rows of the entries, among the training rows.
        wanted: int64 (n,), labels of the entries.
    """
    rows, line = np.unique(positions, return_inverse=True)
    nearest = neighbours_of(features, rows, NEIGHBOURS)
    columns, found = labels.positives.tocsc(), np.zeros(len(positions), np.int64)
    for label in np.unique(wanted).tolist():
        has, here = np.zeros(labels.shape[0], bool), np.flatnonzero(wanted == label)
        has[columns.indices[columns.indptr[label] : columns.indptr[label + 1]]] = True
        found[here] = has[nearest[line[here]]].sum(axis=1)
    return found


def strongest_features(
    known: SelectionOfRun, scaled: np.ndarray, positions: np.ndarray
) -> list[list[tuple[str, float]]]:
    """Return name and value of the features in which each row of a table is furthest from the mean, in deviations.

    Args:
        known: the run.
        scaled: its scaled features, float32 (N, d).
        positions: int64 (n,), among the training rows.
    """
    names = known.manifest.feature_names or tuple(f"feature {j}" for j in range(int(known.manifest.n_features or 0)))
    deviation = scaled.std(axis=0)
    apart = np.abs(scaled[positions] - scaled.mean(axis=0)) / np.where(deviation > 0, deviation, np.inf)
    values = read_features(known.manifest, known.rows.ids_at(positions))
    strongest = np.argsort(-apart, axis=1, kind="stable")[:, :_STRONGEST]
    return [[(names[j], float(values[row, j])) for j in mine] for row, mine in enumerate(strongest)]
