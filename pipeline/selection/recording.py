"""What a run's selection method was told, on disk, epoch by epoch, so that it can be told again.

D draws of an epoch, L labels, M batches.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...selectors.api import Plan
from ..common.errors import RunError
from ..common.storage.any_path import fetched, make_folder
from ..common.storage.array_files import write_arrays
from ..common.storage.reading import reading
from .files import SelectionFiles

HeldOut = tuple[np.ndarray, np.ndarray]
_HELD_OUT = ("held_out_probabilities", "held_out_labels")


@dataclass(frozen=True)
class Recorded:
    """One epoch: ``observations/epoch-00003.npz`` in a run folder, arrays under these names.

    Attributes:
        ids: int64 (D,), row ids of the rows fed to the model, in order.
        offsets: int64 (M + 1,); batch b is ``ids[offsets[b]:offsets[b + 1]]``.
        probabilities: float32 (D, L), predicted in the training forward pass; exactly what the method got.
        losses: float32 (D, L), likewise.
        held_out: predictions and labels of the validation rows, float32 (n, L) each (``held_out_probabilities``,
            ``held_out_labels``), in the epoch at whose end a policy was shown them; else None.
    """

    ids: np.ndarray
    offsets: np.ndarray
    probabilities: np.ndarray
    losses: np.ndarray
    held_out: HeldOut | None = None


_ARRAYS = ("ids", "offsets", "probabilities", "losses")


@dataclass
class Recorder:
    """Collects an epoch's observations in the order in which the selector gets them.

    Memory: 8 D L bytes. Checkpoints in mid-epoch carry what is collected, so a resumed run's recording is whole.

    Args:
        files: where to write.

    Attributes:
        held_out: what a policy was shown at the end of the present epoch.
    """

    files: SelectionFiles
    held_out: HeldOut | None = None
    _parts: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)

    def rewind(self, state: Mapping[str, np.ndarray]) -> None:
        """Forget what is collected, and take what ``state()`` returned; an empty state begins an epoch."""
        self._parts = [(state["probabilities"], state["losses"])] if state else []
        self.held_out = None

    def add(self, probabilities: np.ndarray, losses: np.ndarray) -> None:
        """Keep one batch, float32 (b, L) each."""
        self._parts.append((probabilities, losses))

    def state(self) -> dict[str, np.ndarray]:
        """Return what is collected of the present epoch; empty at its start."""
        return dict(zip(("probabilities", "losses"), self._whole(), strict=True)) if self._parts else {}

    def write(self, plan: Plan, ids: np.ndarray) -> None:
        """Write the finished epoch, whole or not at all, and begin the next; ``ids`` are the row ids fed."""
        path = self.files.recording(plan.epoch)
        make_folder(path.parent)
        arrays: dict[str, Any] = dict(zip(_ARRAYS, (ids, plan.offsets, *self._whole()), strict=True))
        arrays |= dict(zip(_HELD_OUT, self.held_out or (), strict=False))
        write_arrays(path, arrays)
        self.rewind({})

    def _whole(self) -> list[np.ndarray]:
        return [np.concatenate(arrays) for arrays in zip(*self._parts, strict=True)]


def read_recording(files: SelectionFiles, epoch: int) -> Recorded:
    """Return the observations of an epoch; raises RunError when the file cannot be read or is not whole."""
    path = files.recording(epoch)
    says = "the recording cannot be read"
    with reading(path, says=says), fetched(path) as file, np.load(file, allow_pickle=False) as arrays:
        found: dict[str, Any] = {name: arrays[name] for name in _ARRAYS}
        if _HELD_OUT[0] in arrays:
            found["held_out"] = tuple(arrays[name] for name in _HELD_OUT)
    recorded = Recorded(**found)
    draws, offsets = np.size(recorded.ids), recorded.offsets
    whole = all(np.shape(a)[:1] == (draws,) for a in (recorded.ids, recorded.probabilities, recorded.losses))
    if not whole or np.ndim(offsets) != 1 or offsets[:1].tolist() != [0] or offsets[-1] != draws:
        raise RunError(f"{path}: the recording is not whole: its arrays are for different numbers of rows")
    return recorded
