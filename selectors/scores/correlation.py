"""Label correlations from the relevant entries alone: pairs of labels of the same row.

N rows, L labels, E relevant entries (CSR order), c labels of a row, C pairs of labels that have a number. Costs follow
N c^2, never N L^2.
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from scipy import sparse

from ..common.labels import entry_positions
from .label_pairs import LabelPairs
from .row_blocks import RowBlock, entry_places, row_blocks

Number = TypeVar("Number", int, np.ndarray)
_EPS = 1e-8
_ALWAYS_KEPT = 1 << 24
_PAIRS_AT_ONCE = 1 << 17  # so that what is made of them stays in a cache


@dataclass(frozen=True)
class RelevantEntries:
    """The fixed pattern of a label matrix, read row by row and label by label.

    Attributes:
        labels: CSR (N, L).
        positions: int64 (E,), place of each entry in a C-ordered (N, L) array.
    """

    labels: sparse.csr_array
    positions: np.ndarray

    @classmethod
    def of(cls, labels: sparse.csr_array) -> "RelevantEntries":
        """Read the pattern of a label matrix. Cost O(E), once."""
        return cls(labels, entry_positions(labels))


def label_peaks(values: np.ndarray, entries: RelevantEntries) -> np.ndarray:
    """Return the largest values of each label, float64 (2, L), 0 for a label without positives.

    Args:
        values: float32 (E, 2), not negative.
        entries: the relevant entries.
    """
    peaks = np.zeros((2, entries.labels.shape[1]), values.dtype)
    for peak, branch in zip(peaks, values.T, strict=True):
        np.maximum.at(peak, entries.labels.indices, branch)
    return peaks.astype(np.float64)


class PairProducts:
    """The fixed pattern of pairs of labels of one row, and sums of their products over rows.

    Pairs are kept (2 to 4 bytes each) while they are few against the history, and listed anew each time otherwise.

    Args:
        entries: the relevant entries.
        pairs: of labels, at least those that meet in one of the rows.
    """

    def __init__(self, entries: RelevantEntries, pairs: LabelPairs) -> None:
        self._entries, self._pairs = entries, pairs
        count = np.diff(entries.labels.indptr).astype(np.int64)
        self._blocks = row_blocks([count], _pairs, _PAIRS_AT_ONCE)
        kept = worth_keeping(_pairs(count), entries.labels.shape)
        self._kept = [self._listed(block) for block in self._blocks] if kept else None

    def __call__(self, values: np.ndarray, peaks: np.ndarray, n_rows: int) -> np.ndarray:
        """Return the products of every two labels' columns, summed over rows, exactly. Cost O(N c^2).

        Columns are scaled by powers of two and rounded to integers (which no cosine notices beyond 2^-19 for a
        million rows), so that the sum is exact and the parts of several row ranges simply add up.

        Args:
            values: float32 (E, 2), not negative, both branches of each relevant entry.
            peaks: float64 (2, L), largest values of each label over ALL rows.
            n_rows: number of ALL rows.

        Returns:
            int64 (2, C), symmetric; only the scale of the columns differs from the real products.
        """
        bits = (62 - int(n_rows).bit_length()) // 2 - np.frexp(peaks)[1]
        scales = np.ldexp(np.float32(1), np.minimum(bits, 126)).T  # a float32's exponent ends there
        packed, packed_scales = (np.ascontiguousarray(pairs).view(np.int64)[:, 0] for pairs in (values, scales))
        products = np.zeros((2, self._pairs.size + 1), np.int64)  # the last cell for pairs that do not exist
        for number, block in enumerate(self._blocks):
            places, own, cells = self._kept[number] if self._kept is not None else self._listed(block)
            scaled = packed.take(places, mode="clip").view(np.float32)
            scaled *= packed_scales.take(own, mode="clip").view(np.float32)
            whole = np.rint(scaled, out=scaled).astype(np.int64).reshape(*places.shape, 2)
            at = cells.astype(np.intp)
            for branch in range(2):
                np.add.at(products[branch], at, _pair_products(whole[..., branch]))
        return self._pairs.symmetric(products[:, :-1])

    def _listed(self, block: RowBlock) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the places of the rows' entries (c, n), their labels, and each pair's cell."""
        labels, size = self._entries.labels, self._pairs.size
        places, held = entry_places(labels, block.rows, *block.widths)
        own = labels.indices.take(places)
        left, right = np.triu_indices(len(places))
        cells = np.where(held[right], self._pairs.places(own[left], own[right]), size)
        narrow = [np.min_scalar_type(most) for most in (labels.nnz, labels.shape[1], size)]
        return places.astype(narrow[0]), own.astype(narrow[1]), cells.reshape(-1).astype(narrow[2])


def _pairs(count: Number) -> Number:
    """Return how many pairs so many labels form, each with itself and the later ones: half a symmetric matrix."""
    return count * (count + 1) // 2


def _pair_products(values: np.ndarray) -> np.ndarray:
    """Return the products of values (c, n) for every pair of lines, itself included, flat."""
    products, start = np.empty((_pairs(len(values)), values.shape[1]), values.dtype), 0
    for line in range(len(values)):
        stop = start + len(values) - line
        np.multiply(values[line], values[line:], out=products[start:stop])
        start = stop
    return products.reshape(-1)


def worth_keeping(sizes: np.ndarray, shape: tuple[int, int]) -> bool:
    """Tell whether a pattern of ``sizes.sum()`` pairs is small, at all or beside a history of (N, L) entries."""
    return int(sizes.sum(dtype=np.int64)) <= max(_ALWAYS_KEPT, 2 * shape[0] * shape[1])


def correlations(products: np.ndarray, pairs: LabelPairs) -> np.ndarray:
    """Return cosines between columns, each row divided by its sum, float64 (C,); diagonal kept.

    A label without positives has zeros only. Source: D2ACE [released].

    Args:
        products: int64 (C,), of every two labels' columns.
        pairs: which labels these are.
    """
    cosine, labels = products.astype(np.float64), np.arange(pairs.n_labels)
    norm = np.sqrt(pairs.at(cosine, labels, labels))
    inverse = np.divide(1.0, norm, out=np.zeros_like(norm), where=norm > 0)
    cosine *= inverse.take(pairs.left)
    cosine *= inverse.take(pairs.right)
    return cosine / (pairs.row_sums(cosine) + _EPS).take(pairs.left)
