"""The finished pieces of a preparation: where they collect, and what becomes of them at the end."""

import json
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path

from ...common.errors import DataError
from ...common.storage.any_path import without_link
from ...common.storage.json_files import as_json
from ...common.storage.locations import Location
from ...common.storage.partial_work import LOCK, PLAN, WORK, claimed, partial_path
from ...common.storage.whole_files import remove_temporaries
from ..leftovers import settle
from ..manifest import Manifest
from ..staging import check_replaceable, put_in_place
from ..uploading import drop_manifest, remove_others, require_free
from .pieces import Finished


class Partial(ABC):
    """Finished pieces of one preparation: their files, and one small JSON file each that says they are whole.

    Attributes:
        records: folder of the JSON files.
        shards: folder of the files.
    """

    def __init__(self, records: Location, shards: Location) -> None:
        self.records, self.shards = records, shards

    def finished(self) -> dict[int, Finished]:
        """Return the finished pieces by their numbers; what is damaged counts as not finished."""
        found = {}
        for name in self.records.glob("piece-*.json"):
            with suppress(DataError, ValueError, KeyError, TypeError):
                piece = Finished.from_plain(json.loads((self.records / name).read()))
                if self._is_whole(piece):
                    found[piece.number] = piece
        return found

    def _is_whole(self, piece: Finished) -> bool:
        if piece.shard is None:
            return True
        assert piece.shard.packed is not None
        same_size = (self.shards / piece.shard.packed.file).info().size == piece.shard.packed.size
        return same_size and (self.shards / piece.shard.file).is_file()

    @abstractmethod
    def complete(self, manifest: Manifest, overwrite: bool) -> None:
        """Make the data set of the pieces, and remove what only the preparation needed."""


class PartialFolder(Partial):
    """Pieces in a folder beside the target, which becomes the target."""

    def __init__(self, target: Path) -> None:
        self.target, self.folder = target, Path(partial_path(target))
        super().__init__(Location.of(self.folder), Location.of(self.folder))

    def complete(self, manifest: Manifest, overwrite: bool) -> None:
        """Write the manifest, move all to the target, and remove what only the preparation needed."""
        for path in self.folder.glob(f"{WORK}*"):
            shutil.rmtree(path, ignore_errors=True)
        manifest.save()
        check_replaceable(self.target, overwrite)
        put_in_place(self.folder, self.target)
        for path in [*self.target.glob("piece-*.json"), self.target / PLAN, self.target / LOCK]:
            path.unlink(missing_ok=True)
        remove_temporaries(self.target)


class PartialBucket(Partial):
    """Pieces in a bucket: shards go to their places at once, where they are no data set without a manifest."""

    def __init__(self, target: Location) -> None:
        super().__init__(target.parent / f"{target.name}.partial", target)

    def complete(self, manifest: Manifest, overwrite: bool) -> None:
        """As in ``Partial``; a data set appears with its manifest."""
        replace(manifest, folder=self.shards).save()
        remove_others(manifest, self.shards)
        for name in self.records.files():  # all but the lock, which keeps others away until the end
            (self.records / name).delete()


def save_finished(folder: Location, piece: Finished) -> None:
    """Say that a piece is whole; called by its task when its files are in place."""
    (folder / f"piece-{piece.number:05d}.json").write(as_json(asdict(piece)).encode())


@contextmanager
def partial_pieces(target: Location, fingerprint: str, *, overwrite: bool) -> Iterator[Partial]:
    """Open the place of finished pieces, or start one; nobody else can meanwhile.

    Args:
        target: where the data set goes.
        fingerprint: of the options and the listing; finished pieces of another one are of no use.
        overwrite: remove such pieces, and replace a data set at the target.

    Raises:
        DataError: when the target exists, another process prepares it, or pieces of another preparation are there.
        RunError: when another process prepares it in a bucket.
    """
    if not target.is_local:
        bucket = PartialBucket(target)
        require_free(target, overwrite)
        with claimed(bucket.records, fingerprint, what="preparation", overwrite=overwrite):
            require_free(target, overwrite)  # which another process may have made meanwhile
            drop_manifest(target)
            yield bucket
        bucket.records.delete()  # the mark of an empty folder that some services keep
        return
    path = without_link(Path(target.as_given))
    settle(path)
    check_replaceable(path, overwrite)
    partial = PartialFolder(path)
    with claimed(partial.folder, fingerprint, what="preparation", overwrite=overwrite):
        yield partial
