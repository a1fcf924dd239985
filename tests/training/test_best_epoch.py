"""Which epoch is the best: by the monitored metric, among those that an entry policy has settled for."""

from types import SimpleNamespace

import pytest

from d2ace.pipeline.training.best_epoch import best_epoch, is_better
from d2ace.pipeline.training.hooks import validation
from d2ace.pipeline.training.hooks.validation import settled


@pytest.mark.parametrize(
    ("new", "best", "better"),
    [
        ((0.7, 2), (0.6, 2), True),
        ((0.6, 2), (0.6, 2), False),
        ((0.7, 1), (0.6, 1), True),
        ((0.5, 2), (0.6, 1), True),
        ((0.7, 1), (0.6, 2), False),
        ((0.7, 0), (0.6, 1), False),
        ((float("nan"), 2), (0.6, 2), False),
    ],
)
def test_a_settled_epoch_is_better_than_any_other(new, best, better):
    new, best = ({"value": value, "settled": number} for value, number in (new, best))
    assert is_better("map", new, best) == better


def test_the_best_epoch_of_an_older_checkpoint_stands_for_a_settled_one():
    assert not is_better("map", {"value": 0.5, "settled": 1}, {"value": 0.6})
    assert not is_better("map", {"value": 0.7, "settled": 0}, {"value": 0.6})


def test_the_best_of_many_epochs_is_the_first_of_the_best_ones_that_are_settled_most():
    nan = float("nan")
    values = [0.8, 0.85, 0.84, 0.82, 0.83, 0.84, 0.84]
    assert best_epoch("map", values, [1, 1, 0, 0, 2, 2, 2]) == 5
    assert best_epoch("map", values, [1] * 7) == 1 and best_epoch("ranking_loss", values, [1] * 7) == 0
    assert best_epoch("map", [nan, 0.2, nan], [2, 1, 1]) == 1
    assert best_epoch("map", [nan], [1]) is None and best_epoch("map", [], []) is None


def test_an_epoch_whose_value_is_no_number_is_never_the_best(monkeypatch):
    values = iter([float("nan"), 0.4, float("nan")])
    monkeypatch.setattr(validation, "evaluate_predictions", lambda *_: {"map": next(values)})
    train, selector = SimpleNamespace(monitor="map", threshold=0.5), SimpleNamespace(entries=None)
    training = SimpleNamespace(
        config=SimpleNamespace(train=train, selector=selector),
        data=SimpleNamespace(splits=SimpleNamespace(validation=[0])),
        predict=lambda ids: (None, None),
        ranks=SimpleNamespace(first=True),
        learner=SimpleNamespace(weights=dict),
    )
    hook, found = validation.Validation(), []
    for number in range(3):
        hook.after_epoch(training, SimpleNamespace(number=number, record={}))
        found.append(hook.best and hook.best["epoch"])
    assert found == [None, 1, 1]


def test_what_settled_is_asked_of_the_policy_and_of_nobody_without_one():
    def training(entries, **record):
        config = SimpleNamespace(selector=SimpleNamespace(entries=entries))
        return SimpleNamespace(config=config, selection=SimpleNamespace(record=lambda epoch: record))

    assert settled(training(None, entries_settled=0), 0) == 1
    assert settled(training("correct", entries_settled=2), 0) == 2
    assert settled(training("of one's own"), 0) == 1
