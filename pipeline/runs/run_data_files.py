"""What a run sees of its data, kept in its folder: scaler, labels, splits, what its network was built for."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

import numpy as np
from scipy import sparse

from ..common.storage.any_path import AnyPath, fetched
from ..common.storage.array_files import checked_csr, write_arrays
from ..common.storage.json_files import read_json, write_json
from ..common.storage.reading import reading
from ..data.splits import Splits
from .opening import DATA_FILE
from .run_data import RunData, seen_by_model

_CSR_PARTS = ("data", "indices", "indptr")


@dataclass(frozen=True)
class RunDataFiles:
    """``data.json`` and ``data.npz`` in the folder of a run.

    Attributes:
        path: the run's folder.
    """

    path: AnyPath

    @property
    def _about(self) -> AnyPath:
        return self.path / DATA_FILE

    @property
    def _arrays(self) -> AnyPath:
        return self.path / "data.npz"

    def save(self, data: RunData) -> None:
        """Store what turns raw rows into model inputs, what the model was built for, and the splits."""
        context = asdict(data.context)
        together = sparse.csr_array(context.pop("cooccurrence"))
        parts = {f"split_{name}": ids for name, ids in asdict(data.splits).items()}
        parts |= {f"cooccurrence_{name}": getattr(together, name) for name in _CSR_PARTS}
        write_arrays(self._arrays, parts)
        about = {
            "scaler": data.scaler.to_dict(),
            "labels": list(data.labels),
            "fingerprint": data.fingerprint,
            "context": context,
            "feature_names": data.feature_names,
        }
        write_json(self._about, about)

    def load(self) -> RunData | None:
        """Return what ``save`` stored, or None when the run never came so far."""
        if not self._about.is_file():
            return None
        about = read_json(self._about, dict)
        with (
            reading(self._arrays),
            fetched(self._arrays) as file,
            np.load(file, allow_pickle=False) as arrays,
        ):
            names = [field.name for field in fields(Splits)]
            splits = Splits(**{name: _row_ids(arrays[f"split_{name}"]) for name in names})
            together = _cooccurrence(arrays, len(about["labels"]))
        with reading(self._about):
            scaler, context = seen_by_model(about, together)
            return RunData(
                scaler,
                tuple(about["labels"]),
                about["fingerprint"],
                splits,
                context,
                None if (names := about.get("feature_names")) is None else tuple(names),
            )


def _row_ids(ids: np.ndarray) -> np.ndarray:
    """Return row ids as they are stored; raises ValueError for what are none."""
    if ids.ndim != 1 or ids.dtype.kind not in "iu" or np.any(ids < 0):
        raise ValueError(f"expected row ids, got {ids.dtype} {ids.shape}")
    return ids


def _cooccurrence(arrays: Mapping[str, np.ndarray], n_labels: int) -> sparse.csr_array:
    """Return how often labels meet, CSR (L, L), from what ``RunDataFiles.save`` stored; older runs have it dense."""
    if "cooccurrence" in arrays:
        return sparse.csr_array(arrays["cooccurrence"])
    parts = tuple(arrays[f"cooccurrence_{name}"] for name in _CSR_PARTS)
    return checked_csr(parts, (n_labels, n_labels))
