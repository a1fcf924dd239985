"""Measurements on small data: everything is measured, and what is made slow is what is found."""

import json
import threading
import time

import numpy as np
import pytest

from d2ace.pipeline.cli import main
from d2ace.pipeline.common.errors import ConfigError, DataError
from d2ace.pipeline.data.blocks import BlockReader
from d2ace.pipeline.data.manifest import Manifest
from d2ace.pipeline.data.shards import read_labels
from d2ace.pipeline.feeds import image_transform as transform
from d2ace.pipeline.feeds.shard_rows import ShardRows
from d2ace.pipeline.runs.checkpoints import CheckpointStore
from d2ace.pipeline.training.doctor import as_json, as_text, examine, sample
from d2ace.pipeline.training.doctor.findings import STAGES
from d2ace.pipeline.training.doctor.selection_stages import measure_selection
from d2ace.pipeline.training.learner import Learner
from d2ace.pipeline.training.local_run import LocalRun, Prepared
from d2ace.selectors import api as selectors
from d2ace.selectors.d2ace import D2ACE

pytestmark = pytest.mark.usefixtures("ray_session")
BUDGET_S = 0.05


def slow(monkeypatch, owner, name, nap_s):
    """Put a nap before every call; in the thread that measures, the clock jumps instead."""
    work, clock, napped = getattr(owner, name), time.perf_counter, []

    def napping(*arguments, **settings):
        if threading.current_thread() is threading.main_thread():
            napped.append(nap_s)
        else:
            time.sleep(nap_s)
        return work(*arguments, **settings)

    monkeypatch.setattr(owner, name, napping)
    monkeypatch.setattr(time, "perf_counter", lambda: clock() + sum(napped))


@pytest.mark.parametrize("kind", ["table", "digits"])
def test_every_stage_is_measured(request, make_config, tmp_path, kind):
    path = request.getfixturevalue(kind)
    found = examine(make_config(path), budget_s=BUDGET_S)
    assert set(found.rates) == set(STAGES) - {"transfer"}
    assert all(rate.rows > 0 and rate.seconds > 0 for rate in found.rates.values())
    manifest = Manifest.load(path)
    assert found.size.rows == manifest.rows
    assert found.size.train + found.size.validation < manifest.rows
    assert found.memory.data > 0 and found.memory.store > 0 and found.memory.state > 0.2 * 2**30
    plain = json.loads(json.dumps(as_json(found)))
    assert plain["epoch_s"] == pytest.approx(sum(plain["parts_s"].values()))
    text = as_text(found)
    assert all(stage in text for stage in found.rates) and "bound by" in text
    assert list((tmp_path / "runs").iterdir()) == []  # the checkpoint is gone again


@pytest.mark.parametrize(
    ("owner", "name", "bound"),
    [
        (BlockReader, "gather", "feed"),
        (Learner, "step", "step"),
        (D2ACE, "observe", "observe"),
        (Learner, "probabilities", "evaluation"),
    ],
)
def test_what_is_slow_is_found(make_config, digits, monkeypatch, owner, name, bound):
    slow(monkeypatch, owner, name, 0.3)  # long against what else a loaded machine does meanwhile
    many = ["data.validation_fraction=0.6", "data.split=stratified"] if bound == "evaluation" else []
    found = examine(make_config(digits, "train.micro_batches=1", *many), budget_s=0.3)
    assert found.bound == bound, found.parts


@pytest.mark.parametrize(
    ("owner", "name", "bound"), [(D2ACE, "end_epoch", "rescore"), (CheckpointStore, "save", "checkpoint")]
)
def test_what_is_slow_once_an_epoch_is_found(make_config, table, monkeypatch, owner, name, bound):
    slow(monkeypatch, owner, name, 4.0)
    found = examine(make_config(table), budget_s=BUDGET_S)
    assert found.bound == bound and found.epoch_s >= 4.0


def test_it_finds_what_a_real_epoch_spends(make_config, digits, monkeypatch):
    """A nap for each image, long beside what busy cores do to the rest: an epoch and the doctor find all of them."""
    nap, config = 0.02, make_config(digits, "images.threads=1")
    manifest = Manifest.load(digits)
    run = LocalRun(config, Prepared(ShardRows(manifest), read_labels(manifest)))
    slow(monkeypatch, transform, "decode", nap)
    naps = len(run.data.splits.train) * nap
    assert run.epoch(0)["train_s"] >= naps
    found = examine(config, budget_s=0.5)
    assert found.bound == "feed", found.parts
    assert found.feed_s >= found.seconds("decode") >= naps
    assert found.epoch_s >= naps
    assert max(found.seconds("gather"), found.seconds("step")) < found.seconds("decode")


def test_only_as_much_is_read_as_there_is_time_for(table, monkeypatch):
    manifest = Manifest.load(table)
    assert len(manifest.shards) == 4
    part = sample.read_sample(manifest, 0.0)
    assert part.reading.rows == manifest.shards[0].rows
    whole = sample.read_sample(manifest, 60.0)
    assert whole.reading.rows == manifest.rows
    np.testing.assert_array_equal(whole.store.open().ids(), np.arange(manifest.rows))
    monkeypatch.setattr(sample, "_STORE_SHARE", 0.0)
    assert sample.read_sample(manifest, 60.0).reading.rows == manifest.shards[0].rows


@pytest.mark.parametrize("method", selectors.names())
def test_every_method_is_measured(make_config, table, method):
    manifest = Manifest.load(table)
    config = make_config(table).model_dump()
    config["selector"] = {"name": method, "options": {"reference": "nowhere"} if method == "learnability" else {}}
    cost = measure_selection(make_config(table).make(config), read_labels(manifest))
    assert cost.rates["observe"].rows >= manifest.rows / 2
    assert cost.rates["rescore"].rows == manifest.rows


def test_state_bytes_follow_the_model_of_the_scaling_page(make_config, table):
    labels = read_labels(Manifest.load(table))
    rows, width = labels.shape
    small = measure_selection(make_config(table), labels).state_bytes
    long = measure_selection(make_config(table, "selector.options.history=9"), labels).state_bytes
    half = measure_selection(make_config(table, "selector.options.history_dtype=float16"), labels).state_bytes
    assert long - small == 4 * 4 * rows * width
    assert small - half == 5 * 2 * rows * width
    split = measure_selection(make_config(table, "selector.ranges=2"), labels)
    fixed = int(0.2 * 2**30) + 90 * width**2  # of every process; pairs of labels are not divided
    assert split.state_bytes - fixed == pytest.approx((small - fixed) / 2, abs=1)


def test_the_command_prints_numbers_or_a_table(make_config, table, tmp_path, capsys):
    file = tmp_path / "run.yaml"
    make_config(table).save(file)
    common = ["--seconds", "0.02"]
    assert main(["doctor", str(file), "train.batch_size=16", "--json", *common]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["size"]["steps"] == -(-printed["size"]["train"] // 16)
    assert main(["doctor", str(table), f"run.storage={tmp_path}", *common]) == 0
    assert "bound by" in capsys.readouterr().out


def test_wrong_input_is_refused(make_config, table, tmp_path):
    with pytest.raises(ConfigError, match="above 0, got 0"):
        examine(make_config(table), budget_s=0)
    with pytest.raises(DataError, match="cannot be read"):
        examine(make_config(tmp_path))
    with pytest.raises(ConfigError, match="hiden"):
        examine(make_config(table, "model.options={hiden: [3]}"))
