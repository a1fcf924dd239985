"""``decide`` on a run: what is stored, who uses it, and what cannot be decided; without Ray."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from audited_run import N_ROWS, write_damaged
from page_reader import Page
from small_run import write_run

from d2ace.pipeline import evaluate, predict
from d2ace.pipeline.cli import main
from d2ace.pipeline.common.config.config import Config
from d2ace.pipeline.common.errors import ConfigError, RunError
from d2ace.pipeline.data.manifest import Manifest
from d2ace.pipeline.data.shards import read_labels
from d2ace.pipeline.results.decisions import decide
from d2ace.pipeline.results.report.decisions_section import decisions_section
from d2ace.pipeline.results.report.run_source import RunSource
from d2ace.pipeline.results.report.svg import numbered
from d2ace.pipeline.results.scoring import probabilities_of
from d2ace.pipeline.runs.decisions import read_decisions
from d2ace.pipeline.runs.trained_run import TrainedRun


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A table some of whose labels are unknown, in one shard, so that this process scores it."""
    folder, _ = write_damaged(tmp_path_factory.mktemp("decide") / "data", unknown=True, shard_rows=N_ROWS)
    return folder


@pytest.fixture
def run(data, tmp_path, monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    torch.manual_seed(0)
    return write_run(tmp_path / "run", data, method="uniform")


def test_both_f1s_are_printed_stored_and_those_of_evaluate(run, capsys, caplog):
    assert main(["decide", str(run.path), "--calibration", "temperature"]) == 0
    printed = capsys.readouterr().out
    stored = json.loads(run.decisions.read_text())
    assert stored["rule"] == "f1" and stored["calibration"] == "temperature" and stored["best_epoch"] == 4
    found = evaluate(run.path)
    quality = stored["quality"]["test"]
    for name in ("macro_f1", "micro_f1"):
        assert quality["before"][name] == pytest.approx(found[name], abs=1e-6)
        assert quality["after"][name] == pytest.approx(found[f"{name}@chosen"], abs=1e-6)
        assert f"{quality['after'][name]:.4f}" in printed and f"{quality['before'][name]:.4f}" in printed
    assert quality["after"]["macro_f1"] > quality["before"]["macro_f1"]
    assert "validation" in stored["quality"] and "cat" in printed
    assert "@chosen" not in caplog.text
    evaluate(run.path, split="validation")
    assert "F1 @chosen is too good here: these rows chose the thresholds" in caplog.text


def test_a_wanted_recall_is_reached_on_the_rows_that_chose_it(run):
    decide(run.path, rule="recall=0.8")
    opened = TrainedRun.open(run.path)
    assert read_decisions(run.path).about["rule"] == "recall=0.8"
    manifest = Manifest.load(Config.load(run.config).data.path)
    ids, probabilities = probabilities_of(opened, manifest, opened.data.splits.validation)
    truth = read_labels(manifest).dense(ids)
    decided = probabilities > read_decisions(run.path).raw_thresholds
    assert decided[truth >= 0.5].mean() > 0.7


def test_what_cannot_be_decided_is_told(run, tmp_path):
    with pytest.raises(ConfigError, match="no calibration is called 'plat'; did you mean 'platt'"):
        decide(run.path, calibration="plat")
    with pytest.raises(RunError, match="not a run folder"):
        decide(tmp_path)


def test_predict_decides_and_calibrates_as_stored(run, data, tmp_path):
    plain = np.stack(pq.read_table(predict(run.path, data, tmp_path / "plain"))["probabilities"].to_pylist())
    decisions = decide(run.path, rule="recall=0.9", calibration="beta")
    rows = pq.read_table(predict(run.path, data, tmp_path / "out")).to_pandas()
    assert np.stack(rows["probabilities"]) == pytest.approx(decisions.calibrated(plain), abs=1e-6)
    for mine, labels in zip(plain, rows["labels"], strict=True):
        assert list(labels) == [decisions.labels[j] for j in np.flatnonzero(mine > decisions.raw_thresholds)]


def test_the_report_shows_both_f1s_and_reliability(run):
    source = RunSource.open(run.path)
    assert decisions_section(source) is None
    about = decide(run.path, calibration="temperature").about
    section = decisions_section(source)
    page = Page(numbered(f"<main>{section.body}</main>"))
    assert not page.problems and section.body.count("<figure") == 3
    shown = {tuple(row) for rows in page.tables.values() for row in rows}
    for split, quality in about["quality"].items():
        for when, name in (("before", "0.5 for all labels"), ("after", "chosen")):
            numbers = [f"{quality[when][key]:.4f}" for key in ("macro_f1", "micro_f1", "ece", "label_ece")]
            assert (f"{split}, {name}", str(quality["rows"]), *numbers) in shown
    run.decisions.write_text("{}")
    assert "left out" in decisions_section(source).body
