"""What is sent with a job, without a cluster."""

import os
import shlex
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from ray_head import ROOT

from d2ace.pipeline.command.jobs import package as packing
from d2ace.pipeline.command.jobs.package import CODE, copy_package, listing, packed, unpack_wheel
from d2ace.pipeline.common.errors import DataError, RunError


def test_the_code_is_what_a_wheel_holds(tmp_path):
    """The rooms' own files are the judge: every module and data file, and nothing else."""
    copy_package(tmp_path)
    sent = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    rooms = [path for room in ("pipeline", "selectors", "tune_spaces") for path in (ROOT / room).rglob("*")]
    held = {f"d2ace/{path.relative_to(ROOT).as_posix()}" for path in rooms if path.is_file() and path.suffix != ".pyc"}
    assert sent == held | {"d2ace/__init__.py", "d2ace/py.typed"}


def test_the_list_of_own_files_is_that_of_the_wheel():
    shipped = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    assert set(CODE) == {"*.py", *shipped["*"]}


@pytest.fixture
def littered(tmp_path, monkeypatch) -> Path:
    """The package's rooms in a folder of their own, with things in them that are nobody's business."""
    copy_package(tmp_path / "rooms")
    root = tmp_path / "rooms" / "d2ace"
    (tmp_path / "secret.py").write_text("KEY = 'laid by this test'\n")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "inside.py").write_text("laid by this test")
    for name in (
        *("pipeline/.env", "pipeline/.env.yaml", "selectors/id_rsa", "selectors/server.pem", "pipeline/notes.txt"),
        *("pipeline/.git/config", "pipeline/.git/hooks/x.py", "selectors/.venv/x.py", "pipeline/__pycache__/x.py"),
        *("selectors/data.d/x.py", "tune_spaces/runs/model.pt"),
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("laid by this test")
    (root / "pipeline" / "linked.py").symlink_to(tmp_path / "secret.py")
    (root / "pipeline" / "linked").symlink_to(tmp_path / "elsewhere")
    monkeypatch.setattr(packing, "_folder_of", lambda room: root / room)
    return root


def test_what_lies_in_the_rooms_and_where_links_lead_is_not_sent(littered, tmp_path):
    copy_package(tmp_path / "sent")
    sent = [path for path in (tmp_path / "sent").rglob("*") if path.is_file()]
    assert not [path for path in sent if "laid by this test" in path.read_text()]
    assert not [path for path in (tmp_path / "sent").rglob("*") if path.is_symlink() or path.name.startswith(".")]
    copied = {path.relative_to(tmp_path / "sent" / "d2ace") for path in sent}
    assert {Path("pipeline/cli.py"), Path("py.typed")} < copied and len(copied) > 100


def test_a_package_of_links_is_refused(tmp_path, monkeypatch):
    (tmp_path / "pipeline").mkdir()
    (tmp_path / "pipeline" / "cli.py").symlink_to(ROOT / "pipeline" / "cli.py")
    monkeypatch.setattr(packing, "_folder_of", lambda room: tmp_path / "pipeline")
    with pytest.raises(RunError, match=r"files are links.*--wheel"):
        copy_package(tmp_path / "sent")


def test_the_listing_is_what_is_sent(littered, tmp_path):
    (tmp_path / "my.yaml").write_text("a: 1\n")
    with packed("d2ace.pipeline.cli", ["train", str(tmp_path / "my.yaml")]) as package:
        lines = listing(package).splitlines()
        [code], files = package.runtime_env["py_modules"], package.runtime_env["working_dir"]
        sent = [path for folder in (code, files) for path in Path(folder).rglob("*") if path.is_file()]
    assert lines[0] == "command: python -m d2ace.pipeline.cli train my.yaml"
    assert lines[1] == 'runtime environment: {"py_modules": ["d2ace"], "working_dir": "files"}'
    listed = {line.split()[1]: int(line.split()[0].replace(",", "")) for line in lines[3:-1]}
    assert listed["files/my.yaml"] == 5 and listed["d2ace/pipeline/cli.py"] > 100
    assert set(listed) == {f"{path}".partition("/code/")[2] or f"files/{path.name}" for path in sent}
    assert lines[-1] == f"{len(sent)} files, {sum(listed.values()):,} bytes; nothing was sent"


def test_a_link_that_only_looks_like_yaml_is_refused(tmp_path):
    (tmp_path / "key").write_text("laid by this test")
    (tmp_path / "x.yaml").symlink_to(tmp_path / "key")
    with (
        pytest.raises(RunError, match=r"x\.yaml: is a link to .*key, which is no YAML file"),
        packed("m", [str(tmp_path / "x.yaml")]),
    ):
        pass


def test_keys_in_an_argument_do_not_reach_the_cluster():
    with (
        pytest.raises(DataError, match=r"s3://\*\*\*@bucket/x: an address must not hold keys") as caught,
        packed("d2ace.pipeline.cli", ["prepare", "s3://KEY:SECRET@bucket/x", "out"]),
    ):
        pass
    assert "KEY:" not in str(caught.value)


@pytest.mark.parametrize(
    "line", ["path: s3://KEY:SEC/RET@bucket/x", "path: 's3://KEY:SEC/RET@bucket/x'", "# was gs://KEY:SEC/RET@bucket"]
)
def test_keys_in_a_file_that_would_be_sent_do_not_reach_the_cluster(tmp_path, line):
    (tmp_path / "x.yaml").write_text(f"data:\n  {line}\n")
    with (
        pytest.raises(DataError, match=r"x\.yaml:2: .*://\*\*\*@bucket.*must not hold keys") as caught,
        packed("m", [str(tmp_path / "x.yaml")]),
    ):
        pass
    assert "KEY:" not in str(caught.value) and "RET@" not in str(caught.value)


def test_addresses_without_keys_are_sent(tmp_path):
    (tmp_path / "x.yaml").write_text("# s3://bucket/x, see http://localhost:8265 and ask me@home\n")
    with packed("m", [str(tmp_path / "x.yaml")]) as package:
        assert package.entrypoint == "python -m m x.yaml"


def test_no_key_of_the_environment_is_sent(tmp_path, monkeypatch):
    planted = {"AWS_ACCESS_KEY_ID": "PLANTED-ID", "AWS_SECRET_ACCESS_KEY": "PLANTED-KEY", "D2ACE_WORD": "PLANTED-WORD"}
    for name, value in planted.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "x.yaml").write_text("data: {path: s3://bucket/x}\n")
    with packed("m", [str(tmp_path / "x.yaml"), "run.storage=s3://bucket/runs"]) as package:
        folders = [*package.runtime_env["py_modules"], package.runtime_env["working_dir"]]
        files = [path.read_bytes() for folder in folders for path in Path(folder).rglob("*") if path.is_file()]
        sent = b"".join([*files, repr(package).encode(), listing(package).encode()])
    assert len(files) > 100 and b"PLANTED" not in sent


