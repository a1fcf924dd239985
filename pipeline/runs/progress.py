"""From workers to the driver: what happens, shown as a bar on a terminal and as plain lines in a job's log."""

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Any

from tqdm import tqdm

from ..common.cluster.resources import on_head_node
from ..common.stages import log
from ..common.storage.retries import count
from .board import Board
from .events import Events
from .pace import Pace
from .run_folder import RunFolder

_LOOK_S = 5.0
"""How often the driver looks whether a line is due though nothing happens."""
_TELLING_WAIT = 0.1
"""Share of an epoch's training that is worth a word when the workers spent it waiting for rows."""


class Progress(AbstractContextManager):
    """The driver's end: one thread that writes TensorBoard's files, tells a listener and shows the progress.

    These are three things: a terminal or pipe that is gone only ends the showing. What of TensorBoard's could not be
    written is told at the end, and what was not heard on the way is told by ``finish``.

    Args:
        folder: the run's folder.
        epochs: epochs in all.
        monitor: the metric to show.
        quiet: show nothing (files are written all the same).
        listener: called from another thread with the record of every epoch that stands, in order; after a resume
            from the first one again, and so by ``finish``.
        elsewhere: whether training runs in other processes of a Ray that is there; else no Ray is needed.
        tensorboard: whether to write TensorBoard's files.
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
        tensorboard: bool = True,
    ) -> None:
        self._listener = listener or (lambda _: None)
        self._epochs, self._monitor, self._quiet = epochs, monitor, quiet
        self._queue = _ray_queue() if elsewhere else SimpleQueue()
        self._know(folder.read_metrics())
        self._board = Board(folder.tensorboard) if tensorboard else None
        self._pace = Pace(epochs)
        self._unwritten: Exception | None = None
        self._bar = _bar(quiet)
        self._ending = Event()
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
        if self._board is not None:
            self._plotting(self._board.close)
        if failure is None and self._last is not None and (line := waiting_line(self._last)):
            self._say(line)
        if self._unwritten is not None:
            self._say(f"the TensorBoard files of this run are not complete: {self._unwritten}")
        self._show(self._bar.close)
        if not isinstance(self._queue, SimpleQueue):
            with suppress(Exception):
                self._queue.shutdown()

    def finish(self, history: list[dict[str, Any]]) -> None:
        """Tell what the run itself knows of its epochs, which is all; events may have been lost.

        Args:
            history: a record an epoch.
        """
        self._stop()
        for record in history[self._count :]:
            self._plot(record)
        self._know(history)
        for record in history:
            self._listener(record)

    def _know(self, history: Sequence[dict[str, Any]]) -> None:
        """Remember of the epochs that stand how many there are, and the last; all of them would grow with the run."""
        self._count, self._last = len(history), history[-1] if history else None

    def _stop(self) -> None:
        """Let the thread take what has come so far, and end."""
        self._ending.set()
        if self._thread.is_alive():
            with suppress(Exception):
                self._queue.put(("end", ()))
            self._thread.join(timeout=10)

    def _work(self) -> None:
        takers: dict[str, Callable[..., None]] = {
            "doing": self._pace.begin,
            "begun": self._begin,
            "step": self._show_step,
            "stands": self._pace.stands,
            "epoch": self._finish_epoch,
            "line": self._say,
            "retried": count,
        }
        while True:
            if (line := self._pace.due()) and (self._bar.disable or self._pace.still):
                self._say(line)
            try:
                kind, values = self._queue.get(timeout=_LOOK_S)
            except Empty:
                if self._ending.is_set():  # its sign was lost
                    break
                continue
            except Exception as error:  # whatever Ray raises for an actor that is gone
                if type(error).__name__ == "ActorUnavailableError":  # Ray starts it again, empty
                    continue
                self._say(f"no progress is shown from here on, the run goes on: {_first_line(error)}")
                break
            if kind == "end":
                break
            takers[kind](*values)

    def _show_step(self, epoch: int, done: int, total: int) -> None:
        before = self._pace.position
        if before is None and not self._quiet:
            log.info("training: the first of %d steps an epoch is done", total)
        if before is None or before[0] != epoch or done < before[1]:
            self._show(lambda: self._bar.reset(total))
            self._bar.initial = self._bar.n = done
            self._bar.set_description(f"epoch {epoch + 1}/{self._epochs}", refresh=False)
        self._pace.step(epoch, done, total)
        self._show(lambda: self._bar.update(done - self._bar.n))

    def _begin(self, epoch: int, step: int, history: list[dict[str, Any]]) -> None:
        trained = self._pace.position
        if trained is not None:
            self._say(f"going on at epoch {epoch + 1}, step {step + 1}: {_lost(trained, (epoch, step))}")
        elif (epoch, step) != (0, 0):
            self._say(f"resumed at epoch {epoch + 1}, step {step + 1}")
        if trained is not None or history:
            self._know(history)
            for record in history:
                self._listener(record)
        self._pace.begin("preparing the first step")

    def _finish_epoch(self, record: dict[str, Any]) -> None:
        self._count, self._last = self._count + 1, record
        self._plot(record)
        self._listener(record)
        self._say(self._line(record))

    def _plot(self, record: dict[str, Any]) -> None:
        if (board := self._board) is not None:
            self._plotting(lambda: board.add(record))

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
        self._pace.said()
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

    Elsewhere it would be lost with a node that the run could do without. When its process dies it starts again.
    """
    from ray.util.queue import Queue

    return Queue(actor_options=on_head_node() | {"max_restarts": -1})


def _bar(quiet: bool) -> tqdm:
    """Return a bar, which shows nothing where there is no terminal, or none any more."""
    try:
        return tqdm(unit="step", leave=False, disable=quiet or not sys.stderr.isatty())
    except (OSError, ValueError):  # a closed pipe, a closed file
        return tqdm(disable=True)


def _lost(trained: tuple[int, int], now: tuple[int, int]) -> str:
    """Return what is lost of what was trained, each an epoch and the steps done in it, both from 0."""
    if trained <= now:
        return "nothing is lost but the last moment"  # steps are told twice a second
    return f"what was trained from there to epoch {trained[0] + 1}, step {trained[1]} is lost and trained again"


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or repr(error)).splitlines()[0]


def waiting_line(record: Mapping[str, Any]) -> str | None:
    """Return what to tell about an epoch whose workers waited long for rows, None when they did not."""
    share = record.get("feed_wait_s", 0.0) / record["train_s"]  # runs of older versions did not measure it
    if share <= _TELLING_WAIT:
        return None
    return f"the workers waited {share:.0%} of the last epoch for data; d2ace doctor says why"
