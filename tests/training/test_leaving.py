"""Workers whose node is about to be taken away keep a checkpoint at the step where they hear of it, and lose none."""

import itertools
from types import SimpleNamespace

import pytest
from runs_under_fire import equal_runs
from whole_runs import train_with

from d2ace.pipeline.runs.checkpoints import CheckpointStore
from d2ace.pipeline.training.hooks import leaving
from d2ace.pipeline.training.hooks.leaving import Leaving, NodeLeavesError
from d2ace.pipeline.training.loop import Hook

EPOCHS = 3


class Steps(Hook):
    """Notes every step that is trained."""

    def __init__(self):
        self.seen = []

    def after_batch(self, training, epoch, step):
        self.seen.append((epoch.number, step.number))


@pytest.fixture
def run(make_config, prepared, monkeypatch):
    """Return a function that trains a run of a name, and a hook that notes its steps; asks come after every step."""
    monkeypatch.setattr(leaving, "ASK_S", 0.0)
    steps = Steps()

    def train(name, notice=None, *overrides):
        config = make_config(f"run.name={name}", f"train.epochs={EPOCHS}", "model.options.dropout=0.2", *overrides)
        return train_with(config, prepared, steps, notice=notice)

    return train, steps


def notice_at(place, steps):
    """Return what gives notice as soon as a step is trained."""
    return lambda: "node ab is taken away in 9 s" if place in steps.seen else None


@pytest.mark.parametrize("every", [0, 3], ids=["no other checkpoint", "one every three steps"])
def test_no_step_is_lost_and_none_is_trained_twice(run, tmp_path, every):
    train, steps = run
    expected = train("undisturbed")
    order, steps.seen[:] = list(steps.seen), []
    last = max(step for _, step in order)
    storage, own = tmp_path / "runs" / "moved", f"run.checkpoint_steps={every}"
    for heard, goes_on in (((0, 2), (0, 3)), ((1, 0), (1, 1)), ((1, last), (2, 0))):
        with pytest.raises(NodeLeavesError, match=r"^node ab is taken away in 9 s$"):
            train("moved", notice_at(heard, steps), own)
        newest = CheckpointStore(storage / "checkpoints").latest()
        assert (newest.epoch, newest.step) == goes_on
    folder = train("moved", notice_at((2, last), steps), own)  # the run is at its end: it does not start again
    assert steps.seen == order
    assert equal_runs(folder.path, expected.path)
    assert [record["epoch"] for record in folder.read_metrics()] == list(range(EPOCHS))


class Clock:
    """A clock by which a step takes some seconds, and an epoch's end as well."""

    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now


def asks(monkeypatch, seconds, world=2):
    """Return at which of these steps is asked, and what the first worker told the others."""
    clock, asked, agreed = Clock(), [], []
    monkeypatch.setattr(leaving, "time", clock)
    ranks = SimpleNamespace(agree=lambda value: (agreed.append(value), value)[1])
    training = SimpleNamespace(ranks=ranks, config=SimpleNamespace(train=SimpleNamespace(epochs=9)))
    hook = Leaving(lambda: asked.append(number), None)
    epoch = SimpleNamespace(number=0, batches=range(10**6))
    for number, each in enumerate(seconds, 1):
        clock.now += each
        hook.after_batch(training, epoch, SimpleNamespace(number=number - 1))
    return asked, agreed


@pytest.mark.parametrize(
    ("seconds", "asked"),
    [
        ([1 / 1024] * 2200, [1, 11, 111, 1111, 2135]),
        ([1 / 8] * 26, [1, 9, 17, 25]),
        ([3.0] * 4, [1, 2, 3, 4]),
        ([5.0] + [1 / 64] * 200, [1, 2, 12, 76, 140]),
    ],
    ids=["fast steps", "ten a second", "slow steps", "a slow first step"],
)
def test_it_asks_about_once_a_second_at_steps_that_all_workers_know(monkeypatch, seconds, asked):
    found, agreed = asks(monkeypatch, seconds)
    assert found == asked
    assert [b - a for a, b in itertools.pairwise(found)] == agreed[: len(found) - 1]


def test_the_last_epoch_is_finished(monkeypatch):
    training = SimpleNamespace(config=SimpleNamespace(train=SimpleNamespace(epochs=3)))
    hook = Leaving(lambda: pytest.fail("nobody need ask"), None)
    hook.after_epoch(training, SimpleNamespace(number=2))
