"""The prepared data that a run was made from, found where it lies now: its fingerprint decides, not its path."""

import os
from pathlib import Path

from ..common.config.config import Config
from ..common.errors import RunError
from ..common.storage.any_path import in_bucket
from ..common.storage.locations import Location
from ..data.manifest import MANIFEST_FILE, Manifest
from .run_data import RunData
from .run_folder import RunFolder


def own_data(run: RunFolder, config: Config, known: RunData | None, place: str | Path | None = None) -> Manifest:
    """Return the manifest of a run's data.

    Without ``place`` it is looked for where the run's configuration says, and where it would lie if it had been moved
    together with the folder of the runs.

    Args:
        run: the run.
        config: its configuration.
        known: how it sees its data; None for a run that never came so far: then any data in its place is its own.
        place: the folder or address where the data lies now.

    Raises:
        DataError: when ``place`` holds no prepared data.
        RunError: when the data is not there, or what is there is other data, or lacks rows of the run.
    """
    if place is not None:
        found = [Manifest.load(Location.of(place).resolved())]
    else:
        found = [Manifest.load(folder) for folder in _places(run, config) if (folder / MANIFEST_FILE).is_file()]
    for manifest in found:
        if known is None or manifest.fingerprint() == known.fingerprint:
            if known is not None:
                known.require_rows(manifest, run.path)
            return manifest
    if found and known is not None:
        known.require_same(found[0], run.path)
    raise RunError(
        f"{run.path}: the run's data is not in {config.data.path} any more; if it was moved, say where it lies now: "
        "--data PATH (its content is compared)"
    )


def _places(run: RunFolder, config: Config) -> list[Location]:
    """Return where the run's data is said to lie, and where it lies if it kept its way from the folder of the runs."""
    said = Location.of(config.data.path)
    if not said.is_local or in_bucket(run.path) or "://" in config.run.storage:
        return [said]
    return [said, Location.of((Path(run.path).parent / os.path.relpath(said, config.run.storage)).resolve())]
