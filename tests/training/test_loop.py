"""The loop of an epoch and its hooks, and whole runs that train in this process."""

from pathlib import Path

import numpy as np
import pytest
import torch
from whole_runs import StopAt, StoppedError, train_with

from d2ace.pipeline import fit
from d2ace.pipeline.common.errors import ConfigError, RunError
from d2ace.pipeline.runs.checkpoints import CheckpointStore
from d2ace.pipeline.runs.run_folder import RunFolder
from d2ace.pipeline.selection.recording import read_recording
from d2ace.pipeline.training import driver
from d2ace.pipeline.training.hooks.training_loss import TrainingLoss
from d2ace.pipeline.training.local_run import LocalRun
from d2ace.pipeline.training.loop import Hook


class Diary(Hook):
    """Notes every call; counts batches, and keeps the count in checkpoints."""

    def __init__(self):
        self.calls, self.batches = [], 0

    def before_epoch(self, training, epoch):
        self.calls.append(("before_epoch", epoch.number))

    def before_batch(self, training, epoch, share):
        self.calls.append(("before_batch", share.number))
        return share

    def after_batch(self, training, epoch, step):
        self.calls.append(("after_batch", step.number))
        self.batches += 1

    def after_steps(self, training, epoch):
        self.calls.append(("after_steps", epoch.number))
        assert epoch.train_s == 0

    def after_epoch(self, training, epoch):
        self.calls.append(("after_epoch", epoch.number))
        assert epoch.train_s > 0
        epoch.record["batches_so_far"] = self.batches

    def state_dict(self, training):
        return {"batches": self.batches}

    def load_state_dict(self, training, state):
        self.batches = state["batches"]


class Poison(Hook):
    """Spoils a run at one step: the rows it learns from, the weights right after it, or the loss it shows."""

    def __init__(self, what, epoch, step):
        self.what, self.at = what, (epoch, step)

    def before_batch(self, training, epoch, share):
        if self.what == "weights before" and (epoch.number, share.number) == self.at:
            self.spoil(training)
        if self.what == "rows" and epoch.number >= self.at[0]:
            for micro in share.micro_batches:
                micro.part.features[:] = torch.nan
        return share

    def after_batch(self, training, epoch, step):
        if (epoch.number, step.number) != self.at:
            return
        if self.what == "weights after":
            self.spoil(training)
        if self.what == "loss":
            next(hook for hook in training.hooks if isinstance(hook, TrainingLoss))._losses[step.number] = torch.inf

    @staticmethod
    def spoil(training):
        next(training.learner.model.parameters()).data[:] = torch.inf


def test_hooks_are_called_in_the_order_of_an_epoch(make_config, prepared):
    diary = Diary()
    run = LocalRun(make_config("train.batch_size=100"), prepared, hooks=[diary])
    run.epoch(0)
    batches = [(when, number) for number in range(2) for when in ("before_batch", "after_batch")]
    assert diary.calls == [("before_epoch", 0), *batches, ("after_steps", 0), ("after_epoch", 0)]


def test_what_hooks_record_and_remember_goes_into_metrics_and_checkpoints(make_config, prepared):
    """A run that stops in mid-epoch goes on with the hook's own state, and its records are those of an unbroken one."""
    options = ("train.epochs=3", "run.checkpoint_steps=3")
    unbroken = train_with(make_config("run.name=a", *options), prepared, Diary())
    broken = make_config("run.name=b", *options)
    with pytest.raises(StoppedError):
        train_with(broken, prepared, Diary(), StopAt(1, 4))
    resumed = Diary()
    folder = train_with(broken, prepared, resumed)
    assert resumed.calls[:2] == [("before_epoch", 1), ("before_batch", 3)]
    counts = [record["batches_so_far"] for record in folder.read_metrics()]
    assert counts == [record["batches_so_far"] for record in unbroken.read_metrics()] == [6, 12, 18]
    for epoch in range(3):
        np.testing.assert_array_equal(*(np.load(f.selection.order(epoch)) for f in (folder, unbroken)))
    weights, expected = (torch.load(f.weights, weights_only=True) for f in (folder, unbroken))
    assert all(torch.equal(weights[name], expected[name]) for name in expected)


def test_a_run_without_workers_starts_no_ray(make_config, monkeypatch):
    def refuse(*_):
        raise AssertionError("Ray was asked for")

    for name in ("ray_session", "materialise", "choose_feed"):
        monkeypatch.setattr(driver, name, refuse)
    result = fit(make_config("run.name=a", "train.epochs=2", "run.record_observations=true"), quiet=True)
    folder = RunFolder.open(result.folder)
    assert folder.read_result()["feed"] == "gather"
    assert folder.selection.drawn_epochs() == folder.selection.recorded_epochs() == 2
    assert [c.epoch for c in CheckpointStore(folder.checkpoints).complete()] == [2]
    assert len(folder.read_metrics()) == 2 and folder.weights.is_file()


@pytest.mark.parametrize("override", ["run.workers=1", "selector.ranges=2", "run.feed=stream"])
def test_workers_ranges_and_streams_need_ray(make_config, override):
    assert driver.needs_ray(make_config(override)) and not driver.needs_ray(make_config())


