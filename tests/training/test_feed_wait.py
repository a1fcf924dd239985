"""What workers wait for rows is measured, kept, and told when it is much."""

import time

import numpy as np
import pytest
import torch

from d2ace.pipeline import fit
from d2ace.pipeline.data.manifest import Manifest
from d2ace.pipeline.data.shards import read_labels
from d2ace.pipeline.feeds.gather import GatherFeed
from d2ace.pipeline.feeds.inputs import make_inputs
from d2ace.pipeline.feeds.shard_rows import ShardRows
from d2ace.pipeline.runs.progress import waiting_line
from d2ace.pipeline.runs.run_data import make_run_data
from d2ace.pipeline.selection.batches import Batches
from d2ace.pipeline.training.learner import Learner
from d2ace.pipeline.training.steps import StepRunner

NAP_S = 0.02


class SlowFeed(GatherFeed):
    def part(self, request):
        time.sleep(NAP_S)
        return super().part(request)


@pytest.mark.parametrize("ahead", [0, 4])
def test_the_step_loop_counts_what_it_waits_for(make_config, table, ahead):
    config, manifest = make_config(), Manifest.load(table)
    rows = ShardRows(manifest)
    data = make_run_data(config, read_labels(manifest), rows)
    learner = Learner(config, data.context, torch.device("cpu"), 1, 5)
    feed = SlowFeed(rows.open(), make_inputs(config, manifest, data.scaler), torch.device("cpu"))
    steps = StepRunner(config, learner, feed, ahead=ahead)
    batches = Batches(np.arange(96), np.arange(4) * 32)
    started = time.perf_counter()
    for share in steps.shares(0, batches):
        steps.train(share)
        if share.number == 0:  # the trainer is slower than the feed from now on
            first = steps.feed_wait_s
            time.sleep(8 * NAP_S)
    assert first >= 4 * NAP_S
    assert steps.feed_wait_s >= (12 if ahead == 0 else 4) * NAP_S
    assert steps.feed_wait_s <= time.perf_counter() - started - 8 * NAP_S


def test_it_is_told_above_a_tenth_only():
    assert waiting_line({"train_s": 10.0, "feed_wait_s": 1.0}) is None
    assert waiting_line({"train_s": 10.0}) is None
    told = waiting_line({"train_s": 10.0, "feed_wait_s": 3.46})
    assert told is not None and "waited 35% of the last epoch" in told and "d2ace doctor" in told


def test_a_run_keeps_it_and_tells_it_at_the_end(make_config, monkeypatch, capsys):
    part = GatherFeed.part
    nap_s = 0.2  # long against a step on a loaded machine
    monkeypatch.setattr(GatherFeed, "part", lambda self, request: (time.sleep(nap_s), part(self, request))[1])
    result = fit(make_config("run.name=slow", "train.epochs=2"))
    for record in result.history:
        assert 0 < record["feed_wait_s"] < record["train_s"]
    said = capsys.readouterr().out.splitlines()
    assert said[-1].endswith("d2ace doctor says why") and "epoch   2/2" in said[-2]
