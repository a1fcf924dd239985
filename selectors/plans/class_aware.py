"""Laws over rows that begin with a label: first a label, by weights, then a row that has it.

N rows, L labels.
"""

import numpy as np

from ..common.label_matrix import LabelMatrix
from .systematic import capped


def rows_by_label(labels: LabelMatrix, weights: np.ndarray) -> np.ndarray:
    """Return R_i = sum_j q_j y_ij / n_j, float64 (N,): a label by its weight, then any of its n_j positive rows.

    Args:
        labels: (N, L); an unknown entry is no positive.
        weights: float64 (L,), 0 or more, not all 0 among the labels with a positive row; q_j is the share of label j.
    """
    count = labels.positive_counts()
    wanted = np.where(count > 0, weights, 0.0)
    each = np.divide(wanted / wanted.sum(), count, out=np.zeros(len(count)), where=count > 0)
    return np.asarray(labels.positives @ each)


def mixed_with_uniform(law: np.ndarray, share: float, most: int) -> np.ndarray:
    """Return (1 - share) / N + share P_i, no row above ``most`` draws in an epoch of N, float64 (N,), sum 1.

    What a row has too much goes to the others in proportion to what they have.

    Args:
        law: P, float64 (N,), sum 1.
        share: of the law, below 1.
        most: draws of a row, at least 1.
    """
    n_rows = len(law)
    draws = capped((1 - share) + share * n_rows * law, most)
    return draws / draws.sum()
