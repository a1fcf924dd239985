"""Which epoch is the best: by the monitored metric, among those that an entry policy has settled for."""

from types import SimpleNamespace

import pytest

from d2ace.pipeline.training.hooks.validation import is_better, is_settled


@pytest.mark.parametrize(
    ("new", "best", "better"),
    [
        ((0.7, True), (0.6, True), True),
        ((0.6, True), (0.6, True), False),
        ((0.7, False), (0.6, False), True),
        ((0.5, True), (0.6, False), True),
        ((0.7, False), (0.6, True), False),
        ((float("nan"), True), (0.6, True), False),
    ],
)
def test_a_settled_epoch_is_better_than_any_other(new, best, better):
    new, best = ({"value": value, "settled": settled} for value, settled in (new, best))
    assert is_better("map", new, best) == better


def test_the_best_epoch_of_an_older_checkpoint_stands_for_a_settled_one():
    assert not is_better("map", {"value": 0.5, "settled": True}, {"value": 0.6})
    assert not is_better("map", {"value": 0.7, "settled": False}, {"value": 0.6})


def test_what_is_settled_is_asked_of_the_policy_and_of_nobody_without_one():
    def training(entries, **record):
        config = SimpleNamespace(selector=SimpleNamespace(entries=entries))
        return SimpleNamespace(config=config, selection=SimpleNamespace(record=lambda epoch: record))

    assert is_settled(training(None, entries_settled=False), 0)
    assert not is_settled(training("correct", entries_settled=False), 0)
    assert is_settled(training("of one's own"), 0)
