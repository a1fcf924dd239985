"""NumPy ``.npz`` archives as a source: features ``X``, labels ``Y``, dense or as the parts of a CSR matrix.

Keys: ``X`` (N, d), or ``X_data``, ``X_indices``, ``X_indptr``, ``X_shape``; the same for ``Y`` (N, L) of 0 and 1.
Optional: ``label_names`` (L,), ``feature_names`` (d,), ``split`` (N,) of "", "train", "validation", "test".
Without ``Y``, and with no other key, nobody knows the labels of its rows.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from scipy.sparse import csr_array

from ....selectors.common.label_matrix import LabelMatrix
from ...common.errors import DataError, did_you_mean
from ...common.storage.any_path import AnyPath, place_of
from ...common.storage.array_files import checked_csr
from ...common.storage.reading import reading
from ..label_choice import labels_from, nothing_known
from ..label_reading import PLAIN, LabelReading
from ..manifest import SPLITS
from ..rows import Rows
from .npz_arrays import read_arrays, texts_of
from .source import CHUNK_VALUES, Source, unusable

MOST_COLUMNS = 10_000_000
"""A wrong shape would take the memory of names for a billion labels."""
CSR_PARTS = ("data", "indices", "indptr", "shape")
_WITHOUT_LABELS = {"X", *(f"X_{part}" for part in CSR_PARTS), "label_names", "feature_names", "split"}
"""Keys of an archive of rows to predict; with another one, the labels may be there under another name."""


def npz_source(
    path: "str | AnyPath", *, split: int = 0, reading: LabelReading = PLAIN, unnamed: Sequence[str] | None = None
) -> Source:
    """Read an archive into memory.

    Args:
        path: the archive.
        split: split code of its rows, where it says none.
        reading: what its labels may say beside 0 and 1.
        unnamed: what the columns of ``Y`` are where it does not name them; None for ``label0``, ``label1`` and so on.

    Raises:
        DataError: naming the key, or the row, that is wrong.
    """
    path = place_of(path)
    arrays = read_arrays(path)
    unlabelled = set(arrays) <= _WITHOUT_LABELS
    features = _matrix(arrays, "X", path)
    labels = _no_labels(arrays, features.shape[0]) if unlabelled else _matrix(arrays, "Y", path)
    if features.shape[0] != labels.shape[0]:
        raise DataError(f"{path}: X has {features.shape[0]} rows, Y has {labels.shape[0]}")
    if not all(features.shape) or not (unlabelled or all(labels.shape)):
        raise DataError(f"{path}: X is {features.shape}, Y is {labels.shape}: no size may be 0")
    for name, shape in (("X", features.shape), ("Y", labels.shape)):
        if shape[1] > MOST_COLUMNS:
            raise DataError(
                f"{path}: {name} has {shape[1]:,} columns, at most {MOST_COLUMNS:,} can be read: is its shape right?"
            )
    matrix = nothing_known(*labels.shape) if unlabelled else _labels(labels, reading, path)
    _check_finite(features, path)
    splits = _splits(arrays, features.shape[0], split, path)
    step = max(1, CHUNK_VALUES // features.shape[1])

    def chunks() -> Iterator[Rows]:
        for start in range(0, features.shape[0], step):
            here = slice(start, start + step)
            yield Rows(features[here].astype(np.float32, copy=False), matrix.take(here), splits[here])

    label_names = _names(arrays, "label_names", labels.shape[1], path)
    feature_names = _names(arrays, "feature_names", features.shape[1], path)
    kind = "dense" if isinstance(features, np.ndarray) else "sparse"
    names = label_names or _by_place(labels.shape[1], unnamed, path)
    notices = (f"{path.name}: has no Y: nobody knows the labels of its rows",) if unlabelled else ()
    about = feature_names, features.shape[1], chunks, path.name, notices, not unlabelled
    return Source(kind, names, *about)  # type: ignore[arg-type]


def _matrix(arrays: Mapping[str, np.ndarray], name: str, path: AnyPath) -> np.ndarray | csr_array:
    """Return a dense array or CSR of the numbers' own type; half precision, which scipy does not know, is widened."""
    if name in arrays:
        array = arrays[name]
        if array.ndim != 2 or array.dtype.kind not in "buif":
            raise DataError(f"{path}: {name} must be a matrix of numbers, got {array.dtype} {array.shape}")
        return array
    keys = [f"{name}_{part}" for part in CSR_PARTS]
    missing = [key for key in keys if key not in arrays]
    if missing:
        have = f"it has {sorted(arrays)}"
        raise DataError(f"{path}: needs {name}, or {', '.join(keys)} for CSR; missing {missing}; {have}")
    data, indices, indptr, shape = (arrays[key] for key in keys)
    with reading(path, DataError, says=f"{name}_* are no CSR matrix"):
        if data.dtype.kind not in "buif" or len(indices) != len(data):
            raise ValueError(f"{data.dtype} data of {np.shape(data)}, indices of {np.shape(indices)}")
        data = data.astype(np.float32) if data.dtype == np.float16 else data
        matrix = checked_csr((data, indices, indptr), tuple(int(size) for size in shape))
        matrix.sum_duplicates()
        return matrix


