"""How well every label is predicted: the largest F1 that a threshold of its own reaches.

N rows, L labels, J labels at a time.
"""

import numpy as np

from ..common.label_matrix import LabelMatrix

_BLOCK_ENTRIES = 1 << 22


def largest_f1(predictions: np.ndarray, labels: LabelMatrix, seen: np.ndarray) -> np.ndarray:
    """Return max over thresholds t of F1(y_j, p_j >= t) of every label, float64 (L,); NaN without a positive.

    F1 = 2 TP / (predicted + positives), over the rows that were seen and where the label is known. A threshold keeps
    rows of equal predictions together. Cost: O(N log N) a label, some labels at a time.

    Args:
        predictions: float32 (N, L), in 0..1.
        labels: (N, L).
        seen: bool (N,), rows with a prediction.
    """
    n_rows, n_labels = predictions.shape
    rows, width = np.flatnonzero(seen), max(1, _BLOCK_ENTRIES // max(n_rows, 1))
    found = np.full(n_labels, np.nan)
    positives = labels.positives.tocsc()
    exceptions = None if labels.is_complete else labels
    for start in range(0, n_labels, width):
        some = slice(start, start + width)
        known = np.ones((len(rows), 1), bool) if exceptions is None else exceptions.known(rows)[:, some]
        found[some] = _of_block(predictions[rows, some], positives[:, some].toarray()[rows] > 0, known)
    return found


def _of_block(predictions: np.ndarray, positive: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return the largest F1 of J labels, float64 (J,); all arrays are (rows seen, J), ``known`` may be (.., 1)."""
    if not len(predictions):
        return np.full(positive.shape[1], np.nan)
    known = np.broadcast_to(known, positive.shape)
    order = np.argsort(-np.where(known, predictions, -1.0), axis=0, kind="stable")  # unknown entries come last
    ranked = np.take_along_axis(predictions, order, 0)
    counted = np.take_along_axis(known, order, 0)
    hits = np.cumsum(np.take_along_axis(positive & known, order, 0), axis=0)
    last = np.ones(ranked.shape, bool)  # of the rows with the same prediction
    last[:-1] = (ranked[:-1] != ranked[1:]) | ~counted[1:]
    predicted, total = np.cumsum(counted, axis=0), hits[-1]
    f1 = np.divide(2.0 * hits, predicted + total, out=np.zeros(hits.shape), where=last & counted)
    return np.where(total > 0, f1.max(axis=0), np.nan)
