"""Lines on how a run goes whenever nothing was said for 30 s; the clock is made up."""

import pytest

from d2ace.pipeline.runs.pace import Pace, duration


@pytest.fixture
def clock():
    return [1000.0]


@pytest.fixture
def pace(clock):
    return Pace(5, lambda: clock[0])


def test_steps_a_second_and_the_time_left_in_the_epoch(pace, clock):
    pace.step(1, 10, 400)
    clock[0] += 40
    pace.step(1, 110, 400)
    assert pace.due() == "epoch 2/5: step 110 of 400, 2.5 steps/s, 1 min 56 s left in this epoch"
    pace.said()
    assert pace.due() is None
    clock[0] += 29
    assert pace.due() is None


def test_the_rate_is_that_of_the_epoch_and_not_of_what_came_between(pace, clock):
    pace.step(0, 400, 400)
    clock[0] += 1000  # validation
    pace.step(1, 1, 400)
    clock[0] += 50
    pace.step(1, 101, 400)
    assert "2 steps/s" in pace.due()


def test_an_epoch_that_is_trained_again_is_measured_anew(pace, clock):
    pace.step(2, 300, 400)
    clock[0] += 500
    pace.begin("starting 2 workers")
    clock[0] += 31
    assert pace.due() == "still starting 2 workers, for 31 s"
    pace.step(2, 200, 400)
    clock[0] += 31
    pace.step(2, 262, 400)
    assert "step 262 of 400, 2 steps/s" in pace.due()


def test_what_does_not_move_is_said_not_to(pace, clock):
    pace.step(0, 7, 40)
    clock[0] += 45
    assert pace.still
    assert pace.due() == "epoch 1/5: step 7 of 40, no further step for 45 s"
    pace.step(0, 40, 40)
    assert not pace.still
    clock[0] += 60
    assert pace.due().startswith("epoch 1/5: all 40 steps are done; ")


def test_who_stands_where_is_said_of_workers_that_wait_for_each_other(pace, clock):
    pace.stands(6, 7, "n2", "at the beginning")  # and nothing more of it
    pace.step(0, 7, 40)
    clock[0] += 5
    clock[0] += 35
    for rank in (0, 1, 2, 4, 5):
        pace.stands(rank, 7, "n1", "waiting for other workers")
    assert pace.due() == (
        "epoch 1/5: step 7 of 40, no further step for 40 s; silent: rank 3, rank 6 on n2; waiting for other workers: "
        "rank 0 on n1, rank 1 on n1, rank 2 on n1, rank 4 on n1 and 1 more"
    )
    pace.stands(3, 7, "n2", "at feeds/gather.py, rows")
    assert "; silent: rank 6 on n2; at feeds/gather.py, rows: rank 3 on n2; waiting" in pace.due()
    pace.step(0, 8, 40)
    clock[0] += 40
    assert pace.due() == "epoch 1/5: step 8 of 40, no further step for 40 s"


def test_nothing_is_due_before_anything_is_known_or_while_another_watches(pace, clock):
    clock[0] += 100
    assert pace.due() is None
    pace.step(0, 1, 10)
    pace.begin(None)
    clock[0] += 100
    assert pace.due() is None


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")]
)
def test_durations(seconds, words):
    assert duration(seconds) == words
