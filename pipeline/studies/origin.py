"""What the numbers of a study come from, besides its settings: the data, the files that it names, and what computes.

Compare and tune recognise by it what they have trained already.
"""

import hashlib
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ..common.config.config import Config
from ..common.storage.whole_files import sha256_of
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
    paths = {key: Path(value) for key, value in named.items() if isinstance(value, str)}
    return {key: _content(path) for key, path in paths.items() if path.exists()}


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


def _content(path: Path) -> str:
    """Return a digest of a file, or of a folder's files with their names."""
    if path.is_file():
        return _file_content(path)
    files = [(str(file.relative_to(path)), _file_content(file)) for file in _deciding_files(path)]
    return hashlib.sha256(repr(files).encode()).hexdigest()


def _deciding_files(folder: Path) -> list[Path]:
    """Return the files of a folder that matter: of a run those that make its model, of others all."""
    from ..runs.run_folder import RunFolder  # it brings PyTorch, which nobody needs to be told a typo

    run = RunFolder(folder)
    if run.config.is_file():
        return [path for name in ("config.yaml", "model.pt", "data.json") if (path := folder / name).is_file()]
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _file_content(path: Path) -> str:
    about = path.stat()
    return _digest(path.resolve(), about.st_mtime_ns, about.st_size)


@lru_cache(maxsize=1024)
def _digest(path: Path, changed_ns: int, size: int) -> str:
    """Return the SHA-256 of a file, read once as long as time and size stay: a study has thousands of runs."""
    return sha256_of(path)
