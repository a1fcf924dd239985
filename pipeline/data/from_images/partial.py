"""The visible folder beside the target that collects finished pieces, and outlives a kill."""

import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from ...common.errors import DataError
from ...common.storage.json_files import write_json
from ...common.storage.whole_files import remove_temporaries
from ..manifest import Manifest
from ..staging import check_replaceable, put_in_place
from .pieces import WORK, Finished

_PLAN = "plan.json"
_LOCK = ".lock"


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
        for path in [*self.target.glob("piece-*.json"), self.target / _PLAN, self.target / _LOCK]:
            path.unlink(missing_ok=True)
        remove_temporaries(self.target)


def partial_path(target: Path) -> Path:
    """Return the folder that collects the finished pieces of a target."""
    return target.with_name(f"{target.name}.partial")


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
    partial.folder.mkdir(parents=True, exist_ok=True)
    with (partial.folder / _LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DataError(f"{partial.folder}: another process is preparing this data set") from None
        _claim(partial.folder, fingerprint, overwrite)
        yield partial


def _claim(folder: Path, fingerprint: str, overwrite: bool) -> None:
    """Make the folder one of this fingerprint."""
    before = None
    with suppress(OSError, ValueError):
        before = json.loads((folder / _PLAN).read_text(encoding="utf-8"))
    others = [path for path in folder.iterdir() if path.name != _LOCK]
    if others and before != fingerprint:
        if not overwrite:
            raise DataError(
                f"{folder}: holds pieces of a preparation with other options or other files; "
                "overwrite=True starts again, or remove the folder"
            )
        for path in others:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in folder.glob(f"{WORK}*"):
        shutil.rmtree(path, ignore_errors=True)
    write_json(folder / _PLAN, fingerprint)
