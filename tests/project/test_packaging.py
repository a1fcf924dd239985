"""One import package from three folders: what a checkout, a wheel and a fresh interpreter see of it."""

import importlib.metadata
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import d2ace

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("pipeline", "selectors", "tune_spaces")
SETUPTOOLS = 77
"""The oldest that reads the licence fields of pyproject.toml."""


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def fresh(code: str) -> str:
    """Run code in a new interpreter started in the root, as ``python -c`` there would; return what it printed."""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def modules(folder: Path) -> set[str]:
    return {path.relative_to(ROOT).as_posix() for path in folder.rglob("*.py")}


def test_selectors_has_no_init_anywhere():
    found = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "selectors").rglob("__init__.py"))
    assert not found, f"{found} would hide the standard library's selectors from every Python started in the root"


def test_selectors_is_the_standard_library_in_the_root():
    assert Path(fresh("import selectors; print(selectors.__file__)")).parent != ROOT / "selectors"
    assert fresh("import selectors; print(selectors.SelectSelector.__name__)") == "SelectSelector"


def test_what_needs_the_standard_selectors_works_in_the_root():
    code = "import asyncio, subprocess; print(asyncio.run(asyncio.sleep(0, 'slept')))"
    assert fresh(code) == "slept"


def test_importing_the_face_loads_neither_ray_nor_torch():
    code = "import sys, d2ace; print(sorted({'ray', 'torch', 'numpy'} & set(sys.modules)))"
    assert fresh(code) == "[]"


def test_selectors_load_neither_ray_nor_torch():
    code = "import sys, d2ace.selectors.api as a; a.get('d2ace'); print(sorted({'ray', 'torch'} & set(sys.modules)))"
    assert fresh(code) == "[]"


def test_what_every_process_of_a_run_imports_is_light():
    """Each of these would cost every run seconds more, in the actor's process or in all of them."""
    code = "import sys, d2ace.pipeline.selection.actor; print(sorted({'ray.data', 'torch'} & set(sys.modules)))"
    assert fresh(code) == "[]"
    heavy = "{'torchmetrics', 'mlflow', 'wandb', 'onnx', 'onnxruntime'}"
    assert fresh(f"import sys, d2ace.pipeline.training.worker; print(sorted({heavy} & set(sys.modules)))") == "[]"


def test_one_version():
    assert d2ace.__version__ == project()["version"]
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert re.search(rf"^## \[({re.escape(d2ace.__version__)}|Unreleased)\]", changelog, re.MULTILINE)


def test_every_runtime_requirement_is_pinned_within_its_range():
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    lines = (line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#"))
    pins = {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}
    wanted = project()["dependencies"] + project()["optional-dependencies"]["dev"]
    for requirement in map(Requirement, wanted):
        pin = pins.get(canonicalize_name(requirement.name))
        assert pin, f"constraints.txt does not pin {requirement.name}"
        assert pin in requirement.specifier, f"constraints.txt pins {requirement.name}=={pin}, outside its range"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """A wheel built from a copy of the files that an installation reads, so that nothing is left in the checkout."""
    version = importlib.metadata.version("setuptools")
    if int(version.partition(".")[0]) < SETUPTOOLS:
        pytest.skip(f"building without the network needs setuptools>={SETUPTOOLS}, here is {version}")
    copy, out = tmp_path_factory.mktemp("source") / "d2ace", tmp_path_factory.mktemp("wheel")
    copy.mkdir()
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    for folder in ("d2ace", *ROOMS, "tests", "benchmarks"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(out),
        ".",
    ]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return zipfile.ZipFile(next(out.glob("d2ace-*.whl")))


def test_wheel_holds_every_module_of_every_room(wheel: zipfile.ZipFile):
    names = set(wheel.namelist())
    expected = {f"d2ace/{module}" for room in ROOMS for module in modules(ROOT / room)}
    assert expected <= names, sorted(expected - names)
    assert {"d2ace/__init__.py", "d2ace/py.typed", "d2ace/selectors/d2ace.py", "d2ace/pipeline/cli.py"} <= names


def test_wheel_holds_nothing_else(wheel: zipfile.ZipFile):
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert tops == {"d2ace", f"d2ace-{d2ace.__version__}.dist-info"}
    inside = {name.split("/")[1] for name in wheel.namelist() if name.startswith("d2ace/")}
    assert inside == {"__init__.py", "py.typed", *ROOMS}


def test_wheel_has_the_command_and_the_licence(wheel: zipfile.ZipFile):
    info = f"d2ace-{d2ace.__version__}.dist-info"
    assert "d2ace = d2ace.pipeline.cli:main" in wheel.read(f"{info}/entry_points.txt").decode()
    assert f"{info}/licenses/LICENSE" in wheel.namelist()


def test_wheel_works_alone(wheel: zipfile.ZipFile, tmp_path: Path):
    wheel.extractall(tmp_path / "site")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); "
        "import d2ace.selectors.api as a, d2ace.pipeline.common.config.config as c; "
        "print(a.names(), c.__file__)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "site")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "'d2ace'" in done.stdout
    assert str(tmp_path / "site") in done.stdout
