"""From workers to the driver: what happens, shown as a bar on a terminal and as plain lines in a job's log."""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from tqdm import tqdm

from ..common.cluster.resources import on_head_node
from .board import Board
from .run_folder import RunFolder

_STEP_INTERVAL_S = 0.5
_TELLING_WAIT = 0.1
"""Share of an epoch's training that is worth a word when the workers spent it waiting for rows."""


class Events:
    """The worker's end of a queue to the driver, in its process or another; step events are a few a second.

    A queue that is lost, with its node perhaps, ends no training: the run's records are in its checkpoints, too.
    """

    def __init__(self, queue: Any) -> None:
        self._queue, self._last = queue, 0.0

    def step(self, epoch: int, done: int, total: int) -> None:
        """Tell that ``done`` of ``total`` steps are behind us."""
        now = time.monotonic()
        if now - self._last >= _STEP_INTERVAL_S:
            self._last = now
            self._put("step", epoch, done, total)

    def epoch(self, record: Mapping[str, Any]) -> None:
        """Tell the numbers of a finished, checkpointed epoch."""
        self._put("epoch", dict(record))

    def resumed(self, epoch: int, step: int, history: Sequence[Mapping[str, Any]]) -> None:
        """Tell that the workers go on at (epoch, step), and which epochs stand."""
        self._put("resumed", epoch, step, list(history))

    def tell(self, line: str) -> None:
        """Tell the user something."""
        self._put("line", line)

    def _put(self, kind: str, *values: Any) -> None:
        with suppress(Exception):  # whatever Ray raises for an actor that is gone
            self._queue.put_nowait((kind, values))


