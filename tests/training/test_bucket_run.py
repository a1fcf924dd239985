"""From the command line, in one process: data in a bucket gives the run that the same data on a disk gives."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch
from bucket_fixtures import KEY_ID, SECRET
from small_config import small_config
from small_table import write_table

from d2ace.pipeline import evaluate, fit
from d2ace.pipeline.cli import main

SETTINGS = ["run.workers=0", "train.epochs=2", "train.batch_size=32", "model.options.hidden=[8]", "run.name=one"]


def write_csv(path: Path) -> Path:
    """Write a small learnable table."""
    random = np.random.default_rng(0)
    features = random.normal(size=(120, 3)).round(3)
    labels = (features @ random.normal(size=(3, 2)) > 0.3).astype(int)
    rows = [",".join(map(str, [*row, *label])) for row, label in zip(features, labels, strict=True)]
    path.write_text("\n".join(["a,b,c,y1,y2", *rows]))
    return path


def results(folder: Path) -> list[object]:
    """Return what must be the same of two runs: batches, weights, metrics."""
    run = folder / "runs" / "one"
    order = [path.read_bytes() for path in sorted((run / "order").iterdir())]
    weights = {name: value.tolist() for name, value in torch.load(run / "model.pt").items()}
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    metrics = [{name: value for name, value in line.items() if "loss" in name or "f1" in name} for line in lines]
    assert len(order) == len(metrics) >= 2 and metrics[0]
    return [order, weights, metrics]


def run_all(data: str, folder: Path) -> list[object]:
    """Prepare, train, go on, evaluate and predict in a folder, and return the results."""
    source = write_csv(folder / "rows.csv")
    for command in (
        ["prepare", str(source), data, "--label-prefix", "y"],
        ["train", data, *SETTINGS],
        ["train", "--resume", "runs/one", "train.epochs=3"],
        ["predict", "runs/one", data, "predicted.parquet"],
    ):
        assert main(command) == 0
    return [*results(folder), evaluate("runs/one"), pq.read_table("predicted.parquet").to_pylist()]


def test_a_bucket_gives_the_run_that_a_disk_gives_and_no_key_is_left(bucket, tmp_path, monkeypatch, capsys, caplog):
    disk, run = tmp_path / "disk", tmp_path / "bucket"
    for folder in (disk, run):
        folder.mkdir()
    monkeypatch.chdir(disk)
    wanted = run_all("data", disk)
    monkeypatch.chdir(run)
    bucket.fail("GetObject", "busy", 3)
    place = bucket.address("b/sets/rows")
    assert run_all(place, run) == wanted
    assert f"path: {place}\n" in (run / "runs/one/config.yaml").read_text()

    bucket.fail("GetObject", "denied", 100)
    assert main(["evaluate", "runs/one"]) == 2
    said = capsys.readouterr()
    assert "ACCESS_DENIED" in said.err and "credentials: AWS_ACCESS_KEY_ID in the environment;" in said.err
    assert "is it a folder" not in said.err
    left = [path.read_bytes() for path in run.rglob("*") if path.is_file()]
    told = (said.out + said.err + caplog.text).encode()
    everything = b"".join([*left, *bucket.buckets["b"].values(), told])
    assert SECRET.encode() not in everything and KEY_ID.encode() not in everything


def test_what_had_to_be_asked_for_again_is_in_the_runs_record(bucket, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    place = write_table(bucket.address("b/set"))
    for name, failures in (("quiet", 0), ("busy", 3)):
        bucket.fail("GetObject", "busy", failures)
        fit(small_config(place, tmp_path, "train.epochs=2", f"run.name={name}"), quiet=True)
        record = json.loads((tmp_path / name / "result.json").read_text())
        assert record.get("storage_retries") == ({"reading": 3} if failures else None)
