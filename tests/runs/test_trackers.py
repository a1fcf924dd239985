"""Trackers hear of runs in a thread of their own; a tracker that fails is told once, and no run ends because of it."""

import json
import logging
import os
import struct
from importlib.util import find_spec
from pathlib import Path
from threading import Event
from types import SimpleNamespace

import pytest

from d2ace.pipeline import fit
from d2ace.pipeline.common.errors import ConfigError
from d2ace.pipeline.runs.trackers import api, sending, wandb_tracker
from d2ace.pipeline.runs.trackers.api import Place, Tracked, Tracker
from d2ace.pipeline.runs.trackers.tracking import RUN, Tracking, tracked
from d2ace.pipeline.studies.compare.tracking import track_row

ABOUT = {"model": {"name": "mlp", "options": {}}, "train": {"epochs": 2}}


class Heard(Tracker):
    """Remembers what it was told; ``down`` makes it fail."""

    told: list
    down = False

    def __init__(self, place):
        self.place = place

    def _hear(self, *what):
        type(self).called.set()
        if type(self).down:
            raise ConnectionError("nobody at http://me:secret@host:5000\nsecond line")
        type(self).told.append(what)

    def open(self):
        self._hear("open", self.place.whole and self.place.whole.name)
        return "whole" if self.place.whole else None

    def begin(self, run):
        self._hear("begin", run.name, run.known)
        return run.known or f"id of {run.name}"

    def log(self, run_id, epoch, numbers):
        self._hear("log", run_id, epoch, numbers)

    def end(self, run_id, numbers, state):
        self._hear("end", run_id, numbers, state)

    def close(self, state):
        self._hear("close", state)


@pytest.fixture(autouse=True)
def _patience(monkeypatch):
    """No test may fail because a thread, or W&B's own process, waits for a CPU."""
    monkeypatch.setattr(sending, "CLOSE_S", 250.0)
    monkeypatch.setattr(sending, "FAILING_S", 250.0)
    monkeypatch.setattr(wandb_tracker, "_WAIT_S", 250)


@pytest.fixture
def heard(monkeypatch):
    """The tracker that stands in for both; no package is needed."""
    cls = type("Fresh", (Heard,), {"told": [], "down": False, "called": Event()})
    monkeypatch.setattr("d2ace.pipeline.runs.trackers.tracking.REGISTRY", SimpleNamespace(find=lambda name: cls))
    monkeypatch.setattr("d2ace.pipeline.runs.trackers.tracking.require_installed", lambda names: None)
    monkeypatch.setattr("d2ace.pipeline.training.checks.require_installed", lambda names: None)
    return cls


def test_a_run_is_told_from_its_first_epoch_to_its_test(heard, make_config):
    result = fit(make_config("run.workers=0", "train.epochs=2", "run.trackers=mlflow"), quiet=True)
    kinds = [what[0] for what in heard.told]
    assert kinds == ["open", "begin", "log", "log", "end", "close"]
    assert heard.told[2][3]["train_loss"] == result.history[0]["train_loss"]
    assert heard.told[4][2]["test/macro_auc"] == result.test["macro_auc"]
    assert heard.told[4][3] == "finished"
    assert not (result.folder / "tensorboard").exists()


def test_without_trackers_nothing_is_kept(make_config, tmp_path):
    with tracked(["tensorboard"], Place(tmp_path)) as tracking:
        tracking.begin(RUN, "run", ABOUT)
        tracking.log(RUN, {"epoch": 0, "map": 0.5})
    assert list(tmp_path.iterdir()) == []


def test_who_goes_on_tells_the_same_run_and_no_epoch_twice(heard, tmp_path):
    for epochs in (2, 3):
        with tracked(["mlflow"], Place(tmp_path)) as tracking:
            tracking.begin(RUN, "first", ABOUT)
            for epoch in range(epochs):
                tracking.log(RUN, {"epoch": epoch, "map": 0.5, "loss": float("nan"), "word": "x"})
    assert [what[1:] for what in heard.told if what[0] == "begin"] == [("first", None), ("first", "id of first")]
    assert [what[2] for what in heard.told if what[0] == "log"] == [0, 1, 2]
    assert heard.told[2][3] == {"map": 0.5}


