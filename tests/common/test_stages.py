"""Nobody waits without a word: stages, and waiting with a limit; the clock is made up."""

import logging
import time

import pytest

from d2ace.pipeline.common import stages
from d2ace.pipeline.common.errors import ConfigError, RunError
from d2ace.pipeline.common.stages import stage, wait_until


@pytest.fixture
def clock(monkeypatch):
    """Let seconds pass only where somebody sleeps; gives a function that lets more pass."""
    now = [100.0]

    def sleep(seconds):
        now[0] += seconds

    monkeypatch.setattr(stages.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(stages.time, "sleep", sleep)
    return sleep


@pytest.fixture
def said(caplog):
    """What was said so far."""
    caplog.set_level(logging.INFO, "d2ace")
    return lambda: [record.getMessage() for record in caplog.records]


def until(condition, patience_s=20.0):
    deadline = time.time() + patience_s
    while not condition():
        assert time.time() < deadline
        time.sleep(0.005)


def test_a_stage_is_told_when_it_begins_and_again_while_it_lasts(said, monkeypatch):
    monkeypatch.setattr(stages, "TELL_S", 0.01)
    with stage("reading data", lambda: "0 of 2 CPUs are free"):
        until(lambda: len(said()) > 2)
    assert said()[0] == "reading data"
    assert said()[1].startswith("still reading data, for ") and said()[1].endswith("; 0 of 2 CPUs are free")
    ended = len(said())
    time.sleep(0.05)
    assert len(said()) == ended


def test_what_was_said_otherwise_puts_the_next_line_off(said, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(stages.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(stages, "TELL_S", 0.01)
    with stage("training 12 runs") as said_otherwise:
        for _ in range(20):
            now[0] += 0.009
            said_otherwise()
            time.sleep(0.002)
        assert said() == ["training 12 runs"]
        now[0] += 0.02
        until(lambda: len(said()) > 1)


def test_a_detail_that_cannot_be_found_out_ends_nothing(said, monkeypatch):
    def lost():
        raise ConnectionError("the cluster is gone")

    monkeypatch.setattr(stages, "TELL_S", 0.01)
    with stage("scoring", lost):
        until(lambda: len(said()) > 1)
    assert said()[1].startswith("still scoring, for ") and ";" not in said()[1]


def test_waiting_is_told_every_30_s_and_ends_when_it_is_there(clock, said):
    answers = iter([False] * 100 + [True])
    wait_until(lambda: next(answers), "a GPU", lambda: "job 1 holds 2 GPUs")
    assert len(said()) == 3
    assert said()[1] == (
        "waiting for a GPU, for 60 s so far; job 1 holds 2 GPUs; gives up after 86400 s (D2ACE_WAIT_LIMIT_S)"
    )


def test_waiting_ends_at_its_limit_with_who_holds_what(clock, said):
    with pytest.raises(RunError, match=r"^waited 45 s for a GPU \(run\.wait_limit_s=45\); job 1 holds 2 GPUs$"):
        wait_until(lambda: False, "a GPU", lambda: "job 1 holds 2 GPUs", limit_s=45)
    assert [line.rpartition("; ")[2] for line in said()] == ["gives up after 45 s (run.wait_limit_s)"]


def test_the_environment_holds_a_limit_for_all_verbs(clock, said, monkeypatch):
    monkeypatch.setenv("D2ACE_WAIT_LIMIT_S", "45")
    with pytest.raises(RunError, match=r"^waited 45 s for a GPU \(D2ACE_WAIT_LIMIT_S=45\)$"):
        wait_until(lambda: False, "a GPU")
    with pytest.raises(RunError, match=r"run\.wait_limit_s=7"):
        wait_until(lambda: False, "a GPU", limit_s=7)


@pytest.mark.parametrize("value", ["soon", "0", "-3", "nan"])
def test_a_limit_that_is_none_is_refused(monkeypatch, value):
    monkeypatch.setenv("D2ACE_WAIT_LIMIT_S", value)
    with pytest.raises(ConfigError, match=f"^D2ACE_WAIT_LIMIT_S={value}: expected seconds, a number above 0$"):
        wait_until(lambda: True, "a GPU")


def test_what_is_there_at_once_is_not_waited_for(clock, said):
    wait_until(lambda: True, "a GPU", limit_s=0.1)
    assert said() == []
