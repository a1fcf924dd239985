"""The epochs of a choice: never more than the budget, and none left that would have paid for something."""

import math
import re

import pytest
from pydantic import TypeAdapter, ValidationError

from d2ace.pipeline.common.errors import ConfigError
from d2ace.pipeline.studies.choose.schedule import Schedule, make_schedule


def trained(schedule):
    """Count the epochs arm by arm."""
    after = schedule.epochs - schedule.shared
    epochs, alive = schedule.shared + after * schedule.repeats, schedule.candidates
    for number in range(len(schedule.rounds)):
        assert schedule.rounds[number] == alive
        stay = math.ceil(alive / 2)
        epochs += (alive - stay) * schedule.length * (number + 1)
        alive = stay
    assert alive == 1
    return epochs + after


@pytest.mark.parametrize("epochs", [2, 3, 5, 6, 10, 12, 20, 25, 40, 100])
@pytest.mark.parametrize("candidates", [1, 2, 3, 4, 6, 7])
@pytest.mark.parametrize("budget", [2.5, 4.0])
def test_a_choice_costs_no_more_than_its_budget(epochs, candidates, budget):
    schedule = make_schedule(epochs, candidates, budget)
    assert schedule.cost == trained(schedule) <= budget * epochs
    assert 1 <= schedule.shared < epochs and schedule.repeats == 3
    assert all(schedule.shared < end <= epochs for end in schedule.round_ends())
    assert schedule.candidates <= candidates


def test_more_epochs_let_more_candidates_take_part():
    taking_part = [make_schedule(epochs, 7).candidates for epochs in (2, 6, 12, 20, 40)]
    assert taking_part == sorted(taking_part) and taking_part[0] == 1 and taking_part[-1] == 7
    assert make_schedule(40, 4).rounds == (4, 2) and make_schedule(40, 4).round_ends() == [27, 30]


def test_a_small_budget_makes_the_shared_part_longer():
    shares = [make_schedule(20, 3, budget).shared for budget in (1.5, 2.0, 2.5, 4.0)]
    assert shares == sorted(shares, reverse=True) and shares[-1] == 12


@pytest.mark.parametrize("budget", [float("nan"), float("inf"), 1e308, 0.0])
def test_a_budget_that_is_no_number_of_runs_is_refused(budget):
    with pytest.raises(ConfigError, match=re.escape(f"above 0 and up to 10,000 runs, got {budget:g}")):
        make_schedule(10, 3, budget, 3)


def test_a_single_repeat_is_refused():
    with pytest.raises(ConfigError, match="expected at least 2 repeats, got 1"):
        make_schedule(10, 3, 2.5, 1)


@pytest.mark.parametrize(("epochs", "budget"), [(1, 2.5), (10, 1.0), (2, 2.0)])
def test_too_little_is_refused(epochs, budget):
    with pytest.raises(ConfigError, match="more epochs or a larger --budget"):
        make_schedule(epochs, 3, budget)


BEYOND = 10**400


@pytest.mark.parametrize(
    ("field", "value"), [("epochs", 0), ("repeats", BEYOND), ("rounds", (BEYOND,)), ("length", -1)]
)
def test_a_kept_schedule_has_epochs_and_numbers_that_can_be_divided(field, value):
    """What a choice cost is told in runs, so by dividing by epochs."""
    kept = {"epochs": 4, "shared": 2, "repeats": 3, "rounds": (), "length": 0}
    assert TypeAdapter(Schedule).validate_python(kept).cost == 10
    with pytest.raises(ValidationError, match=field):
        TypeAdapter(Schedule).validate_python(kept | {field: value})
