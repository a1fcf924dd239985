"""The folder of finished pieces of a preparation, and what becomes of it at the end."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from ...common.storage.json_files import write_json
from ...common.storage.partial_work import LOCK, PLAN, WORK, claimed, partial_path
from ...common.storage.whole_files import remove_temporaries
from ..manifest import Manifest
from ..staging import check_replaceable, put_in_place
from .pieces import Finished


class PartialFolder:
    """Finished pieces of one preparation: their files, and one small JSON file each that says they are whole."""

    def __init__(self, target: Path) -> None:
        self.target, self.folder = target, partial_path(target)

    def finished(self) -> dict[int, Finished]:
        """Return the finished pieces by their numbers; what is damaged counts as not finished."""
        found = {}
        for path in sorted(self.folder.glob("piece-*.json")):
            with suppress(OSError, ValueError, KeyError, TypeError):
                piece = Finished.from_plain(json.loads(path.read_text(encoding="utf-8")))
                if self._is_whole(piece):
                    found[piece.number] = piece
        return found

    def _is_whole(self, piece: Finished) -> bool:
        if piece.shard is None:
            return True
        assert piece.shard.packed is not None
        same_size = (self.folder / piece.shard.packed.file).stat().st_size == piece.shard.packed.size
        return same_size and (self.folder / piece.shard.file).is_file()

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


def save_finished(folder: Path, piece: Finished) -> None:
    """Say that a piece is whole; called by its task when its files are in place."""
    write_json(folder / f"piece-{piece.number:05d}.json", asdict(piece))


@contextmanager
def partial_folder(target: Path, fingerprint: str, *, overwrite: bool) -> Iterator[PartialFolder]:
    """Open the folder of finished pieces, or start one; nobody else can meanwhile.

    Args:
        target: where the data set goes.
        fingerprint: of the options and the listing; finished pieces of another one are of no use.
        overwrite: remove such pieces, and replace a data set at the target.

    Raises:
        DataError: when the target exists, another process prepares it, or pieces of another preparation are there.
    """
    check_replaceable(target, overwrite)
    partial = PartialFolder(target)
    with claimed(partial.folder, fingerprint, what="preparation", overwrite=overwrite):
        yield partial
