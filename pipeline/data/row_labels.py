"""The labels of one row, and a label matrix put together from rows that come one by one."""

from array import array
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from ...selectors.common.label_matrix import LabelMatrix, Origin, Unlisted
from ...selectors.common.stored_entries import listed_entries


class RowLabels(NamedTuple):
    """What a ``LabelMatrix`` holds of one row, places ascending where it is stored.

    Attributes:
        places: of the entries above 0.
        values: of these entries, in (0, 1]; None when all are 1.
        listed: places of the exceptions.
        origins: of the entries above 0, an ``Origin`` each; None when all are ``GIVEN``.
        listed_origins: of the exceptions, likewise.
        verified: places of the zeros that a person has looked at again.
    """

    places: Sequence[int] | np.ndarray
    values: Sequence[float] | np.ndarray | None = None
    listed: Sequence[int] | np.ndarray = ()
    origins: Sequence[int] | np.ndarray | None = None
    listed_origins: Sequence[int] | np.ndarray | None = None
    verified: Sequence[int] | np.ndarray = ()

    def renumbered(self, numbers: Sequence[int]) -> "RowLabels":
        """Return it with other numbers for its labels; ``numbers[j]`` is that of label j."""
        kinds = (self.places, self.listed, self.verified)
        places, listed, verified = ([numbers[place] for place in some] for some in kinds)
        return self._replace(places=places, listed=listed, verified=verified)


def each_row(labels: LabelMatrix) -> Iterator[RowLabels]:
    """Yield the labels of each row, as views."""
    values, exceptions, verified = labels.values, labels.exceptions, labels.verified
    for row in range(labels.shape[0]):
        here = slice(values.indptr[row], values.indptr[row + 1])
        listed = slice(0, 0) if exceptions is None else slice(exceptions.indptr[row], exceptions.indptr[row + 1])
        yield RowLabels(
            values.indices[here],
            None if labels.is_hard else values.data[here],
            () if exceptions is None else exceptions.indices[listed],
            None if labels.value_origins is None else labels.value_origins[here],
            None if labels.exception_origins is None else labels.exception_origins[listed],
            () if verified is None else verified.indices[verified.indptr[row] : verified.indptr[row + 1]],
        )


class LabelRows:
    """Collects rows; memory some 10 bytes an entry."""

    def __init__(self) -> None:
        self._places, self._ends, self._values, self._origins = array("i"), array("q", [0]), array("f"), array("B")
        self._listed, self._listed_ends, self._listed_origins = array("i"), array("q", [0]), array("B")
        self._verified, self._verified_ends = array("i"), array("q", [0])

    def add(self, row: RowLabels) -> None:
        """Append a row."""
        n, listed = len(row.places), len(row.listed)
        self._places.extend(row.places)
        self._listed.extend(row.listed)
        self._verified.extend(row.verified)
        self._values.extend([1.0] * n if row.values is None else row.values)
        self._origins.extend([Origin.GIVEN] * n if row.origins is None else row.origins)
        self._listed_origins.extend([Origin.GIVEN] * listed if row.listed_origins is None else row.listed_origins)
        self._ends.append(len(self._places))
        self._listed_ends.append(len(self._listed))
        self._verified_ends.append(len(self._verified))

    def matrix(self, n_labels: int, unlisted: Unlisted) -> LabelMatrix:
        """Return all rows so far."""
        shape, values = (len(self._ends) - 1, n_labels), np.array(self._values, np.float32)
        hard = bool((values == 1).all())
        origins, listed_origins = np.array(self._origins, np.uint8), np.array(self._listed_origins, np.uint8)
        exceptions, verified = (
            listed_entries(np.array(places, np.int32), np.array(ends), shape)
            for places, ends in ((self._listed, self._listed_ends), (self._verified, self._verified_ends))
        )
        stored = values.astype(np.uint8) if hard else values, np.array(self._places, np.int32), np.array(self._ends)
        return LabelMatrix(
            csr_array(stored, shape=shape),
            exceptions,
            unlisted,
            origins if origins.any() else None,
            listed_origins if listed_origins.any() else None,
            verified,
        )
