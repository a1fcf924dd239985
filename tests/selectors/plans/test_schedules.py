"""Warm-up and stages in epochs or shares of the run; schedules of the pressure and of the mixture."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from d2ace.selectors.common.errors import SelectionError
from d2ace.selectors.plans.schedules import MixtureSchedule, PressureSchedule, stage, warm_up

SHARE = st.floats(0, 1, exclude_min=True, exclude_max=True)


def test_pressure_falls_from_start_to_end():
    schedule = PressureSchedule(8.0, 10, 100)
    assert [schedule.at(epoch) for epoch in (0, 9, 10)] == [8.0, 8.0, 8.0]
    assert schedule.at(55) == pytest.approx(8**0.5)
    assert schedule.at(100) == schedule.at(500) == 1.0


def test_a_constant_pressure_lasts_to_the_last_epoch():
    assert [PressureSchedule.constant(8.0, 20).at(epoch) for epoch in (0, 19)] == [8.0, 8.0]


def test_mixture_is_linear_between_its_stages():
    schedule = MixtureSchedule(0.7, 0.3, 10, 70)
    assert [schedule.at(epoch) for epoch in (0, 10, 40, 70, 99)] == pytest.approx([0.7, 0.7, 0.5, 0.3, 0.3])


@pytest.mark.parametrize("bad", [(0.9, 1, 2), (8, 5, 5), (float("nan"), 1, 2)])
def test_schedules_refuse_nonsense(bad):
    with pytest.raises(SelectionError, match="pressure"):
        PressureSchedule(*bad)


@pytest.mark.parametrize(
    ("value", "run", "expected"),
    [
        (10, 100, 10),
        (0, 100, 0),
        (0.1, 100, 10),
        (0.1, 30, 3),
        (0.1, 3, 1),
        (0.25, 10, 2),
        (0.99, 3, 2),
        (10.0, 40, 10),
    ],
)
def test_a_warm_up_is_epochs_or_a_share_of_the_run(value, run, expected):
    assert warm_up(value, run) == expected


@pytest.mark.parametrize(("value", "run"), [(10, 10), (3, 2), (0.1, 1)])
def test_a_warm_up_of_the_whole_run_is_warned_of(value, run):
    with pytest.warns(UserWarning, match="no batch will be selected"):
        warm_up(value, run)


@pytest.mark.parametrize("value", [1.5, -1, True, "a tenth", float("nan"), None])
def test_what_is_neither_epochs_nor_a_share_is_refused(value):
    with pytest.raises(SelectionError, match="warmup must be a whole number of epochs"):
        warm_up(value, 10)


def test_one_as_a_float_could_be_either_and_is_refused():
    with pytest.raises(SelectionError, match=r"warmup=1\.0 has two readings"):
        warm_up(1.0, 10)


@given(share=SHARE, start=SHARE | st.none(), end=SHARE | st.none(), epochs=st.integers(2, 300))
def test_shares_keep_their_order_in_runs_of_every_length(share, start, end, epochs):
    warmup = warm_up(share, epochs)
    begin, stop = stage("pressure", start, end, warmup=warmup, epochs=epochs)
    assert 1 <= warmup < epochs
    assert warmup <= begin < stop <= epochs + 1


def test_stages_in_epochs_are_taken_as_they_are():
    assert stage("mixture", 3, 70, warmup=10, epochs=50) == (3, 70)
    assert stage("mixture", None, None, warmup=10, epochs=100, until=0.7) == (10, 70)
    assert stage("mixture", 0.2, 0.5, warmup=10, epochs=100) == (20, 50)


@pytest.mark.parametrize(
    ("pressure", "start", "end", "warmup", "expected"),
    [(8.0, None, None, 2, 2), (8.0, None, None, 20, None), (1.0, None, None, 2, None), (8.0, 0, 4, 6, None)],
)
def test_selection_starts_after_the_warm_up_unless_nothing_is_left_to_select(pressure, start, end, warmup, expected):
    schedule = PressureSchedule.of(pressure, start, end, warmup=warmup, epochs=20)
    assert schedule.selects_from(warmup, 20) == expected
