"""What the numbers of a study come from, besides its settings: the data, the files that it names, and what computes.

Compare and tune recognise by it what they have trained already.
"""

import hashlib
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version

from ..common.config.config import Config
from ..common.storage.any_path import AnyPath, any_path, is_there, place_of
from ..common.storage.copies import content_sha256
from ..common.storage.locations import Location
from ..data import splits
from ..data.manifest import Manifest

_COMPUTING = ("d2ace", "numpy", "scipy", "torch")


def origin(config: Config) -> dict[str, str]:
    """Return, by what it is, a digest or a version of everything outside of the configuration that decides the numbers.

    Raises:
        DataError: when the prepared data cannot be used.
    """
    data = {"prepared data": Manifest.load(config.data.path).fingerprint()}
    return data | named_contents(config) | versions()


def named_contents(config: Config) -> dict[str, str]:
    """Return the SHA-256 of what the configuration names by its path, by the key that names it."""
    distillation = config.train.distillation
    named = {
        "selector.neighbour_features": config.selector.neighbour_features,
        "selector.inherit": config.selector.inherit,
        "selector.options.reference": config.selector.options.get("reference"),
        "model.options.source": config.model.options.get("source"),
        "model.initial": config.model.initial,
        "train.distillation.teacher": distillation.teacher if distillation else None,
        "train.distillation.answers": distillation.answers if distillation else None,
    }
    places = {key: place_of(value) for key, value in named.items() if isinstance(value, str)}
    return {key: _content(any_path(place)) for key, place in places.items() if is_there(place)}


def versions() -> dict[str, str]:
    """Return the versions of the packages that compute, and of what has a version of its own."""
    packages = {f"version of {name}": package_version(name) for name in _COMPUTING}
    return {**packages, "version of the splits": str(splits.VERSION)}


def package_version(name: str) -> str:
    """Return the version of an installed package, "checkout" where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "checkout"


def _content(path: AnyPath) -> str:
    """Return a digest of a file, or of a folder's files with their names."""
    if path.is_file():
        return _file_content(path)
    files = [(name, _file_content(path / name)) for name in _deciding_files(path)]
    return hashlib.sha256(repr(files).encode()).hexdigest()


def _deciding_files(folder: AnyPath) -> list[str]:
    """Return the files of a folder that matter, by name: of a run those that make its model, of others all."""
    from ..runs.run_folder import RunFolder  # it brings PyTorch, which nobody needs to be told a typo

    run = RunFolder(folder)
    if run.config.is_file():
        return [name for name in ("config.yaml", "model.pt", "data.json") if (folder / name).is_file()]
    return list(Location.of(folder).files())


def _file_content(path: AnyPath) -> str:
    place = Location.of(path)
    about = place.info()
    return _digest(place.address, about.mtime_ns, about.size)


@lru_cache(maxsize=1024)
def _digest(address: str, changed_ns: int | None, size: int) -> str:
    """Return the SHA-256 of a file, read once as long as time and size stay: a study has thousands of runs."""
    return content_sha256(Location.of(address))
