"""A data set that appears in a bucket: its files one after the other, and last its manifest.

A bucket renames nothing. What has no manifest is no data set, and a manifest says of each file how it must be.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from ..common.errors import DataError
from ..common.storage.locations import Location
from .manifest import MANIFEST_FILE, Manifest

_SHARD = re.compile(r"shard-\d+\.(parquet|bin)")
_OWN = re.compile(rf"{_SHARD.pattern}|summary\.json|rejected\.parquet")
"""Names of what a data set holds beside its manifest."""


@contextmanager
def uploaded_folder(target: Location, *, overwrite: bool) -> Iterator[Path]:
    """Yield a folder of this machine's temporary files; on success what lies in it goes to ``target``.

    Raises:
        DataError: when something lies at the target that is not to be replaced, or storage cannot be written.
    """
    require_free(target, overwrite)
    with TemporaryDirectory(prefix="d2ace-") as name:
        yield Path(name)
        _upload(Path(name), target, overwrite)


def require_free(target: Location, overwrite: bool) -> None:
    """Raise DataError when something lies at the target, but for what an upload left that was broken off.

    A data set may be overwritten, other files may not.
    """
    if (target / MANIFEST_FILE).is_file():
        if not overwrite:
            raise DataError(f"{target}: exists already; choose another place, or --overwrite (overwrite=True)")
    elif others := [name for name in target.files() if not _OWN.fullmatch(name)]:
        told = f"holds {others[0]} and no {MANIFEST_FILE}, so nothing is written there: choose another place"
        raise DataError(f"{target}: {told}")


def _upload(folder: Path, target: Location, overwrite: bool) -> None:
    """Take an old data set's manifest away, put the files in place, the manifest last, and remove what is left over."""
    require_free(target, overwrite)
    drop_manifest(target)
    names = sorted(path.name for path in folder.iterdir() if path.name != MANIFEST_FILE)
    for name in [*names, MANIFEST_FILE]:
        (target / name).write(folder / name)
    remove_others(Manifest.load(folder), target)


def drop_manifest(target: Location) -> None:
    """Take away the manifest of a data set that will be replaced: from here on it is none."""
    (target / MANIFEST_FILE).delete()


def remove_others(manifest: Manifest, target: Location) -> None:
    """Remove the shards of an earlier data set that the present one does not name."""
    named = {name for shard in manifest.shards for name, _ in shard.checksums}
    for name in target.files(recursive=False):
        if _SHARD.fullmatch(name) and name not in named:
            (target / name).delete()
