"""The service around a run's selection: hands out plans and applies observations in step order, each once.

It is a plain thread-safe class: ``actor.py`` makes a Ray actor of it, ``local.py`` uses it in the process that trains.
Workers talk to it with three calls: ``rewind`` once at their start, ``plan`` once an epoch, ``observe`` every few
steps without waiting. The state is a function of the run, not of timing.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Condition, RLock
from typing import Any

import numpy as np

from ...selectors.ranges.snapshot import Snapshot
from ..common.errors import LostError, RunError
from ..common.storage.any_path import AnyPath
from ..common.storage.retries import tally
from .batches import Batches
from .blueprint import Blueprint
from .observation import Observation
from .pending import PendingSteps
from .row_files import storage_retries
from .run_selection import RunSelection
from .state_file import SavedState, write_state

_TAKEN_OVER = "another group of workers goes on with this run; this one is not heard any more"


class SelectionService:
    """A run's selection behind a lock, with the bookkeeping that makes delivery order irrelevant.

    It is empty until ``build``, and again when Ray has restarted its actor; ``rewind`` then builds it anew.

    Args:
        serve: makes of the batches of an epoch what ``plan`` returns; None returns them as they are.
    """

    def __init__(self, serve: Callable[[Batches], Any] | None = None) -> None:
        self._serve = serve or (lambda batches: batches)
        self._built: RunSelection | None = None
        self._selecting = RLock()  # whoever changes the selection or copies it has this; taken before the next one
        self._changed = Condition()  # around all else, and never for long: plans are served meanwhile
        self._wanted: tuple[int, int] | None = None
        self._copy: Snapshot | None = None
        self._attempt = 0
        self._pending = PendingSteps(0)
        self._failure: BaseException | None = None
        self._retries_of_ranges: Counter[str] = Counter()

    def build(self, blueprint: Blueprint, neighbour_features: np.ndarray | None = None) -> None:
        """Make the selector; raises SelectionError when the method refuses its arguments.

        Args:
            blueprint: what from.
            neighbour_features: float (N, e), what neighbours are looked for in instead of the blueprint's.
        """
        self._built = None  # its ranges, if any, give their memory back before new ones ask for it
        self._built = RunSelection(blueprint, self._serve, neighbour_features)

    def rewind(self, blueprint: Blueprint, state: Mapping[str, Any] | SavedState | None, world: int) -> int:
        """Put the state back to that of a checkpoint (None: the very start); returns the new attempt's number.

        Called by rank 0 before any other call of a (re)started group of workers, so that what a killed group
        delivered after its last checkpoint is not counted twice. Cost: one copy of the state.

        Raises:
            DamagedError: when files of rows are not what was written; then an earlier checkpoint may do.
        """
        if isinstance(state, SavedState):
            state = state.load()
        with self._selecting, self._changed:
            embedded = state is not None and blueprint.embeds_before(int(state["epoch"]))
            if self._built is None or self._built.embedded != embedded:
                self.build(blueprint, self._kept_embeddings(blueprint, state or {}) if embedded else None)
            # A count would begin again with the actor, and take messages of the group before for those of the new one.
            self._attempt, self._pending = max(self._attempt + 1, time.time_ns()), PendingSteps(world)
            self._failure = self._wanted = self._copy = None
            self._run.restore(blueprint, state)
            self._changed.notify_all()
            return self._attempt

    def plan(self, epoch: int, timeout_s: float = 600.0) -> Any:
        """Return the ``Batches`` of an epoch, as ``serve`` hands them out; waits until they are made.

        Raises:
            RunError: after a restart without ``rewind``, or when it does not come within ``timeout_s``; the
                message names the ranks whose observations are missing.
        """
        with self._changed:
            self._wait(lambda: epoch in self._run.plans, timeout_s, f"the plan of epoch {epoch}")
            return self._run.plans[epoch][1]

    def observe(self, observation: Observation) -> None:
        """Take one message; what is old or double is dropped, what is early waits for its turn."""
        with self._selecting:
            if observation.attempt != self._attempt or observation.epoch != self._run.tally.epoch:
                return
            with self._changed, self._answering():
                self._run.tally.received_bytes += observation.nbytes
                self._pending.add(observation, self._run.step)
            while self._pending.whole(self._run.step):
                self._copy_if_wanted()
                with self._changed, self._answering():
                    self._run.apply(self._pending.pop(self._run.step))

    def busy(self) -> bool:
        """Return whether another thread copies or changes the selection now, for which ``observe`` would wait."""
        if free := self._selecting.acquire(blocking=False):
            self._selecting.release()
        return not free

    def embed(self, attempt: int, embeddings: np.ndarray) -> None:
        """Take the model's embeddings of all training rows and look for neighbours in these from now on.

        Args:
            attempt: the number that ``rewind`` returned.
            embeddings: float32 (N, e), in the order of the training rows.
        """
        with self._selecting, self._changed:
            if attempt == self._attempt:
                with self._answering():
                    self._run.embed(embeddings)

    def show_held_out(self, attempt: int, probabilities: np.ndarray, labels: np.ndarray) -> None:
        """Let the policy count on rows that nothing is trained on.

        Args:
            attempt: the number that ``rewind`` returned.
            probabilities: float32 (n, L).
            labels: float32 (n, L), NaN where unknown.
        """
        with self._selecting, self._changed:
            if attempt == self._attempt:
                with self._answering():
                    self._run.show_held_out(probabilities, labels)

    def keep(self, attempt: int, epoch: int, step: int) -> None:
        """Want the state right before a step: it is copied when it is there, before anything changes it.

        Returns at once. It must come before the observations of that step are sent, or the state is gone.

        Args:
            attempt: the number that ``rewind`` returned.
            epoch: of the state.
            step: likewise.

        Raises:
            RunError: when another group of workers has taken over, or after a restart.
        """
        with self._changed:
            self._require_rewound()
            if attempt != self._attempt:
                raise RunError(_TAKEN_OVER)
            self._wanted, self._copy = (epoch, step), None

    def write(self, attempt: int, folder: AnyPath, timeout_s: float = 600.0) -> dict[str, str]:
        """Write the state that was wanted last into a folder, and return the SHA-256 of each file by its name.

        A file is there whole or not at all. Ranges that hold rows write them by themselves.

        Raises:
            RunError: as ``plan``.
            OSError: when a disk does not take it; DataError when a bucket does not.
        """
        snapshot = self._taken(attempt, timeout_s)
        written = write_state(snapshot, folder)
        if (ranges := snapshot.ranges) is not None:
            self._retries_of_ranges = sum(map(Counter, ranges.aside(storage_retries, [()] * len(ranges))), Counter())
        return written

    def state(self, epoch: int, step: int, timeout_s: float = 600.0) -> dict[str, Any]:
        """Return a copy of the state right before a step, in one piece, waiting until all before it is applied."""
        self.keep(self._attempt, epoch, step)
        return self._taken(self._attempt, timeout_s).whole()

    def record(self, epoch: int, timeout_s: float = 600.0) -> dict[str, Any]:
        """Return the numbers of a finished epoch: seconds by kind, bytes, effective sample size, ..."""
        with self._changed:
            self._wait(lambda: epoch in self._run.records, timeout_s, f"the record of epoch {epoch}")
            return self._run.records[epoch]

    def retries(self) -> dict[str, int]:
        """Return how often this process, and at the last checkpoint those of ranges, had to ask storage again."""
        return dict(Counter(tally()) + self._retries_of_ranges)

    def _taken(self, attempt: int, timeout_s: float) -> Snapshot:
        """Return the copy of the wanted state, made now unless an observation came first; it is forgotten here."""
        with self._changed:
            epoch, step = self._wanted or (-1, -1)
            what = f"the state before step {step} of epoch {epoch}"
            self._wait(lambda: self._copy is not None or self._wanted == self._run.place, timeout_s, what, attempt)
        with self._selecting:
            self._copy_if_wanted()
            copy, self._wanted, self._copy = self._copy, None, None
        if copy is None:
            raise RunError(_TAKEN_OVER)
        return copy

    def _copy_if_wanted(self) -> None:
        """Copy the state when a checkpoint wants that of this moment; for who holds ``_selecting``."""
        if self._copy is None and self._wanted == self._run.place:
            self._copy = self._run.snapshot()

    @staticmethod
    def _kept_embeddings(blueprint: Blueprint, state: Mapping[str, Any]) -> np.ndarray:
        return state["embeddings"] if blueprint.files is None else blueprint.load_embeddings()

    @property
    def _run(self) -> RunSelection:
        assert self._built is not None, "build comes first"
        return self._built

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Keep an error of the block for those who wait, and wake them; for who holds ``_changed``."""
        try:
            yield
        except Exception as error:
            self._failure = error
            raise
        finally:
            self._changed.notify_all()

    def _require_rewound(self) -> None:
        if self._built is None or self._attempt == 0:
            raise RunError("the selection actor was restarted and lost its state; it must be rewound first")

    def _wait(self, ready: Any, timeout_s: float, what: str, attempt: int | None = None) -> None:
        self._require_rewound()
        attempt = self._attempt if attempt is None else attempt
        self._changed.wait_for(lambda: ready() or self._failure is not None or self._attempt != attempt, timeout_s)
        if isinstance(self._failure, LostError):
            raise LostError.of("batch selection failed", self._failure)
        if self._failure is not None:
            raise RunError(f"batch selection failed: {self._failure}") from self._failure
        if self._attempt != attempt:
            raise RunError(_TAKEN_OVER)
        if not ready():
            epoch, step = self._run.place
            raise RunError(
                f"waited {timeout_s:g} s for {what}: at step {step} of epoch {epoch} "
                f"nothing came from ranks {self._pending.missing(step)}"
            )
