"""Labels of all rows: 1, 0, unknown, or a soft value in between, with the origin of each entry; sparse.

N rows, L labels, E stored values (entries above 0), X exceptions (see ``LabelMatrix``), n rows asked for.
"""

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Literal, TypeAlias

import numpy as np
from scipy import sparse

from .errors import SelectionError
from .stored_entries import as_csr, in_order, kept_entries, origins_of_rows, pattern, stored_at

Unlisted = Literal["negative", "unknown"]


class Origin(IntEnum):
    """Where the value of an entry comes from."""

    GIVEN = 0
    """The data set says so."""
    AUDITED = 1
    """A person looked again."""
    PAST_MODEL = 2
    """A model of an earlier task said so."""
    CURRENT_MODEL = 3
    """The model that is trained said so."""


@dataclass(frozen=True)
class LabelMatrix:
    """The labels of N rows. Complete 0/1 labels are the plain case: values of 1, no exceptions, nothing more.

    An entry above 0 is stored in ``values``. Of all others ``unlisted`` says what they are, but for the exceptions:
    with ``unlisted="negative"`` these are the unknown entries (some cells are empty); with ``"unknown"`` they are the
    negatives that somebody has verified (each row names a few of its labels). No entry is in both matrices.

    Attributes:
        values: CSR (N, L), sorted; uint8 ones for hard labels, float32 in (0, 1] for soft ones.
        exceptions: CSR bool (N, L), sorted, all True; None when there are none.
        unlisted: what an entry is that neither matrix stores.
        value_origins: uint8 (E,), an ``Origin`` for each stored value; None when all are ``GIVEN``.
        exception_origins: uint8 (X,), likewise for the exceptions.
        verified: CSR bool (N, L), sorted, all True, zeros that a person has looked at again; None when there are none.
            Only with ``unlisted="negative"``: with ``"unknown"`` they are exceptions whose origin is ``AUDITED``.
    """

    values: sparse.csr_array
    exceptions: sparse.csr_array | None = None
    unlisted: Unlisted = "negative"
    value_origins: np.ndarray | None = None
    exception_origins: np.ndarray | None = None
    verified: sparse.csr_array | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(N, L)."""
        return int(self.values.shape[0]), int(self.values.shape[1])

    @property
    def is_complete(self) -> bool:
        """Whether no entry is unknown."""
        return self.unlisted == "negative" and self.exceptions is None

    @property
    def is_hard(self) -> bool:
        """Whether every known entry is 0 or 1."""
        return self.values.dtype == np.uint8

    @property
    def positives(self) -> sparse.csr_array:
        """Entries of at least 0.5, CSR of uint8 ones (N, L); for hard labels ``values`` itself."""
        return self.values if self.is_hard else pattern(self.values, self.values.data >= 0.5, np.uint8)

    @property
    def negatives(self) -> sparse.csr_array | None:
        """The verified negatives, CSR bool (N, L); None where every entry that is not stored is one."""
        if self.unlisted == "negative":
            return None
        return self.exceptions if self.exceptions is not None else sparse.csr_array(self.shape, dtype=bool)

    def known_counts(self) -> np.ndarray:
        """Return in how many rows each label is known, int64 (L,)."""
        listed = np.zeros(self.shape[1], np.int64)
        if self.exceptions is not None:
            listed = np.bincount(self.exceptions.indices, minlength=self.shape[1])
        if self.unlisted == "negative":
            return self.shape[0] - listed
        return np.bincount(self.values.indices, minlength=self.shape[1]) + listed

    def known_per_row(self) -> np.ndarray:
        """Return how many labels of each row are known, int64 (N,)."""
        listed = 0 if self.exceptions is None else np.diff(self.exceptions.indptr).astype(np.int64)
        if self.unlisted == "negative":
            return np.full(self.shape[0], self.shape[1], np.int64) - listed
        return np.diff(self.values.indptr).astype(np.int64) + listed

    def positive_counts(self) -> np.ndarray:
        """Return in how many rows each label is positive, int64 (L,)."""
        return np.bincount(self.positives.indices, minlength=self.shape[1])

    def positive_shares(self) -> np.ndarray:
        """Return the share of positives among the rows where each label is known, float64 (L,); 0 where it never is."""
        return self.positive_counts() / np.maximum(self.known_counts(), 1)

    def known(self, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Return which entries of some rows are known, bool (n, L)."""
        exceptions = self.exceptions[rows].toarray() if self.exceptions is not None else None
        if self.unlisted == "negative":
            return ~exceptions if exceptions is not None else np.ones(self.values[rows].shape, bool)
        known = self.values[rows].toarray() > 0
        return known if exceptions is None else known | exceptions

    def dense(self, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Return the values of some rows, float32 (n, L), NaN where unknown: whoever forgets a mask will notice."""
        result = self.values[rows].toarray().astype(np.float32)
        if not self.is_complete:
            result[~self.known(rows)] = np.nan
        return result

    def known_with(self, left: sparse.csr_array, lines: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Return how much weight some lines of ``left`` put on rows where some labels are known, float64 (e,).

        With the transposed positives for ``left`` it counts the rows with label ``lines[i]`` where ``labels[i]`` is
        known. Cost: one or two sparse products.

        Args:
            left: (m, N), any number type.
            lines: int (e,), 0..m-1.
            labels: int (e,), one for each line.
        """
        left = sparse.csr_array(left, dtype=np.float64)
        listed = np.zeros(len(lines))
        if self.exceptions is not None:
            listed = stored_at(left @ self.exceptions.astype(np.float64), lines, labels)
        if self.unlisted == "negative":
            return np.asarray(left.sum(axis=1)).reshape(-1)[lines] - listed
        ones = sparse.csr_array((np.ones(self.values.nnz), self.values.indices, self.values.indptr), shape=self.shape)
        return stored_at(left @ ones, lines, labels) + listed

    def take(self, rows: np.ndarray | slice) -> "LabelMatrix":
        """Return some rows, in the order asked for."""
        exceptions = None if self.exceptions is None else in_order(self.exceptions[rows])
        return LabelMatrix(
            in_order(self.values[rows]),
            exceptions,
            self.unlisted,
            origins_of_rows(self.values, self.value_origins, rows),
            None if self.exceptions is None else origins_of_rows(self.exceptions, self.exception_origins, rows),
            None if self.verified is None else in_order(self.verified[rows]),
        )

    def without(self, stored: np.ndarray) -> "LabelMatrix":
        """Return the same without some of the stored values, bool (E,): they become what is not listed."""
        origins = None if self.value_origins is None else self.value_origins[~stored]
        return replace(self, values=kept_entries(self.values, ~stored), value_origins=origins)

    def assumed_negative(self) -> "LabelMatrix":
        """Return the same with every unknown entry taken for a 0."""
        return LabelMatrix(self.values, value_origins=self.value_origins, verified=self.verified)

    @property
    def is_as_given(self) -> bool:
        """Whether every entry is what the data set says: nobody and nothing has decided one."""
        return self.value_origins is None and self.exception_origins is None and self.verified is None

    def audited(self) -> np.ndarray:
        """Return which entries a person has looked at again, bool (N, L)."""
        found = np.zeros(self.shape, bool) if self.verified is None else self.verified.toarray()
        for matrix, origins in ((self.values, self.value_origins), (self.exceptions, self.exception_origins)):
            if matrix is not None and origins is not None:
                found |= pattern(matrix, origins == Origin.AUDITED, bool).toarray()
        return found

    def origin(self, row: int, label: int) -> Origin | None:
        """Return the origin of one entry; None for an unknown one."""
        for matrix, origins in ((self.values, self.value_origins), (self.exceptions, self.exception_origins)):
            if matrix is None:
                continue
            start, stop = matrix.indptr[row : row + 2]
            at = start + np.searchsorted(matrix.indices[start:stop], label)
            if at < stop and matrix.indices[at] == label:
                known = matrix is self.values or self.unlisted == "unknown"
                return Origin(0 if origins is None else int(origins[at])) if known else None
        if self.unlisted == "unknown":
            return None
        return Origin.AUDITED if self.verified is not None and self.verified[row, label] else Origin.GIVEN

    @classmethod
    def of(cls, labels: "Labels") -> "LabelMatrix":
        """Return labels as a checked matrix; the input is never changed.

        Args:
            labels: (N, L) dense array or scipy sparse matrix of any number type, values 0..1; NaN (in a sparse matrix:
                a stored NaN) is an unknown entry. Or a ``LabelMatrix``.

        Raises:
            SelectionError: if it is not a non-empty 2-D matrix of numbers, or an entry is outside 0..1 (the message
                names the first such row and label).
        """
        if isinstance(labels, LabelMatrix):
            return labels
        matrix = as_csr(labels)
        wrong = ~((matrix.data >= 0) & (matrix.data <= 1) | np.isnan(matrix.data))
        if wrong.any():
            entry = int(wrong.argmax())
            row = int(np.searchsorted(matrix.indptr, entry, side="right")) - 1
            raise SelectionError(
                f"labels must be 0 or 1 (or a soft value in between, or NaN for unknown), got {matrix.data[entry]} "
                f"in row {row}, label {int(matrix.indices[entry])} (counted from 0)"
            )
        unknown = np.isnan(matrix.data)
        exceptions = pattern(matrix, unknown, bool) if unknown.any() else None
        above = matrix.data > 0
        if (matrix.data[above] == 1).all():
            return cls(pattern(matrix, above, np.uint8), exceptions)
        return cls(kept_entries(matrix, above).astype(np.float32), exceptions)


Labels: TypeAlias = np.ndarray | sparse.spmatrix | sparse.sparray | LabelMatrix
"""What methods take as labels: (N, L) dense or scipy sparse, 0..1 with NaN for unknown, or a ``LabelMatrix``."""