@pytest.mark.parametrize(("error", "state"), [(RuntimeError, "failed"), (KeyboardInterrupt, "killed")])
def test_a_run_that_breaks_off_is_ended_with_its_state(heard, tmp_path, error, state):
    def broken_off():
        with tracked(["wandb"], Place(tmp_path)) as tracking:
            tracking.begin(RUN, "first", ABOUT)
            raise error

    with pytest.raises(error):
        broken_off()
    assert heard.told[-2:] == [("end", "id of first", {}, state), ("close", state)]


def test_one_that_cannot_be_reached_is_told_once_without_its_keys(heard, tmp_path, caplog):
    heard.down = True
    with caplog.at_level(logging.INFO, "d2ace"), tracked(["mlflow"], Place(tmp_path)) as tracking:
        tracking.begin(RUN, "first", ABOUT)
        for epoch in range(5):
            tracking.log(RUN, {"epoch": epoch, "map": 0.5})
    told = [record.message for record in caplog.records if "tracker mlflow" in record.message]
    assert told[0] == "tracker mlflow: nobody at http://***@host:5000; the run goes on, and it is tried again"
    assert len(told) == 2 and "lacks the last news" in told[1]
    assert heard.told == []


def test_what_it_missed_is_told_when_it_answers_again(heard, tmp_path, caplog):
    heard.down = True
    tracking = Tracking(["mlflow"], Place(tmp_path))
    tracking.begin(RUN, "first", ABOUT)
    assert heard.called.wait(200)
    heard.down = False
    tracking.log(RUN, {"epoch": 0, "map": 0.5})
    tracking.close("finished")
    assert [what[0] for what in heard.told] == ["open", "begin", "log", "close"]


def test_keys_of_the_environment_are_in_no_message(monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "0123456789abcdef")
    assert sending.safe_text(ValueError("key 0123456789abcdef is wrong")) == "key *** is wrong"
    assert sending.safe_text(ValueError("at https://u:p@host/x?token=1 no")) == "at https://***@host/x no"
    assert sending.safe_text(ValueError()) == "ValueError"


def test_a_missing_package_is_told_before_anything_starts(monkeypatch, make_config):
    monkeypatch.setattr(api.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"run.trackers: 'wandb' needs .* pip install 'd2ace\[wandb\]'"):
        fit(make_config("run.trackers=[tensorboard,wandb]"), quiet=True)


def study_row(**changes):
    row = {"key": "k1", "data": "d", "network": "mlp", "method": "uniform", "fold": 0, "seed": 3, "error": None}
    columns = {"train_s": [0.5, 0.25], "validation/map": [0.5, 0.75], "label_positives": [7, 9], "best_epoch": 1}
    return row | columns | {"config": json.dumps(ABOUT)} | changes


def test_a_run_of_a_study_is_told_from_its_row(heard, tmp_path):
    with tracked(["mlflow"], Place(tmp_path, "study", Tracked("small"))) as tracking:
        track_row(tracking, study_row())
        failed = study_row(key="k2", error="its process was killed")
        track_row(tracking, {name: value for name, value in failed.items() if not isinstance(value, list)})
    assert heard.told[0] == ("open", "small")
    own = "id of d x mlp x uniform, fold 0, seed 3"
    assert heard.told[2] == ("log", own, 0, {"train_s": 0.5, "validation/map": 0.5})
    assert heard.told[4] == ("end", own, {"best_epoch": 1.0}, "finished")
    assert [what[0] for what in heard.told[5:]] == ["begin", "end", "close"]
    assert heard.told[6][3] == "failed"