def _no_labels(arrays: Mapping[str, np.ndarray], rows: int) -> csr_array:
    return csr_array((rows, np.size(arrays.get("label_names", ()))))


def _labels(labels: np.ndarray | csr_array, reading: LabelReading, path: AnyPath) -> LabelMatrix:
    read, row_of = _stored(labels)
    for at in np.flatnonzero(reading.wrong(read))[:1]:
        raise DataError(f"{path}: row {row_of(at)}: a label is {read[at]}, {reading.expected(float(read[at]))}")
    values = reading.values(read)
    if isinstance(labels, np.ndarray):
        return labels_from(values.reshape(labels.shape))
    return labels_from(csr_array((values, labels.indices, labels.indptr), shape=labels.shape))


def _check_finite(features: np.ndarray | csr_array, path: AnyPath) -> None:
    values, row_of = _stored(features)
    for at in np.flatnonzero(unusable(values))[:1]:
        raise DataError(f"{path}: row {row_of(at)}: a feature is {values[at]}, expected a finite float32 number")


def _stored(matrix: np.ndarray | csr_array) -> tuple[np.ndarray, Callable[[int], int]]:
    """Return the stored values, flat, and what tells the row of a flat position."""
    if isinstance(matrix, np.ndarray):
        width = matrix.shape[1]
        return matrix.ravel(), lambda at: int(at // width)
    return matrix.data, lambda at: int(np.searchsorted(matrix.indptr, at, "right")) - 1


def _splits(arrays: Mapping[str, np.ndarray], rows: int, split: int, path: AnyPath) -> np.ndarray:
    if "split" not in arrays:
        return np.full(rows, split, np.int8)
    words = texts_of(arrays["split"], "split", path)
    if len(words) != rows:
        raise DataError(f"{path}: split must have shape ({rows},), got {arrays['split'].shape}")
    for row, word in enumerate(words):
        if word not in SPLITS:
            raise DataError(f"{path}: row {row}: split {word!r}{did_you_mean(word, SPLITS[1:])}")
    return np.array([SPLITS.index(word) for word in words], np.int8)


def _by_place(count: int, unnamed: Sequence[str] | None, path: AnyPath) -> tuple[str, ...]:
    """Return the names of labels that the archive does not name."""
    if unnamed is None or not count:
        return tuple(f"label{index}" for index in range(count))
    if len(unnamed) != count:
        hint = "add label_names to say which they are"
        raise DataError(f"{path}: Y has {count} columns, expected {len(unnamed)}: {hint}")
    return tuple(unnamed)


def _names(arrays: Mapping[str, np.ndarray], key: str, expected: int, path: AnyPath) -> tuple[str, ...] | None:
    if key not in arrays:
        return None
    names = tuple(texts_of(arrays[key], key, path))
    if len(names) != expected:
        raise DataError(f"{path}: {key} has {len(names)} names, expected {expected}")
    if len(set(names)) != len(names):
        repeated = sorted({name for name in names if names.count(name) > 1})
        raise DataError(f"{path}: duplicate names {repeated} in {key}")
    return names
