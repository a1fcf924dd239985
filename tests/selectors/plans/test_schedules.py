"""Schedules of the pressure and of the mixture."""

import pytest

from d2ace.selectors.common.errors import SelectionError
from d2ace.selectors.plans.schedules import MixtureSchedule, PressureSchedule


def test_pressure_falls_from_start_to_end():
    schedule = PressureSchedule(8.0, 10, 100)
    assert [schedule.at(epoch) for epoch in (0, 9, 10)] == [8.0, 8.0, 8.0]
    assert schedule.at(55) == pytest.approx(8**0.5)
    assert schedule.at(100) == schedule.at(500) == 1.0


def test_mixture_is_linear_between_its_stages():
    schedule = MixtureSchedule(0.7, 0.3, 10, 70)
    assert [schedule.at(epoch) for epoch in (0, 10, 40, 70, 99)] == pytest.approx([0.7, 0.7, 0.5, 0.3, 0.3])


@pytest.mark.parametrize("bad", [(0.9, 1, 2), (8, 5, 5), (float("nan"), 1, 2)])
def test_schedules_refuse_nonsense(bad):
    with pytest.raises(SelectionError, match="pressure"):
        PressureSchedule(*bad)
