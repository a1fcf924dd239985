"""The learning rate over a whole run: that of its schedule, step by step, whatever the number of steps."""

import pytest
from small_config import small_config

from d2ace.pipeline.common.config.sections import OptimizerSection
from d2ace.pipeline.data.manifest import Manifest
from d2ace.pipeline.data.shards import read_labels
from d2ace.pipeline.feeds.shard_rows import ShardRows
from d2ace.pipeline.training.local_run import LocalRun, Prepared
from d2ace.pipeline.training.optim import Schedule

EPOCHS, RATE = 4, 0.03


@pytest.fixture(scope="module")
def prepared(table):
    return Prepared(ShardRows(Manifest.load(table)), read_labels(Manifest.load(table)))


def rates_of(table, prepared, storage, kind, *selector):
    """Return the rate of every step of a run, as a share of its largest, and the batches of a whole epoch."""
    config = small_config(
        table, storage, f"train.epochs={EPOCHS}", f"optimizer={{lr: {RATE}, schedule: {kind}}}", *selector
    )
    run, rates = LocalRun(config, prepared), []
    run.training.learner.optimizer.register_step_pre_hook(
        lambda optimizer, *_: rates.append(optimizer.param_groups[0]["lr"] / RATE)
    )
    for epoch in range(EPOCHS):
        run.epoch(epoch)
    return rates, -(-len(run.data.splits.train) // config.train.batch_size)


@pytest.mark.parametrize("kind", ["constant", "cosine", "onecycle"])
def test_uniform_batches_have_the_schedules_rate_in_every_step(kind, table, prepared, tmp_path):
    rates, batches = rates_of(table, prepared, tmp_path, kind, "selector={name: uniform, options: {}}")
    warm_up = round(OptimizerSection(schedule=kind).warmup_epochs * batches)
    schedule = Schedule(kind, warm_up, EPOCHS * batches)
    assert rates == pytest.approx([schedule(step) for step in range(EPOCHS * batches)], rel=1e-12)


@pytest.mark.parametrize("kind", ["cosine", "onecycle"])
@pytest.mark.parametrize(("name", "options"), [("rs2", "share: 0.4"), ("infobatch", "prune: 0.6, prune_until: 1.0")])
def test_a_method_that_takes_fewer_steps_comes_to_the_same_end(name, options, kind, table, prepared, tmp_path):
    uniform, batches = rates_of(table, prepared, tmp_path, kind, "selector={name: uniform, options: {}}")
    rates, _ = rates_of(table, prepared, tmp_path, kind, f"selector={{name: {name}, options: {{{options}}}}}")
    assert len(rates) < len(uniform) == EPOCHS * batches
    assert max(rates) == pytest.approx(max(uniform), abs=0.05)
    assert rates[-1] < 0.05 and uniform[-1] < 0.01
