"""A job's log over connections that break, or stay open and give nothing."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from d2ace.pipeline.command.jobs import following
from d2ace.pipeline.command.jobs.following import LogPrinter, State
from d2ace.pipeline.common.errors import RunError

LOG = ["epoch 1\n", "epoch 2\n", "epoch 3\n"]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(following, "QUIET_S", 0.01)
    monkeypatch.setattr(following, "PAUSE_S", 0.0)


def connections(*ends: tuple[int, object]) -> Callable[[], AsyncIterator[str]]:
    """Return the tail of LOG; connection i gives the first ``ends[i][0]`` lines and then ends, raises or is silent."""
    left = list(ends)

    async def tail() -> AsyncIterator[str]:
        count, end = left.pop(0)
        for line in LOG[:count]:
            yield line
        if isinstance(end, Exception):
            raise end
        if end == "silent":
            await asyncio.Event().wait()

    return tail


def states(*sizes: int, ended: bool = False) -> Callable[[], State]:
    """Return answers to how long the log is, the last one for ever."""
    left = list(sizes)
    return lambda: State("RUNNING", ended, left.pop(0) if len(left) > 1 else left[0])


def never() -> State:
    raise AssertionError("nobody was silent")


def test_a_log_is_printed_to_its_end(capsys):
    LogPrinter(connections((3, None)), never).print_all()
    assert capsys.readouterr() == ("".join(LOG), "")


def test_a_silent_connection_of_a_log_that_grows_is_made_again_and_no_line_comes_twice(capsys):
    LogPrinter(connections((1, "silent"), (3, None)), states(8, 16, 24)).print_all()
    shown = capsys.readouterr()
    assert shown.out == "".join(LOG)
    assert "the connection gives nothing, though the log has more; connecting again (1 of 5)" in shown.err


def test_a_job_that_has_ended_leaves_no_silent_connection_waited_for(capsys):
    LogPrinter(connections((3, "silent"), (3, None)), states(24, ended=True)).print_all()
    assert capsys.readouterr().out == "".join(LOG)


def test_a_job_that_prints_nothing_for_long_keeps_its_connection_and_is_said_to_be_there(capsys, monkeypatch):
    asked = []

    async def tail() -> AsyncIterator[str]:
        while len(asked) < 4:
            await asyncio.sleep(0)
        yield LOG[0]

    def state() -> State:
        asked.append(1)
        return State("PENDING", False, 0)

    LogPrinter(tail, state).print_all()
    shown = capsys.readouterr()
    assert shown.out == LOG[0]
    assert shown.err.splitlines() == ["d2ace: the job is PENDING; no output for 0.01 s"] * 4


def test_a_broken_connection_is_made_again(capsys):
    LogPrinter(connections((2, ConnectionResetError("reset")), (3, None)), never).print_all()
    shown = capsys.readouterr()
    assert shown.out == "".join(LOG)
    assert shown.err == "d2ace: the log was lost: reset; connecting again (1 of 5)\n"


def test_attempts_in_a_row_that_bring_nothing_are_counted_and_end(capsys):
    gone = (1, RuntimeError("closed"))
    with pytest.raises(RunError, match=r"lost 6 times in a row, the last time because of: closed"):
        LogPrinter(connections(*[gone] * 6), never).print_all()
    shown = capsys.readouterr()
    assert shown.out == LOG[0]
    assert [line[-7:] for line in shown.err.splitlines()] == [f"({i} of 5)"[-7:] for i in range(1, 6)]


def test_an_attempt_that_brings_something_starts_the_count_anew(capsys):
    gone = RuntimeError("closed")
    LogPrinter(connections(*[(1, gone)] * 5, *[(2, gone)] * 5, (3, None)), never).print_all()
    assert len(capsys.readouterr().err.splitlines()) == 10  # each loss is told


def test_a_cluster_that_does_not_answer_in_a_silence_counts_as_lost(capsys):
    def nobody() -> State:
        raise RunError("http://x does not answer")

    with pytest.raises(RunError, match="because of: http://x does not answer"):
        LogPrinter(connections(*[(0, "silent")] * 6), nobody).print_all()


def test_the_reader_of_the_output_that_goes_ends_it(monkeypatch):
    def print_to_nobody(*_, **__):
        raise BrokenPipeError

    monkeypatch.setattr(following, "print", print_to_nobody, raising=False)
    with pytest.raises(BrokenPipeError):
        LogPrinter(connections((1, None)), never).print_all()