class Progress(AbstractContextManager):
    """The driver's end: one thread that writes metrics.jsonl and TensorBoard and shows the progress.

    Writing and showing are two things: a terminal or pipe that is gone only ends the showing, and what could not be
    written on the way is written by ``finish``, or told when it is for TensorBoard only.

    Args:
        folder: the run's folder.
        epochs: epochs in all.
        monitor: the metric to show.
        quiet: show nothing (files are written all the same).
        listener: called from another thread with the record of every epoch that stands, in order; after a resume
            from the first one again, and so by ``finish``.
        elsewhere: whether training runs in other processes of a Ray that is there; else no Ray is needed.
    """

    def __init__(
        self,
        folder: RunFolder,
        epochs: int,
        monitor: str,
        quiet: bool = False,
        listener: Callable[[dict[str, Any]], None] | None = None,
        *,
        elsewhere: bool = True,
    ) -> None:
        self._listener = listener or (lambda _: None)
        self._folder, self._epochs, self._monitor, self._quiet = folder, epochs, monitor, quiet
        self._queue = _ray_queue() if elsewhere else SimpleQueue()
        self._history: list[dict[str, Any]] = folder.read_metrics()
        self._board = Board(folder.tensorboard)
        self._unwritten: Exception | None = None
        self._bar = _bar(quiet)
        self._thread = Thread(target=self._work, name="progress", daemon=True)

    @property
    def events(self) -> Events:
        """The end to give to the workers."""
        return Events(self._queue)

    def __enter__(self) -> "Progress":
        self._thread.start()
        return self

    def __exit__(self, failure: type[BaseException] | None, *_: object) -> None:
        self._stop()
        if failure is None and self._history and (line := waiting_line(self._history[-1])):
            self._say(line)
        if self._unwritten is not None:
            self._say(f"the TensorBoard files of this run are not complete: {self._unwritten}")
        self._show(self._bar.close)
        if not isinstance(self._queue, SimpleQueue):
            with suppress(Exception):
                self._queue.shutdown()

    def finish(self, history: list[dict[str, Any]]) -> None:
        """Write and tell what the run itself knows of its epochs, which is all; events may have been lost.

        Args:
            history: a record an epoch.

        Raises:
            OSError: when ``metrics.jsonl`` cannot be written.
        """
        self._stop()
        for record in history[len(self._history) :]:
            self._plot(record)
        self._history = history
        self._folder.write_metrics(history)
        for record in history:
            self._listener(record)

    def _stop(self) -> None:
        """Let the thread take what has come so far, and end."""
        if self._thread.is_alive():
            with suppress(Exception):
                self._queue.put(("end", ()))
            self._thread.join(timeout=10)

    def _work(self) -> None:
        takers: dict[str, Callable[..., None]] = {
            "step": self._show_step,
            "resumed": self._resume,
            "epoch": self._finish_epoch,
            "line": self._say,
        }
        while True:
            try:
                kind, values = self._queue.get(timeout=5)
            except Empty:
                continue
            except Exception as error:  # whatever Ray raises for an actor that is gone
                self._say(f"no progress is shown from here on, the run goes on: {_first_line(error)}")
                break
            if kind == "end":
                break
            takers[kind](*values)
        self._plotting(self._board.close)

    def _show_step(self, epoch: int, done: int, total: int) -> None:
        self._bar.total, self._bar.n = total, done
        self._show(lambda: self._bar.set_description(f"epoch {epoch + 1}/{self._epochs}"))

    def _resume(self, epoch: int, step: int, history: list[dict[str, Any]]) -> None:
        self._history = history
        self._write()
        for record in history:
            self._listener(record)
        self._say(f"resumed at epoch {epoch + 1}, step {step + 1}")

    def _finish_epoch(self, record: dict[str, Any]) -> None:
        self._history.append(record)
        self._write()
        self._plot(record)
        self._listener(record)
        self._say(self._line(record))

    def _write(self) -> None:
        with suppress(OSError):  # the next epoch writes everything again, ``finish`` in any case
            self._folder.write_metrics(self._history)

    def _plot(self, record: dict[str, Any]) -> None:
        self._plotting(lambda: self._board.add(record))

    def _plotting(self, write: Callable[[], None]) -> None:
        try:
            write()
        except (OSError, ValueError) as error:  # ValueError: of a file that was closed
            self._unwritten = self._unwritten or error

    def _line(self, record: Mapping[str, Any]) -> str:
        line = f"epoch {record['epoch'] + 1:>3}/{self._epochs}  loss {record['train_loss']:.4f}"
        if self._monitor in record:
            line += f"  {self._monitor} {record[self._monitor]:.4f}"
        if flagged := record.get("selection/entries_flagged"):
            line += f"  {flagged:,} entries flagged"
        return (
            f"{line}  {record['seconds']:.1f} s  selection {record['selection/selection_s']:.3f} s "
            f"({record['selection/share']:.1%}), {record['selection/bytes'] / 1e6:.2f} MB"
        )

    def _say(self, line: str) -> None:
        self._show(lambda: self._bar.write(line, file=sys.stdout))
        self._show(lambda: sys.stdout.flush())

    def _show(self, show: Callable[[], Any]) -> None:
        """Show something unless nobody looks any more."""
        if self._quiet:
            return
        try:
            show()
        except (OSError, ValueError):  # a closed pipe, a full disk under a log, a closed file
            self._quiet = True


def _ray_queue() -> Any:
    """Return a queue on the head node that other processes of the Ray that is there can fill.

    Elsewhere it would be lost with a node that the run could do without.
    """
    from ray.util.queue import Queue

    return Queue(actor_options=on_head_node())


def _bar(quiet: bool) -> tqdm:
    """Return a bar, which shows nothing where there is no terminal, or none any more."""
    try:
        return tqdm(unit="step", leave=False, disable=quiet or not sys.stderr.isatty())
    except (OSError, ValueError):  # a closed pipe, a closed file
        return tqdm(disable=True)


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or repr(error)).splitlines()[0]


def waiting_line(record: Mapping[str, Any]) -> str | None:
    """Return what to tell about an epoch whose workers waited long for rows, None when they did not."""
    share = record.get("feed_wait_s", 0.0) / record["train_s"]  # runs of older versions did not measure it
    if share <= _TELLING_WAIT:
        return None
    return f"the workers waited {share:.0%} of the last epoch for data; d2ace doctor says why"
