"""Where the paths in settings lead, and addresses where only a path works."""

import os
from pathlib import Path

import pytest

from d2ace.pipeline.cli import main
from d2ace.pipeline.common.config.config import Config
from d2ace.pipeline.common.errors import ConfigError, DataError
from d2ace.pipeline.common.storage.any_path import place_of
from d2ace.pipeline.common.storage.local_paths import local_path
from d2ace.pipeline.common.storage.locations import Location
from d2ace.pipeline.studies.compare.study import Study
from d2ace.pipeline.studies.tune.sweep import Sweep

SETTINGS = """
data: {path: data/x}
run: {storage: ../runs}
model: {name: timm, options: {source: weights}}
selector: {neighbour_features: near.npy, options: {reference: runs/a}}
"""
WANTED = {
    "data": "home/data/x",
    "storage": "runs",
    "source": "home/weights",
    "neighbours": "home/near.npy",
    "reference": "home/runs/a",
}


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A folder with a folder of weights; the working folder is another one."""
    (tmp_path / "home" / "weights").mkdir(parents=True)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "home"


def paths_of(config: Config, root: Path) -> dict[str, str]:
    found = {
        "data": config.data.path,
        "storage": config.run.storage,
        "source": config.model.options["source"],
        "neighbours": config.selector.neighbour_features,
        "reference": config.selector.options["reference"],
    }
    return {name: str(Path(path).relative_to(root)) for name, path in found.items()}


def as_learnability(text: str) -> str:
    return text.replace("{neighbour", "{name: learnability, neighbour")


def test_relative_paths_of_a_configuration_are_relative_to_its_file(home):
    (home / "c.yaml").write_text(as_learnability(SETTINGS))
    config = Config.load("../home/c.yaml")
    assert paths_of(config, home.parent) == WANTED
    assert config.with_absolute_paths() == config


def test_paths_in_overrides_and_the_default_storage_are_relative_to_the_working_folder(home):
    (home / "c.yaml").write_text("data: {path: x}\n")
    config = Config.load(home / "c.yaml", ["data.path=y"]).with_absolute_paths()
    assert Path(config.data.path) == home.parent / "work" / "y"
    assert Path(config.run.storage) == home.parent / "work" / "runs"
    assert config.selector.neighbour_features == "inputs"


def test_relative_paths_of_a_sweep_are_relative_to_its_file(home):
    settings = as_learnability(SETTINGS).strip().replace("\n", "\n  ")
    (home / "s.yaml").write_text(f"name: s\nspace: none\nconfig:\n  {settings}\n")
    assert paths_of(Sweep.load(home / "s.yaml").base, home.parent) == WANTED


def test_relative_paths_of_a_study_are_relative_to_its_file(home):
    (home / "s.yaml").write_text(
        """
name: s
folds: null
data: {x: {path: data/x, config: {run: {storage: ../runs}}}}
networks: {net: {name: timm, options: {source: weights}}}
methods: {learn: {name: learnability, neighbour_features: near.npy, options: {reference: runs/a}}}
reference: learn
"""
    )
    study = Study.load(home / "s.yaml")
    assert paths_of(study._config("x", "net", "learn", None, 0, {}), home.parent) == WANTED


def test_paths_that_lead_nowhere_stay_paths(home):
    (home / "loop").symlink_to("loop")
    (home / "c.yaml").write_text("data: {path: loop/x}\nrun: {storage: ~nobody-of-this-name/runs}\n")
    config = Config.load(home / "c.yaml")
    assert config.data.path == str(home / "loop" / "x")
    assert config.run.storage == str(home / "~nobody-of-this-name" / "runs")
    assert main(["prepare", str(home / "loop"), "out"]) == 2


def test_names_of_a_hub_are_no_paths(home):
    (home / "c.yaml").write_text("data: {path: x}\nmodel: {options: {source: facebook/dinov2-small}}\n")
    assert Config.load(home / "c.yaml").model.options["source"] == "facebook/dinov2-small"


@pytest.mark.parametrize(
    "text", ["s3://bucket/out", Path("s3://bucket/out"), "S3A://bucket/out", "gs://b", "hdfs://n/x"]
)
def test_an_address_is_no_path(text):
    with pytest.raises(DataError, match=r"OUT: expected a path, got the address .*://.*mounted file system"):
        local_path(text, "OUT", DataError)


def test_keys_in_an_address_are_not_shown():
    with pytest.raises(ConfigError, match=r"s3://\*\*\*@bucket/out"):
        local_path("s3://KEY:SECRET@bucket/out", "OUT")


def test_a_file_address_is_answered_with_its_path():
    with pytest.raises(ConfigError, match=r"write it as a path, /tmp/x$"):
        local_path("file:///tmp/x", "OUT")


@pytest.mark.parametrize("text", ["out", "/a:/b", "c:/x", "a b/c", "./s3:/odd"])
def test_paths_are_paths(text):
    assert local_path(text, "OUT") == Path(text)


def test_the_results_of_a_job_come_to_a_path(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["submit", "--follow", "job", "--out", "s3://b/out"]) == 2
    assert "expected a path, got the address s3://b/" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("made", [place_of, Location.of])
def test_a_name_that_is_no_utf8_is_refused(made, tmp_path):
    name = os.fsdecode(b"q\xff.csv")
    with pytest.raises(DataError, match=r"q\\xff\.csv': a name there is no UTF-8 text"):
        made(str(tmp_path / name))
    try:
        (tmp_path / name).write_text("")
    except OSError:
        pytest.skip("this file system takes no such name")
    with pytest.raises(DataError, match=r"q\\xff\.csv' is no UTF-8 text; give that file another name"):
        Location.of(tmp_path).files()
