"""Where selection keeps things in a run folder."""

from collections.abc import Callable
from dataclasses import dataclass

from ..common.storage.any_path import AnyPath
from ..common.storage.locations import Location


@dataclass(frozen=True)
class SelectionFiles:
    """Paths of what selection writes.

    Attributes:
        folder: the run folder.
    """

    folder: AnyPath

    @property
    def orders(self) -> AnyPath:
        """Folder of the order files."""
        return self.folder / "order"

    def order(self, epoch: int) -> AnyPath:
        """File of the row ids fed to the model in an epoch."""
        return self.orders / f"epoch-{epoch:05d}.npy"

    @property
    def table(self) -> AnyPath:
        """Folder of the selection records, which Parquet readers take for one table."""
        return self.folder / "selection.parquet"

    def record(self, epoch: int) -> AnyPath:
        """File of an epoch's selection record."""
        return self.table / f"epoch-{epoch:05d}.parquet"

    @property
    def observations(self) -> AnyPath:
        """Folder of the recorded observations."""
        return self.folder / "observations"

    def recording(self, epoch: int) -> AnyPath:
        """File of what the method was told in an epoch."""
        return self.observations / f"epoch-{epoch:05d}.npz"

    @property
    def training_rows(self) -> AnyPath:
        """File of the ids of the training rows."""
        return self.folder / "training_rows.npy"

    @property
    def embeddings(self) -> AnyPath:
        """File of the embeddings in which neighbours are looked for."""
        return self.folder / "neighbour_features.npy"

    def drawn_epochs(self) -> int:
        """Return how many epochs, from 0 on without a gap, have an order file."""
        return _count(self.order)

    def recorded_epochs(self) -> int:
        """Return how many epochs, from 0 on without a gap, are recorded."""
        return _count(self.recording)


def _count(path_of: Callable[[int], AnyPath]) -> int:
    names = Location.of(path_of(0).parent).files(recursive=False)
    epoch = 0
    while path_of(epoch).name in names:
        epoch += 1
    return epoch
