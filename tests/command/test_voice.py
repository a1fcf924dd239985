"""What the library logs is heard on stderr while the command runs, and by nobody else's handlers."""

import logging
import sys

import pytest

from d2ace.pipeline.command.voice import speaking
from d2ace.pipeline.common.stages import log, stage


def test_stages_and_warnings_are_heard_with_their_seconds(capsys):
    with speaking():
        with stage("reading data"):
            log.warning("waiting for %s", "a GPU")
        log.debug("details")
    log.info("later")
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert [line.partition("] ")[2] for line in lines] == ["reading data", "waiting for a GPU"]
    assert all(line.startswith("d2ace: [") and " s] " in line for line in lines)


def test_the_logger_is_as_before_afterwards():
    before = log.level, log.propagate, list(log.handlers)
    with pytest.raises(KeyError), speaking():
        raise KeyError
    assert (log.level, log.propagate, list(log.handlers)) == before


def test_a_reader_that_has_gone_ends_nothing(monkeypatch):
    class Closed:
        def write(self, text=""):
            raise BrokenPipeError(32, "Broken pipe")

        flush = write

    monkeypatch.setattr(sys, "stderr", Closed())
    with speaking():
        log.warning("nobody hears it")


def test_without_the_command_stages_are_silent_and_waiting_is_a_warning(caplog):
    with stage("reading data"):
        log.warning("waiting")
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