@pytest.mark.parametrize("reduction", ["exact", "ddp"])
@pytest.mark.parametrize(
    ("what", "step", "words"),
    [
        ("weights before", 2, "the gradient is not finite"),
        ("rows", 0, "the gradient is not finite"),
        ("weights after", 2, "the weights are not finite"),  # a checkpoint in mid-epoch is due
        ("weights after", 5, "the weights are not finite"),  # the last step of the epoch
        ("loss", 2, "the training loss is not finite"),
    ],
)
def test_a_divergence_stops_the_run_and_leaves_its_good_checkpoints(
    make_config, prepared, reduction, what, step, words
):
    settings = f"train.reduction={reduction}", "train.epochs=5", "run.checkpoint_steps=3"
    config = make_config("run.name=a", *settings)
    with pytest.raises(RunError, match=f"{words}.*optimizer.lr"):
        train_with(config, prepared, Poison(what, 2, step))
    folder = RunFolder.open(Path(config.run.storage) / "a")
    kept = CheckpointStore(folder.checkpoints).complete()
    assert [(c.epoch, c.step) for c in kept] == [(1, 3), (2, 0)] if step < 5 else [(2, 0), (2, 3)]
    for checkpoint in kept:
        state = checkpoint.training_state()
        weights = [*state["learner"]["model"].values(), *state["best"]["weights"].values()]
        assert all(weight.isfinite().all() for weight in weights)
    assert len(folder.read_metrics()) == 2
    assert train_with(config, prepared).weights.is_file()  # without what spoiled it


def test_a_loss_scale_that_only_falls_stops_the_run(make_config, prepared):
    """A few bad steps are what loss scaling is for; but no step of the second epoch on is a good one."""
    config = make_config("run.name=a", "train.reduction=ddp", "train.epochs=99")
    train = config.train.model_copy(update={"precision": "fp16"})  # meant for GPUs, but a CPU can do it
    config = config.model_copy(update={"train": train})
    with pytest.raises(RunError, match="however small the loss is scaled"):
        train_with(config, prepared, Poison("rows", 1, 0))


def test_a_run_with_an_entry_policy_resumes_bit_for_bit_and_selection_judges_the_labels_as_given(make_config, prepared):
    entries = 'selector.entries={"policy": "correct", "options": {"release": 2, "ramp": 2, "gate": 0, "skill": 0}}'
    options = ("train.epochs=4", "run.checkpoint_steps=3", "run.record_observations=true", entries)
    unbroken = train_with(make_config("run.name=a", *options), prepared)
    broken = make_config("run.name=b", *options)
    with pytest.raises(StoppedError):
        train_with(broken, prepared, StopAt(1, 4))  # in the epoch at whose end the validation rows are shown
    folder = train_with(broken, prepared)
    weights, expected = (torch.load(f.weights, weights_only=True) for f in (folder, unbroken))
    assert all(torch.equal(weights[name], expected[name]) for name in expected)
    records = unbroken.read_metrics()
    assert [record["selection/entries_gate_open"] for record in records] == [False, True, True, True]
    assert [record["selection/entries_settled"] for record in records] == [1, 1, 0, 2]
    best = CheckpointStore(unbroken.checkpoints).intact().training_state()["best"]
    assert best["epoch"] == 3 and best["settled"] == 2  # whatever its validation metric
    assert records[-1]["selection/entries_flagged"] > 0
    for epoch in range(4):
        seen = read_recording(unbroken.selection, epoch)
        labels = prepared.labels.dense(seen.ids)
        want = -np.log(np.where(labels == 1, seen.probabilities, 1 - seen.probabilities))
        np.testing.assert_allclose(seen.losses, want, rtol=1e-3, atol=1e-5)
        assert (seen.held_out is not None) == (epoch == 1)
    ids = unbroken.data.load().splits.validation
    np.testing.assert_array_equal(read_recording(unbroken.selection, 1).held_out[1], prepared.labels.dense(ids))


def test_a_run_whose_gate_stays_shut_is_the_run_without_a_policy_to_the_last_bit(make_config, prepared):
    entries = 'selector.entries={"policy": "correct", "options": {"release": 1, "gate": 1}}'
    shut, none = (
        train_with(make_config(f"run.name={name}", "train.epochs=3", *options), prepared)
        for name, options in (("a", [entries]), ("b", []))
    )
    weights, expected = (torch.load(folder.weights, weights_only=True) for folder in (shut, none))
    assert all(torch.equal(weights[name], expected[name]) for name in expected)
    assert shut.read_metrics()[-1]["selection/entries_skill"] >= 0  # it has counted
    best = [CheckpointStore(folder.checkpoints).intact().training_state()["best"]["epoch"] for folder in (shut, none)]
    assert best[0] == best[1]


def test_a_policy_that_counts_on_validation_rows_needs_some(make_config, prepared):
    entries = 'selector.entries={"policy": "correct"}'
    with pytest.raises(
        ConfigError, match=r"raise data.validation_fraction, or say in selector.entries.options.expected"
    ):
        train_with(make_config("run.name=a", "data.validation_fraction=0", entries), prepared)
