"""How many positives of each label nobody named, told by held-out rows whose labels are complete.

Such rows show how many positives a label has, so what the training rows lack is a difference of two counts, and no
bound is needed. What is hidden among the training rows looks as the held-out rows' positives do. [own]

S suspects and Q positives of a label among the held-out rows; N training rows, n held-out ones, L labels.
"""

from collections.abc import Sequence

import numpy as np

from .shares import LEAST_BELIEVED, Estimate, recall_of

_ERRORS = 4.0
"""So many standard errors more labels a row, and held-out rows are taken for better labelled than training rows."""


def names_more(held_out: np.ndarray, training: np.ndarray) -> bool:
    """Return whether held-out rows name more labels than training rows, beyond chance.

    Compared are the mean positives a row, as in a two-sample z test (Welch's errors).

    Args:
        held_out: bool (n, L), positives.
        training: bool (N, L), likewise.
    """
    counts = [positives.sum(axis=1) for positives in (held_out, training)]
    if min(map(len, counts)) < LEAST_BELIEVED:
        return False
    error = float(np.sqrt(sum(count.var() / len(count) for count in counts)))
    return bool(counts[0].mean() - counts[1].mean() > _ERRORS * error)


def estimate_by_complete(
    suspects: Sequence[np.ndarray],
    believed: Sequence[np.ndarray],
    sizes: np.ndarray,
    positives: np.ndarray,
    scale: np.ndarray,
) -> Estimate:
    """Return how many suspects of the training rows are positives, label by label, and how well they can be told.

    Labels with fewer than ``LEAST_BELIEVED`` held-out positives share a ratio: so many missing for each named one.

    Args:
        suspects: of each label, how suspicious its zeros among the held-out rows look, float (S,).
        believed: of each label, how suspicious its positives look there, float (Q,).
        sizes: int (L,), suspects of each label among the training rows.
        positives: int (L,), of the training rows, at least 1.
        scale: float64 (L,), N / n, n the held-out rows where the label is known.
    """
    counts = np.array([len(marks) for marks in believed])
    few = counts < LEAST_BELIEVED
    wrong = scale * counts - positives
    wrong[few] = ((scale * counts)[few].sum() / max(positives[few].sum(), 1) - 1) * positives[few]
    wrong = np.clip(wrong, 0.0, sizes)
    missing = wrong / (positives + wrong)
    ranks = [
        _ranks(np.sort(mine), marks, share, size)
        for mine, marks, share, size in zip(suspects, believed, missing.tolist(), sizes.tolist(), strict=True)
    ]
    return Estimate(wrong, recall_of(ranks, wrong, counts), float(wrong.sum() / max(sizes.sum(), 1)), ranks)


def _ranks(zeros: np.ndarray, positives: np.ndarray, missing: float, size: int) -> np.ndarray:
    """Return how many training suspects look at least so suspicious as each held-out positive, float64 (Q,).

    Args:
        zeros: float (S,), ascending.
        positives: float (Q,).
        missing: the share of the positives that are suspects among the training rows.
        size: suspects of the training rows.
    """
    above = len(zeros) - np.searchsorted(zeros, positives)
    alike = len(positives) - np.searchsorted(np.sort(positives), positives)
    return (above + missing * alike) * (size / max(len(zeros) + missing * len(positives), 1e-12))
