"""What a job brings along: the code, and the local files that its arguments name.

Ray's ``py_modules`` would take a wheel as it is, with two effects nobody wants (Ray 2.60): pip installs it with all
it requires, torch and Ray included, on every node; and it is known by its file name, so that a changed wheel of the
same version counts as the one that is there. An unpacked package is only copied, and known by its content.
"""

import shlex
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import d2ace

from ...common.errors import RunError
from ...common.storage.addresses import refuse_keys

ROOMS = ("pipeline", "selectors", "tune_spaces")
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
def packed(module: str, arguments: Sequence[str], wheel: str | Path | None = None) -> Iterator[Package]:
    """Yield ``python -m MODULE ARGUMENTS`` as a package.

    Args:
        module: a module of d2ace.
        arguments: its command line; local YAML files among them are sent and named as they lie beside the job.
        wheel: send the code that this wheel holds; default: the code that runs here.

    Raises:
        RunError: for a file that is no wheel of d2ace, or two files of one name.
        DataError: for an argument that is an address with keys: everyone who sees the cluster's jobs would see them.
    """
    for argument in arguments:
        refuse_keys(argument)
    with tempfile.TemporaryDirectory(prefix="d2ace-job-") as temporary:
        code, files = Path(temporary) / "code", Path(temporary) / "files"
        unpack_wheel(Path(wheel), code) if wheel else copy_package(code)
        files.mkdir()
        command = ["python", "-m", module, *_ship(arguments, files)]
        runtime_env: dict[str, object] = {"py_modules": [str(code / "d2ace")]}
        if any(files.iterdir()):
            runtime_env["working_dir"] = str(files)
        yield Package(shlex.join(command), runtime_env)


def copy_package(folder: Path) -> None:
    """Copy the package that runs here, installed or a checkout, to ``folder``/d2ace, as a wheel would hold it."""
    target = folder / "d2ace"
    target.mkdir(parents=True)
    face = Path(d2ace.__file__).parent
    for name in ("__init__.py", "py.typed"):
        shutil.copy(face / name, target)
    for room in ROOMS:
        shutil.copytree(_folder_of(room), target / room, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))


def unpack_wheel(wheel: Path, folder: Path) -> None:
    """Unpack a wheel of d2ace to ``folder``/d2ace; raises RunError for anything else."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = archive.namelist()
            if "d2ace/pipeline/cli.py" not in names:
                raise RunError(
                    f"{wheel}: not a wheel of d2ace (it has no d2ace/pipeline/cli.py); make wheel writes one"
                )
            archive.extractall(folder, [name for name in names if name.startswith("d2ace/")])
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
            if sent.setdefault(path.name, path.resolve()) != path.resolve():
                raise RunError(f"{argument}: another file of that name is sent with the job already; rename one")
            shutil.copy(path, files / path.name)
            argument = path.name
        result.append(argument)
    return result
