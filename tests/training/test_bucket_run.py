"""From the command line, in one process: data and runs in a bucket give what they give on a disk."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from bucket_fixtures import KEY_ID, SECRET
from run_contents import run_contents
from small_config import small_config
from small_table import write_table

from d2ace.pipeline import evaluate, fit
from d2ace.pipeline.cli import main
from d2ace.pipeline.common.config.config import Config
from d2ace.pipeline.common.errors import RunError
from d2ace.pipeline.common.storage import folder_lock
from d2ace.pipeline.common.storage.any_path import any_path
from d2ace.pipeline.common.storage.bucket_lock import lock_of
from d2ace.pipeline.common.storage.locations import Location
from d2ace.pipeline.results.explanation import explain
from d2ace.pipeline.results.report import run_report
from d2ace.pipeline.runs.run_folder import RunFolder
from d2ace.pipeline.training import driver

SETTINGS = ["run.workers=0", "train.epochs=2", "train.batch_size=32", "model.options.hidden=[8]", "run.name=one"]


def write_csv(path: Path) -> Path:
    """Write a small learnable table."""
    random = np.random.default_rng(0)
    features = random.normal(size=(120, 3)).round(3)
    labels = (features @ random.normal(size=(3, 2)) > 0.3).astype(int)
    rows = [",".join(map(str, [*row, *label])) for row, label in zip(features, labels, strict=True)]
    path.write_text("\n".join(["a,b,c,y1,y2", *rows]))
    return path


def run_all(data: str, storage: str, folder: Path) -> list[object]:
    """Prepare, train, go on, evaluate, predict and explain, and return the results."""
    source, run = write_csv(folder / "rows.csv"), str(any_path(storage) / "one")
    for command in (
        ["prepare", str(source), data, "--label-prefix", "y"],
        ["train", data, *SETTINGS, f"run.storage={storage}"],
        ["train", "--resume", run, "train.epochs=3"],
        ["predict", run, data, str(folder / "predicted.parquet")],
    ):
        assert main(command) == 0
    explained = str(explain(run, int(RunFolder.open(run).data.load().splits.train[0]))).replace(run, "RUN")
    predicted = pq.read_table(folder / "predicted.parquet").to_pylist()
    return [run_contents(any_path(run)), evaluate(run), predicted, explained]


@pytest.fixture
def own_service(bucket, monkeypatch):
    """A service of one's own, which the environment names, so that addresses need no options."""
    monkeypatch.setattr(folder_lock, "SETTLE_S", 0.0)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{bucket.port}")
    return bucket


def test_a_bucket_gives_the_run_that_a_disk_gives_and_no_key_is_left(
    own_service, tmp_path, monkeypatch, capsys, caplog
):
    disk, here = tmp_path / "disk", tmp_path / "here"
    for folder in (disk, here):
        folder.mkdir()
    wanted = run_all(str(disk / "data"), str(disk / "runs"), disk)
    monkeypatch.chdir(here)
    for call in ("GetObject", "PutObject", "HeadObject", "ListObjectsV2"):
        own_service.fail(call, "busy", 3)
    run = any_path("s3://b/runs/one")
    assert run_all("s3://b/sets/rows", "s3://b/runs", here) == wanted
    config = Config.load(run / "config.yaml")
    assert (config.data.path, config.run.storage) == ("s3://b/sets/rows", "s3://b/runs")
    assert sorted(path.name for path in here.iterdir()) == ["predicted.labels.json", "predicted.parquet", "rows.csv"]
    on_disk = Location.of(disk / "runs/one").files()
    assert {name for name in on_disk if "events" not in name} == {name for name in run.files() if "events" not in name}

    monkeypatch.setattr(run_report, "run_page", lambda source, target: f"{source.selection.epoch.tolist()}")  # seconds
    for verb in ("errors", "report"):
        assert main([verb, "s3://b/runs/one"]) == 0
    assert set(run.files()) >= {"errors.html", "report.html"}
    assert (run / "report.html").read_text() == "[0, 1, 2]"

    for place, storage in ((disk / "data", disk / "runs"), ("s3://b/sets/rows", "s3://b/runs")):
        after = ["run.name=two", "selector.name=learnability", f"selector.options.reference={storage}/one"]
        assert (
            main(["train", str(place), *SETTINGS, *after, f"run.storage={storage}", f"model.initial={storage}/one"])
            == 0
        )
    assert run_contents(any_path("s3://b/runs/two")) == run_contents(disk / "runs" / "two")

    assert main(["train", "s3://b/sets/rows", *SETTINGS, "run.storage=s3://b/runs"]) == 2
    assert "a run of this name exists; resume it (d2ace train --resume s3://b/runs/one)" in capsys.readouterr().err
    assert main(["runs", "s3://b/runs"]) == 0 and main(["show", "s3://b/runs/one"]) == 0
    assert "finished" in capsys.readouterr().out
    own_service.fail("GetObject", "denied", 100)
    assert main(["evaluate", "s3://b/runs/one"]) == 2
    said = capsys.readouterr()
    assert "ACCESS_DENIED" in said.err and "credentials: AWS_ACCESS_KEY_ID in the environment;" in said.err
    left = [path.read_bytes() for path in here.rglob("*") if path.is_file()]
    told = (said.out + said.err + caplog.text).encode()
    everything = b"".join([*left, *own_service.buckets["b"].values(), told])
    assert SECRET.encode() not in everything and KEY_ID.encode() not in everything


def test_a_run_in_vain_leaves_nothing_in_the_bucket_and_its_command_can_be_given_again(own_service, tmp_path):
    data = str(write_table(tmp_path / "data"))
    settings = ["train", data, *SETTINGS, "run.storage=s3://b/runs", "train.epochs=1", "selector.name=uniform"]
    assert main([*settings, "optimizer.lr=1e30"]) == 2
    assert any_path("s3://b/runs").files() == {}
    assert main(settings) == 0


def test_of_two_drivers_that_start_one_run_the_second_writes_nothing(own_service, table, tmp_path, monkeypatch):
    run = any_path("s3://b/runs/one")
    config = small_config(table, tmp_path, "run.storage=s3://b/runs", "run.name=one", "train.epochs=1")
    with lock_of(run, "run"), pytest.raises(RunError, match="is writing this run"):
        fit(config, quiet=True)
    assert run.files() == {}

    def other_was_faster(folder, what):
        (folder / "config.yaml").write(b"theirs")
        return lock_of(folder, what)

    monkeypatch.setattr(driver, "lock_of", other_was_faster)
    with pytest.raises(RunError, match="a run of this name exists; resume it"):
        fit(config, quiet=True)
    assert run.files() == {"config.yaml": len(b"theirs")}


def test_what_had_to_be_asked_for_again_is_in_the_runs_record(bucket, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    place = write_table(bucket.address("b/set"))
    for name, failures in (("quiet", 0), ("busy", 3)):
        bucket.fail("GetObject", "busy", failures)
        fit(small_config(place, tmp_path, "train.epochs=2", f"run.name={name}"), quiet=True)
        record = json.loads((tmp_path / name / "result.json").read_text())
        assert record.get("storage_retries") == ({"reading": 3} if failures else None)
