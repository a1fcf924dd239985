"""Progress: what is written does not hang on who looks, nor on the way it takes."""

import io
import os
import signal
import sys
from contextlib import suppress
from queue import SimpleQueue

import pytest

from d2ace.pipeline.common.storage import retries
from d2ace.pipeline.runs.board import Board
from d2ace.pipeline.runs.events import Events
from d2ace.pipeline.runs.pace import Pace
from d2ace.pipeline.runs.progress import Progress
from d2ace.pipeline.runs.run_folder import RunFolder


def records(count):
    numbers = {"train_loss": 0.5, "seconds": 1.0, "train_s": 1.0}
    selection = {"selection/selection_s": 0.1, "selection/share": 0.1, "selection/bytes": 10}
    return [{"epoch": epoch, **numbers, **selection} for epoch in range(count)]


@pytest.fixture
def folder(tmp_path, make_config):
    return RunFolder.create(tmp_path / "run", make_config())


def told(folder, count, lost=lambda progress: None, **settings):
    """Tell ``count`` epochs, lose something after the second, and finish; returns what the listener heard."""
    heard = []
    with Progress(folder, count, "macro_auc", listener=heard.append, **settings) as progress:
        for record in records(count):
            if record["epoch"] == 2:
                lost(progress)
            progress.events.epoch(record)
        progress.finish(records(count))
    return heard


class ClosedPipe:
    """Standard output whose reader has gone."""

    closed = False

    def write(self, text=""):
        raise BrokenPipeError(32, "Broken pipe")

    flush = write

    def isatty(self):
        return True


def test_a_reader_that_goes_away_ends_nothing_but_the_showing(folder, monkeypatch):
    monkeypatch.setattr(sys, "stdout", ClosedPipe())
    monkeypatch.setattr(sys, "stderr", ClosedPipe())
    assert told(folder, 8, elsewhere=False) == records(8) * 2  # every epoch when it ended, and once more at the end
    assert [step for step, tag, _ in scalars(folder.tensorboard) if tag == "train_loss"] == list(range(8))


def test_tensorboard_files_that_cannot_be_written_are_told_at_the_end(folder, capsys):
    folder.tensorboard.write_text("a file where the folder should be")
    assert told(folder, 3, elsewhere=False)[-3:] == records(3)
    assert capsys.readouterr().out.splitlines()[-1].startswith("the TensorBoard files of this run are not complete")


def scalars(folder):
    """Step, name and value of everything in the one event file of a folder."""
    from tensorboardX.proto.event_pb2 import Event

    (file,) = folder.iterdir()
    content, events = file.read_bytes(), []
    while content:  # length, its checksum, event, its checksum
        size = int.from_bytes(content[:8], "little")
        events.append(Event.FromString(content[12 : 12 + size]))
        content = content[16 + size :]
    return [(event.step, value.tag, value.simple_value) for event in events for value in event.summary.value]


def test_tensorboard_reads_what_is_written(folder):
    told(folder, 3, elsewhere=False)
    losses = [(step, value) for step, tag, value in scalars(folder.tensorboard) if tag == "train_loss"]
    assert losses == [(0, 0.5), (1, 0.5), (2, 0.5)]


def test_what_is_not_known_yet_is_no_scalar_and_no_warning(tmp_path, caplog):
    board = Board(tmp_path)
    board.add({"epoch": 0, "skill": float("nan"), "flagged": 3})
    board.close()
    assert scalars(tmp_path) == [(0, "flagged", 3.0)] and not caplog.records


def test_the_loss_of_the_queue_ends_nothing(folder, ray_session, capsys):
    """The queue's actor is killed, as with its node: workers go on, and the history is that of the result."""
    import ray

    heard = told(folder, 4, lambda progress: ray.kill(progress._queue.actor))
    assert heard[-4:] == records(4)
    assert sorted({step for step, _, _ in scalars(folder.tensorboard)}) == [0, 1, 2, 3]
    words = capsys.readouterr().out
    assert "no progress is shown from here on" in words and "not complete" not in words