def test_the_copy_runs_alone(tmp_path):
    copy_package(tmp_path / "code")
    code = (
        "import d2ace.pipeline.command.jobs.result_files as r, d2ace.selectors.api as a; print(r.__file__, a.names())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "code")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert str(tmp_path / "code") in done.stdout and "'d2ace'" in done.stdout


def test_local_yaml_files_are_sent_under_their_names(tmp_path):
    study = tmp_path / "my study.yaml"
    study.write_text("a: 1\n")
    arguments = ["compare", str(study), "/mnt/out; rm x", "not-here.yaml", str(tmp_path)]
    with packed("d2ace.pipeline.cli", arguments) as package:
        words = shlex.split(package.entrypoint)
        assert words[:3] == ["python", "-m", "d2ace.pipeline.cli"]
        assert words[3:] == ["compare", "my study.yaml", "/mnt/out; rm x", "not-here.yaml", str(tmp_path)]
        folder = Path(package.runtime_env["working_dir"])
        assert [path.name for path in folder.iterdir()] == ["my study.yaml"]
        assert (folder / "my study.yaml").read_text() == "a: 1\n"
    assert not folder.exists()


def test_without_files_there_is_no_working_folder():
    with packed("d2ace.pipeline.cli", ["methods"]) as package:
        assert list(package.runtime_env) == ["py_modules"]
        [code] = package.runtime_env["py_modules"]
        assert Path(code).name == "d2ace"


def test_two_files_of_one_name_are_refused(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.yaml").write_text("")
    both = [str(tmp_path / "a" / "x.yaml"), str(tmp_path / "b" / "x.yaml")]
    with pytest.raises(RunError, match="another file of that name"), packed("m", both):
        pass
    with packed("m", [both[0], both[0]]) as package:
        assert package.entrypoint == "python -m m x.yaml x.yaml"


def test_a_wheel_is_unpacked_without_its_metadata(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.whl", "w") as wheel:
        wheel.writestr("d2ace/pipeline/cli.py", "there = 1\n")
        wheel.writestr("d2ace-1.dist-info/METADATA", "")
        wheel.writestr("d2ace/pipeline/.env", "laid by this test")
    unpack_wheel(tmp_path / "x.whl", tmp_path / "code")
    assert [path.name for path in (tmp_path / "code").iterdir()] == ["d2ace"]
    assert (tmp_path / "code/d2ace/pipeline/cli.py").read_text() == "there = 1\n"
    assert [path.name for path in (tmp_path / "code/d2ace/pipeline").iterdir()] == ["cli.py"]


@pytest.mark.parametrize(
    ("content", "words"), [(None, "No such file"), (b"no archive", "cannot be read as a wheel"), ({}, "not a wheel of")]
)
def test_what_is_no_wheel_is_refused(tmp_path, content, words):
    path = tmp_path / "x.whl"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        with zipfile.ZipFile(path, "w") as wheel:
            wheel.writestr("numpy/__init__.py", "")
    with pytest.raises(RunError, match=words):
        unpack_wheel(path, tmp_path / "code")


def test_modules_of_ones_own_are_sent_beside_the_job(tmp_path):
    (tmp_path / "alone.py").write_text("A = 1\n")
    (tmp_path / "mine" / "inner").mkdir(parents=True)
    for name in ("__init__.py", "inner/deep.py", "notes.txt", ".hidden.py"):
        (tmp_path / "mine" / name).write_text("B = 2\n")
    with packed("m", [], modules=[str(tmp_path / "alone.py"), str(tmp_path / "mine")]) as package:
        files = Path(package.runtime_env["working_dir"])
        sent = sorted(path.relative_to(files).as_posix() for path in files.rglob("*") if path.is_file())
        code = "import alone, mine.inner.deep; print(alone.A + mine.inner.deep.B)"
        done = subprocess.run([sys.executable, "-c", code], cwd=files, capture_output=True, text=True)
    assert sent == ["alone.py", "mine/__init__.py", "mine/inner/deep.py"]
    assert done.stdout == "3\n"


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        (["nowhere.py"], r"nowhere\.py: expected a \.py file or the folder of a package"),
        (["empty"], "empty: expected a .py file or the folder"),
        (["link.py"], "no link"),
        (["a.py", "sub/a.py"], "another of that name is sent already; rename it"),
        (["not-a-name.py"], "Python cannot import that name; rename it"),
    ],
)
def test_what_is_no_module_is_refused(tmp_path, monkeypatch, modules, message):
    monkeypatch.chdir(tmp_path)
    for folder in ("empty", "sub"):
        Path(folder).mkdir()
    for name in ("a.py", "sub/a.py", "not-a-name.py"):
        Path(name).write_text("")
    Path("link.py").symlink_to("a.py")
    with pytest.raises(RunError, match=message), packed("m", [], modules=modules):
        pass
