"""From workers to the driver: what happens, shown as a bar on a terminal and as plain lines in a job's log."""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from tensorboardX import SummaryWriter
from tqdm import tqdm

from .run_folder import RunFolder

_STEP_INTERVAL_S = 0.5
_TELLING_WAIT = 0.1
"""Share of an epoch's training that is worth a word when the workers spent it waiting for rows."""


class Events:
    """The worker's end of a queue to the driver, in its process or another; step events are a few a second."""

    def __init__(self, queue: Any) -> None:
        self._queue, self._last = queue, 0.0

    def step(self, epoch: int, done: int, total: int) -> None:
        """Tell that ``done`` of ``total`` steps are behind us."""
        now = time.monotonic()
        if now - self._last >= _STEP_INTERVAL_S:
            self._last = now
            self._queue.put_nowait(("step", (epoch, done, total)))

    def epoch(self, record: Mapping[str, Any]) -> None:
        """Tell the numbers of a finished, checkpointed epoch."""
        self._queue.put_nowait(("epoch", dict(record)))

    def resumed(self, epoch: int, step: int, history: Sequence[Mapping[str, Any]]) -> None:
        """Tell that the workers go on at (epoch, step), and which epochs stand."""
        self._queue.put_nowait(("resumed", (epoch, step, list(history))))


class Progress(AbstractContextManager):
    """The driver's end: one thread that writes metrics.jsonl and TensorBoard and shows the progress.

    Args:
        folder: the run's folder.
        epochs: epochs in all.
        monitor: the metric to show.
        quiet: show nothing (files are written all the same).
        listener: called from another thread with the record of every epoch that stands, in order; after a resume
            from the first one again.
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
        self._bar = tqdm(unit="step", leave=False, disable=quiet or not sys.stderr.isatty())
        self._thread = Thread(target=self._work, name="progress", daemon=True)

    @property
    def events(self) -> Events:
        """The end to give to the workers."""
        return Events(self._queue)

    def __enter__(self) -> "Progress":
        self._thread.start()
        return self

    def __exit__(self, failure: type[BaseException] | None, *_: object) -> None:
        self._queue.put(("end", None))
        self._thread.join(timeout=10)
        if failure is None and self._history and (line := waiting_line(self._history[-1])):
            self._say(line)
        self._bar.close()
        if not isinstance(self._queue, SimpleQueue):
            self._queue.shutdown()

    def _work(self) -> None:
        with SummaryWriter(str(self._folder.tensorboard)) as board:
            while True:
                try:
                    kind, value = self._queue.get(timeout=5)
                except Empty:
                    continue
                if kind == "end":
                    return
                if kind == "step":
                    self._show_step(*value)
                elif kind == "resumed":
                    self._resume(*value)
                else:
                    self._finish_epoch(value, board)

    def _show_step(self, epoch: int, done: int, total: int) -> None:
        self._bar.total, self._bar.n = total, done
        self._bar.set_description(f"epoch {epoch + 1}/{self._epochs}")

    def _resume(self, epoch: int, step: int, history: list[dict[str, Any]]) -> None:
        self._history = history
        self._folder.write_metrics(history)
        for record in history:
            self._listener(record)
        self._say(f"resumed at epoch {epoch + 1}, step {step + 1}")

    def _finish_epoch(self, record: dict[str, Any], board: SummaryWriter) -> None:
        self._history.append(record)
        self._folder.write_metrics(self._history)
        for name, value in record.items():
            if isinstance(value, int | float) and name != "epoch":
                board.add_scalar(name, value, record["epoch"])
        board.flush()
        self._listener(record)
        self._say(self._line(record))

    def _line(self, record: Mapping[str, Any]) -> str:
        line = f"epoch {record['epoch'] + 1:>3}/{self._epochs}  loss {record['train_loss']:.4f}"
        if self._monitor in record:
            line += f"  {self._monitor} {record[self._monitor]:.4f}"
        return (
            f"{line}  {record['seconds']:.1f} s  selection {record['selection/selection_s']:.3f} s "
            f"({record['selection/share']:.1%}), {record['selection/bytes'] / 1e6:.2f} MB"
        )

    def _say(self, line: str) -> None:
        if not self._quiet:
            self._bar.write(line, file=sys.stdout)
            sys.stdout.flush()


def _ray_queue() -> Any:
    """Return a queue that other processes of the Ray that is there can fill."""
    from ray.util.queue import Queue

    return Queue(actor_options={"num_cpus": 0})


def waiting_line(record: Mapping[str, Any]) -> str | None:
    """Return what to tell about an epoch whose workers waited long for rows, None when they did not."""
    share = record.get("feed_wait_s", 0.0) / record["train_s"]  # runs of older versions did not measure it
    if share <= _TELLING_WAIT:
        return None
    return f"the workers waited {share:.0%} of the last epoch for data; d2ace doctor says why"
