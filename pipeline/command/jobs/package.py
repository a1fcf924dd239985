"""What a job brings along: the code, and the local files that its arguments name.

Ray's ``py_modules`` would take a wheel as it is, with two effects nobody wants (Ray 2.60): pip installs it with all
it requires, torch and Ray included, on every node; and it is known by its file name, so that a changed wheel of the
same version counts as the one that is there. An unpacked package is only copied, and known by its content.
"""

import json
import os
import shlex
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import cast

import d2ace

from ...common.errors import RunError
from ...common.storage.addresses import refuse_keys, refuse_keys_in

ROOMS = ("pipeline", "selectors", "tune_spaces")
CODE = ("*.py", "py.typed", "*.yaml", "*.css", "*.js")
"""The package's own files, as setup.py and pyproject.toml ship them. Whatever else lies in the rooms stays here."""
SHIPPED = (".yaml", ".yml")
"""Endings of arguments that are sent along when they are local files."""


@dataclass(frozen=True)
class Package:
    """A command and what it needs.

    Attributes:
        entrypoint: the shell command of the job.
        runtime_env: Ray's runtime environment; its folders exist only while the package is open.
    """

    entrypoint: str
    runtime_env: dict[str, object]


@contextmanager
def packed(
    module: str, arguments: Sequence[str], wheel: str | Path | None = None, modules: Sequence[str] = ()
) -> Iterator[Package]:
    """Yield ``python -m MODULE ARGUMENTS`` as a package.

    Args:
        module: a module of d2ace.
        arguments: its command line; local YAML files among them are sent and named as they lie beside the job.
        wheel: send the code that this wheel holds; default: the code that runs here.
        modules: files and folders of modules of the user's own; all processes of the job can import them.

    Raises:
        RunError: for a file that is no wheel of d2ace, what is no module, or two files of one name.
        DataError: for an address with keys, as an argument or in a file that is sent: everyone who sees the cluster's
            jobs would see them.
    """
    for argument in arguments:
        refuse_keys(argument)
    with tempfile.TemporaryDirectory(prefix="d2ace-job-") as temporary:
        code, files = Path(temporary) / "code", Path(temporary) / "files"
        unpack_wheel(Path(wheel), code) if wheel else copy_package(code)
        files.mkdir()
        for own in modules:
            _ship_module(Path(own), files)
        command = ["python", "-m", module, *_ship(arguments, files)]
        runtime_env: dict[str, object] = {"py_modules": [str(code / "d2ace")]}
        if any(files.iterdir()):
            runtime_env["working_dir"] = str(files)
        yield Package(shlex.join(command), runtime_env)


def listing(package: Package) -> str:
    """Return what starting an open package would send, for people: command, runtime environment, files with bytes."""
    modules = [Path(module) for module in cast(list[str], package.runtime_env["py_modules"])]
    named: dict[str, object] = {"py_modules": [module.name for module in modules]}
    folders = modules
    if "working_dir" in package.runtime_env:
        folders = [*modules, Path(cast(str, package.runtime_env["working_dir"]))]
        named["working_dir"] = folders[-1].name
    files = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    sizes = {path.relative_to(folders[0].parent.parent).as_posix(): path.stat().st_size for path in files}
    lines = [f"{size:>9,}  {name.removeprefix('code/')}" for name, size in sizes.items()]
    return "\n".join(
        (
            f"command: {package.entrypoint}",
            f"runtime environment: {json.dumps(named)}",
            "    bytes  file",
            *lines,
            f"{len(sizes)} files, {sum(sizes.values()):,} bytes; nothing was sent",
        )
    )


def copy_package(folder: Path) -> None:
    """Copy the package that runs here, installed or a checkout, to ``folder``/d2ace, as a wheel would hold it.

    Raises:
        RunError: when its files are links, as some installers lay them down: what a link points to is not sent.
    """
    target = folder / "d2ace"
    face = Path(d2ace.__file__).parent
    for name in ("__init__.py", "py.typed"):
        _copy(face / name, target / name)
    for room in ROOMS:
        source = _folder_of(room)
        for own in _own_files(source):
            _copy(source / own, target / room / own)
    if not (target / "pipeline" / "cli.py").is_file():
        raise RunError(
            f"{_folder_of('pipeline')}: the package's files are links, which are not sent; give a wheel: submit --wheel"
        )


def _own_files(room: Path) -> list[PurePosixPath]:
    """Return the files of a room that are its own, relative to it; links lead elsewhere and are no such files."""
    found = []
    for folder, folders, files in os.walk(room, followlinks=False):
        folders[:] = sorted(name for name in folders if not (Path(folder) / name).is_symlink())
        here = Path(folder).relative_to(room)
        found += [PurePosixPath(here.as_posix(), name) for name in sorted(files)]
    return [name for name in found if _is_own(name) and not (room / name).is_symlink()]


def _is_own(name: PurePosixPath) -> bool:
    """Whether a file of this name is part of the package: nothing hidden, no caches, no folder that is no module."""
    folders, file = name.parts[:-1], name.name
    return (
        not any("." in folder or folder == "__pycache__" for folder in folders)
        and not file.startswith(".")
        and any(fnmatchcase(file, pattern) for pattern in CODE)
    )


def _copy(source: Path, target: Path) -> None:
    if source.is_symlink() or not source.is_file():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


def unpack_wheel(wheel: Path, folder: Path) -> None:
    """Unpack the code of a wheel of d2ace to ``folder``/d2ace; raises RunError for anything else."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = archive.namelist()
            if "d2ace/pipeline/cli.py" not in names:
                raise RunError(
                    f"{wheel}: not a wheel of d2ace (it has no d2ace/pipeline/cli.py); make wheel writes one"
                )
            code = [name for name in names if name.startswith("d2ace/") and _is_own(PurePosixPath(name))]
            archive.extractall(folder, code)
    except (OSError, zipfile.BadZipFile) as error:
        raise RunError(f"{wheel}: cannot be read as a wheel: {error}") from None


def _folder_of(room: str) -> Path:
    spec = find_spec(f"d2ace.{room}")
    assert spec is not None and spec.submodule_search_locations is not None
    return Path(next(iter(spec.submodule_search_locations)))


def _ship(arguments: Sequence[str], files: Path) -> list[str]:
    """Copy local files that the arguments name to ``files``; returns the arguments with their names there."""
    sent: dict[str, Path] = {}
    result = []
    for argument in arguments:
        path = Path(argument)
        if path.suffix in SHIPPED and path.is_file():
            if path.resolve().suffix not in SHIPPED:
                raise RunError(f"{argument}: is a link to {path.resolve()}, which is no YAML file and is not sent")
            refuse_keys_in(path.read_text(errors="replace"), argument)
            if sent.setdefault(path.name, path.resolve()) != path.resolve():
                raise RunError(f"{argument}: another file of that name is sent with the job already; rename one")
            shutil.copy(path, files / path.name)
            argument = path.name
        result.append(argument)
    return result


def _ship_module(module: Path, files: Path) -> None:
    """Copy a module to ``files``, where every process of the job starts: a file, or the own files of a package."""
    is_file = module.suffix == ".py" and module.is_file() and not module.is_symlink()
    if not is_file and not (module.is_dir() and any(module.glob("*.py"))):
        raise RunError(f"{module}: expected a .py file or the folder of a package with .py files (no link)")
    target = files / module.resolve().name
    if target.exists() or not target.stem.isidentifier():
        told = "another of that name is sent already" if target.exists() else "Python cannot import that name"
        raise RunError(f"{module}: {told}; rename it")
    for own in [PurePosixPath()] if is_file else _own_files(module):
        _copy(module / own, target / own)
