"""What is sent with a job, without a cluster."""

import os
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from ray_head import ROOT

from d2ace.pipeline.command.jobs.package import copy_package, packed, unpack_wheel
from d2ace.pipeline.common.errors import DataError, RunError


def test_the_code_is_what_a_wheel_holds(tmp_path):
    """The rooms' own files are the judge: every module and data file, and nothing else."""
    copy_package(tmp_path)
    sent = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    rooms = [path for room in ("pipeline", "selectors", "tune_spaces") for path in (ROOT / room).rglob("*")]
    held = {f"d2ace/{path.relative_to(ROOT).as_posix()}" for path in rooms if path.is_file() and path.suffix != ".pyc"}
    assert sent == held | {"d2ace/__init__.py", "d2ace/py.typed"}


def test_keys_in_an_argument_do_not_reach_the_cluster():
    with (
        pytest.raises(DataError, match=r"s3://\*\*\*@bucket/x: an address must not hold keys") as caught,
        packed("d2ace.pipeline.cli", ["prepare", "s3://KEY:SECRET@bucket/x", "out"]),
    ):
        pass
    assert "KEY:" not in str(caught.value)


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
    unpack_wheel(tmp_path / "x.whl", tmp_path / "code")
    assert [path.name for path in (tmp_path / "code").iterdir()] == ["d2ace"]
    assert (tmp_path / "code/d2ace/pipeline/cli.py").read_text() == "there = 1\n"


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