def test_trials_of_a_sweep_are_told_epoch_by_epoch(heard, tmp_path):
    import pickle

    from d2ace.pipeline.studies.tune.sweep import Sweep
    from d2ace.pipeline.studies.tune.tracking import TrackTrials

    knob = {"low": 1e-4, "high": 1e-2, "log": True}
    config = {"data": {"path": str(tmp_path)}, "run": {"trackers": ["mlflow"], "workers": 0}}
    sweep = Sweep.make({"name": "small", "config": config, "knobs": {"optimizer.lr": knob}, "trials": 2})
    callback = pickle.loads(pickle.dumps(TrackTrials(sweep, tmp_path)))
    trial = SimpleNamespace(
        trial_id="t1", config={"point": {"optimizer.lr": 1e-3}}, last_result={"best": 0.5, "epoch": 2}
    )
    for epoch in (1, 2):
        callback.on_trial_result(1, [], trial, {"epoch": epoch, "score": 0.25, "best": 0.5, "seconds": 1.0})
    callback.on_trial_complete(1, [], trial)
    callback.on_experiment_end([])
    assert [what[0] for what in heard.told] == ["open", "begin", "log", "log", "end", "close"]
    assert heard.told[3] == ("log", "id of t1", 1, {"score": 0.25, "best": 0.5, "seconds": 1.0})


def tell_a_study(name: str, folder: Path) -> dict[str, str]:
    """Tell a tracker of a study of two runs, of which one fails; returns its ids."""
    with tracked([name], Place(folder, "study", Tracked("small", {"reference": "uniform"}))) as tracking:
        track_row(tracking, study_row())
        track_row(tracking, study_row(key="k2", seed=4, error="lost"))
    return json.loads((folder / "trackers.json").read_text())["ids"][name]


@pytest.mark.skipif(find_spec("mlflow") is None, reason="pip install 'd2ace[mlflow]'")
def test_mlflow_has_the_runs_of_a_study_below_one(tmp_path, monkeypatch):
    """Tell a store of files, which takes least; or the server whose address ``D2ACE_TEST_MLFLOW`` holds."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", os.environ.get("D2ACE_TEST_MLFLOW") or (tmp_path / "store").as_uri())
    ids = tell_a_study("mlflow", tmp_path / "study")
    from mlflow.tracking import MlflowClient

    client = MlflowClient()
    parent, good, bad = (client.get_run(ids[key]) for key in ("", "k1", "k2"))
    assert client.get_experiment(parent.info.experiment_id).name == "d2ace"
    assert (parent.info.run_name, parent.data.tags["d2ace.kind"]) == ("small", "study")
    assert {run.data.tags["mlflow.parentRunId"] for run in (good, bad)} == {parent.info.run_id}
    assert [run.info.status for run in (parent, good, bad)] == ["FINISHED", "FINISHED", "FAILED"]
    assert good.data.params["config.model.name"] == "mlp" and good.data.params["seed"] == "3"
    values = client.get_metric_history(good.info.run_id, "validation/map")
    assert sorted((value.step, value.value) for value in values) == [(0, 0.5), (1, 0.75)]
    assert "mlflow.user" not in good.data.tags


def wandb_records(content: bytes):
    """Yield what an offline file of one block holds: LevelDB's log format after seven bytes."""
    from wandb.proto.wandb_internal_pb2 import Record

    assert content[:4] == b":W&B"
    assert len(content) < 32768
    place = 7
    while place < len(content):
        length, kind = struct.unpack_from("<HB", content, place + 4)
        assert kind == 1  # a whole record
        yield Record.FromString(content[place + 7 : place + 7 + length])
        place += 7 + length


@pytest.mark.skipif(find_spec("wandb") is None, reason="pip install 'd2ace[wandb]'")
def test_wandb_writes_the_runs_of_a_study_as_one_group(tmp_path, monkeypatch):
    monkeypatch.delenv("WANDB_MODE", raising=False)
    ids = tell_a_study("wandb", tmp_path)
    found = {}
    for key in ("k1", "k2"):
        (file,) = tmp_path.glob(f"wandb/offline-run-*-{ids[key]}/run-*.wandb")
        found[key] = list(wandb_records(file.read_bytes()))
    run = next(record.run for record in found["k1"] if record.HasField("run"))
    assert (run.project, run.run_group, run.job_type) == ("d2ace", "small", "study")
    assert run.display_name == "d x mlp x uniform, fold 0, seed 3"
    rows = [record.history for record in found["k1"] if record.HasField("history")]
    items = [{item.key or "/".join(item.nested_key): item.value_json for item in row.item} for row in rows]
    assert [json.loads(row["validation/map"]) for row in items] == [0.5, 0.75]
    codes = [record.exit.exit_code for key in found for record in found[key] if record.HasField("exit")]
    assert codes == [0, 1]