def test_a_queue_whose_process_dies_starts_again(folder, ray_session, capsys):
    import ray

    def killed(progress):
        queue, process_id = progress._queue.actor, lambda _: os.getpid()  # not by name: no process imports this file
        before = ray.get(queue.__ray_call__.remote(process_id))
        os.kill(before, signal.SIGKILL)
        while True:  # what is told before there is another process is lost
            with suppress(ray.exceptions.RayActorError):
                if ray.get(queue.__ray_call__.remote(process_id)) != before:
                    return

    assert told(folder, 4, killed)[-4:] == records(4)
    words = capsys.readouterr().out
    assert "epoch   4/4" in words and "no progress" not in words


def test_the_queue_lies_on_the_head_node(folder, monkeypatch):
    """A node that a run can do without must not have it (an actor without CPUs lands anywhere)."""
    asked = {}
    monkeypatch.setattr("ray.util.queue.Queue", lambda actor_options: asked.update(actor_options) or SimpleQueue())
    Progress(folder, 1, "macro_auc", quiet=True)
    assert "node:__internal_head__" in asked["resources"] and asked["scheduling_strategy"] == "DEFAULT"


@pytest.fixture
def said(folder, capsys):
    """Return a function that lets events reach a Progress and gives the lines it showed."""

    def show(*events, **settings):
        with Progress(folder, 5, "macro_auc", elsewhere=False, **settings) as progress:
            for name, *values in events:
                getattr(progress.events, name)(*values)
        return capsys.readouterr().out.splitlines()

    return show


def test_a_new_run_does_not_say_that_it_goes_on(said):
    assert said(("begun", 0, 0, []), ("step", 0, 1, 10)) == []


def test_a_resumed_run_says_where(said):
    heard = []
    assert said(("begun", 2, 7, records(2)), listener=heard.append) == ["resumed at epoch 3, step 8"]
    assert heard == records(2)


@pytest.mark.parametrize(
    ("trained", "at", "words"),
    [
        ((3, 37), (3, 30), "going on at epoch 4, step 31: what was trained from there to epoch 4, step 37 is lost"),
        ((3, 37), (2, 0), "going on at epoch 3, step 1: what was trained from there to epoch 4, step 37 is lost"),
        ((3, 40), (4, 0), "going on at epoch 5, step 1: nothing is lost but the last moment"),
    ],
)
def test_after_a_failure_what_is_lost_is_said(said, trained, at, words):
    (line,) = said(("begun", 0, 0, []), ("step", *trained, 40), ("begun", *at, records(at[0])))
    assert line.startswith(words)


def test_the_last_step_of_an_epoch_is_told_however_soon_it_comes():
    told = SimpleQueue()
    events = Events(told)
    for done in range(1, 11):
        events.step(0, done, 10)
    assert told.get_nowait() == ("step", (0, 1, 10)) and told.get_nowait() == ("step", (0, 10, 10))
    assert told.empty()


def test_a_line_comes_when_nothing_was_said_for_long(folder, monkeypatch, capsys):
    monkeypatch.setattr(Pace, "due", lambda self: "still starting 2 workers, for 31 s")
    with Progress(folder, 5, "macro_auc", elsewhere=False) as progress:
        progress.events.doing("starting 2 workers")
    assert "still starting 2 workers, for 31 s" in capsys.readouterr().out


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_bar_shows_the_rate_of_the_epoch(folder, monkeypatch):
    """Between two epochs it starts anew, and an epoch that is resumed in its middle counts from there."""
    monkeypatch.setattr(sys, "stderr", Terminal())
    with Progress(folder, 5, "macro_auc", elsewhere=False) as progress:
        progress._show_step(0, 10, 10)
        progress._show_step(1, 4, 10)
        bar = progress._bar
        assert (bar.n, bar.total, bar.initial) == (4, 10, 4)
        progress._show_step(1, 7, 10)
        assert (bar.n, bar.initial) == (7, 4)
        assert bar.format_dict["prefix"] == "epoch 2/5: "


def test_retries_of_other_processes_are_counted_in_the_drivers(tmp_path):
    before = retries.tally()
    with Progress(RunFolder(tmp_path), 1, "map", quiet=True, elsewhere=False) as progress:
        progress.events.retried({"writing": 3})
    assert retries.tally() - before == {"writing": 3}
