"""The service around a Selector: hands out plans and applies observations in step order, each once.

It is a plain thread-safe class: ``actor.py`` makes a Ray actor of it, ``local.py`` uses it in the process that trains.
Workers talk to it with three calls: ``rewind`` once at their start, ``plan`` once an epoch, ``observe`` every few
steps without waiting. The state is a function of the run, not of timing.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Condition, RLock
from typing import Any

import numpy as np

from ...selectors import api as selectors
from ...selectors.with_entries import WithEntries
from ..common.errors import LostError, RunError
from ..common.storage.any_path import AnyPath
from ..common.storage.retries import tally
from .batches import Batches
from .blueprint import Blueprint, fetch
from .epoch_tally import EpochTally
from .file_order import in_file_order
from .log import SelectionLog
from .observation import Observation
from .pending import Part, PendingSteps
from .recording import Recorder
from .state_file import SavedState, writer_of
from .training_rows import TrainingRows

_TAKEN_OVER = "another group of workers goes on with this run; this one is not heard any more"


class SelectionService:
    """A Selector behind a lock, with the bookkeeping that makes delivery order irrelevant.

    It is empty until ``build``, and again when Ray has restarted its actor; ``rewind`` then builds it anew.

    Args:
        serve: makes of the batches of an epoch what ``plan`` returns; None returns them as they are.
    """

    def __init__(self, serve: Callable[[Batches], Any] | None = None) -> None:
        self._serve = serve or (lambda batches: batches)
        self._built: selectors.Selector | None = None
        self._embedded = self._held_out_shown = False
        self._embeddings: np.ndarray | None = None
        self._selecting = RLock()  # whoever changes the selector or copies it has this; taken before the next one
        self._changed = Condition()  # around all else, and never for long: plans are served meanwhile
        self._wanted: tuple[int, int] | None = None
        self._copy: dict[str, Any] | None = None
        self._attempt = 0
        self._pending = PendingSteps(0)
        self._step = 0
        self._plans: dict[int, tuple[selectors.Plan, Any]] = {}
        self._records: dict[int, dict[str, Any]] = {}
        self._tally = EpochTally(0)
        self._failure: BaseException | None = None

    def build(self, blueprint: Blueprint, neighbour_features: np.ndarray | None = None) -> None:
        """Make the selector; raises SelectionError when the method refuses its arguments.

        Args:
            blueprint: what from.
            neighbour_features: float (N, e), what neighbours are looked for in instead of the blueprint's.
        """
        self._blueprint = blueprint
        self._rows = TrainingRows(np.asarray(fetch(blueprint.row_ids), np.int64))
        files = blueprint.files
        self._log = SelectionLog(files, self._rows) if files else None
        self._recorder = Recorder(files) if files and blueprint.record else None
        self._built = blueprint.make_selector(neighbour_features)
        self._take_embeddings(neighbour_features)
        self._epochs = self._built.epochs

    def rewind(self, blueprint: Blueprint, state: Mapping[str, Any] | SavedState | None, world: int) -> int:
        """Put the state back to that of a checkpoint (None: the very start); returns the new attempt's number.

        Called by rank 0 before any other call of a (re)started group of workers, so that what a killed group
        delivered after its last checkpoint is not counted twice. Cost: one copy of the state.
        """
        if isinstance(state, SavedState):
            state = state.load()
        with self._selecting, self._changed:
            embedded = state is not None and blueprint.embeds_before(int(state["epoch"]))
            if self._built is None or self._embedded != embedded:
                self.build(blueprint, self._kept_embeddings(blueprint, state or {}) if embedded else None)
            self._attempt, self._pending = self._attempt + 1, PendingSteps(world)
            self._plans, self._records, self._failure = {}, {}, None
            self._wanted = self._copy = None
            epoch, self._step = 0, 0
            if state is None:
                blueprint.restart(self._selector)
            else:
                self._selector.load_state_dict(state["selector"])
                epoch, self._step = int(state["epoch"]), int(state["step"])
            self._held_out_shown = blueprint.held_out_after is None or epoch > blueprint.held_out_after
            self._tally = EpochTally(epoch)
            if self._recorder is not None:
                self._recorder.rewind((state or {}).get("recorded", {}))
            if epoch < self._epochs:
                plan = self._make_plan(epoch)
                self._tally.consumed = [self._rows.ids_at(plan.ids[: plan.offsets[self._step]])]
            self._changed.notify_all()
            return self._attempt

    def plan(self, epoch: int, timeout_s: float = 600.0) -> Any:
        """Return the ``Batches`` of an epoch, as ``serve`` hands them out; waits until they are made.

        Raises:
            RunError: after a restart without ``rewind``, or when it does not come within ``timeout_s``; the
                message names the ranks whose observations are missing.
        """
        with self._changed:
            self._wait(lambda: epoch in self._plans, timeout_s, f"the plan of epoch {epoch}")
            return self._plans[epoch][1]

    def observe(self, observation: Observation) -> None:
        """Take one message; what is old or double is dropped, what is early waits for its turn."""
        with self._selecting:
            if observation.attempt != self._attempt or observation.epoch != self._tally.epoch:
                return
            with self._changed, self._answering():
                self._tally.received_bytes += observation.nbytes
                self._pending.add(observation, self._step)
            while self._pending.whole(self._step):
                self._copy_if_wanted()
                with self._changed, self._answering():
                    self._apply(self._pending.pop(self._step))

    def embed(self, attempt: int, embeddings: np.ndarray) -> None:
        """Take the model's embeddings of all training rows and look for neighbours in these from now on.

        Args:
            attempt: the number that ``rewind`` returned.
            embeddings: float32 (N, e), in the order of the training rows.
        """
        with self._selecting, self._changed:
            if attempt != self._attempt or self._embedded:
                return
            with self._answering():
                self._blueprint.save_embeddings(embeddings)
                state = self._selector.state_dict()
                self._built = None  # its ranges, if any, give their memory back before new ones ask for it
                self._built = self._blueprint.make_selector(embeddings)
                self._take_embeddings(embeddings)
                self._selector.load_state_dict(state)
                self._finish_complete_epoch()

    def show_held_out(self, attempt: int, probabilities: np.ndarray, labels: np.ndarray) -> None:
        """Let the policy count on rows that nothing is trained on.

        Args:
            attempt: the number that ``rewind`` returned.
            probabilities: float32 (n, L).
            labels: float32 (n, L), NaN where unknown.
        """
        with self._selecting, self._changed:
            if attempt != self._attempt or self._held_out_shown:
                return
            with self._answering():
                assert isinstance(self._selector, WithEntries), "no other wants held-out rows"
                self._selector.observe_held_out(probabilities, labels)
                if self._recorder is not None:
                    self._recorder.held_out = (probabilities, labels)
                self._held_out_shown = True
                self._finish_complete_epoch()

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

    def write(self, attempt: int, path: AnyPath, timeout_s: float = 600.0) -> str:
        """Write the state that was wanted last into a file, whole or not at all, and return the file's SHA-256.

        Raises:
            RunError: as ``plan``.
            OSError: when a disk does not take it; DataError when a bucket does not.
        """
        return writer_of(self._taken(attempt, timeout_s))(path)

    def state(self, epoch: int, step: int, timeout_s: float = 600.0) -> dict[str, Any]:
        """Return a copy of the state right before a step, waiting until all before it is applied."""
        self.keep(self._attempt, epoch, step)
        return self._taken(self._attempt, timeout_s)

    def record(self, epoch: int, timeout_s: float = 600.0) -> dict[str, Any]:
        """Return the numbers of a finished epoch: seconds by kind, bytes, effective sample size, ..."""
        with self._changed:
            self._wait(lambda: epoch in self._records, timeout_s, f"the record of epoch {epoch}")
            return self._records[epoch]

    def retries(self) -> dict[str, int]:
        """Return how often this process had to ask storage again, by what it did."""
        return dict(tally())

    def _taken(self, attempt: int, timeout_s: float) -> dict[str, Any]:
        """Return the copy of the wanted state, made now unless an observation came first; it is forgotten here."""
        with self._changed:
            epoch, step = self._wanted or (-1, -1)
            what = f"the state before step {step} of epoch {epoch}"
            self._wait(lambda: self._copy is not None or self._wanted == self._place, timeout_s, what, attempt)
        with self._selecting:
            self._copy_if_wanted()
            copy, self._wanted, self._copy = self._copy, None, None
        if copy is None:
            raise RunError(_TAKEN_OVER)
        return copy

    @property
    def _place(self) -> tuple[int, int]:
        return self._tally.epoch, self._step

    def _copy_if_wanted(self) -> None:
        """Copy the state when a checkpoint wants that of this moment; for who holds ``_selecting``."""
        if self._copy is not None or self._wanted != self._place:
            return
        epoch, step = self._place
        copy: dict[str, Any] = {"epoch": epoch, "step": step, "selector": self._selector.state_dict()}
        if self._embeddings is not None:
            copy["embeddings"] = self._embeddings
        if self._recorder is not None:
            copy["recorded"] = self._recorder.state()
        self._copy = copy

    def _take_embeddings(self, embeddings: np.ndarray | None) -> None:
        """Know that they are there; without a run folder, where they lie as a file, they are part of the state."""
        self._embedded = embeddings is not None
        self._embeddings = None if self._blueprint.files else embeddings

    @staticmethod
    def _kept_embeddings(blueprint: Blueprint, state: Mapping[str, Any]) -> np.ndarray:
        return state["embeddings"] if blueprint.files is None else blueprint.load_embeddings()

    @property
    def _selector(self) -> selectors.Selector:
        assert self._built is not None, "build comes first"
        return self._built

    def _apply(self, parts: list[Part]) -> None:
        """Apply one whole batch, ranks in order: the same call whatever the number of workers."""
        started = time.perf_counter()
        ids, probabilities, losses = zip(*parts, strict=True)
        consumed = np.concatenate(ids)
        plan = self._plans[self._tally.epoch][0]
        positions = plan.ids[plan.offsets[self._step] : plan.offsets[self._step + 1]]
        if not np.array_equal(self._rows.ids_at(positions), consumed):
            raise RunError(f"step {self._step} of epoch {plan.epoch}: the workers fed other rows than the plan's")
        if probabilities[0] is not None:
            shown = np.concatenate(probabilities), np.concatenate(losses)
            self._selector.observe(positions, *shown)
            if self._recorder is not None:
                self._recorder.add(*shown)
        self._tally.consumed.append(consumed)
        self._step += 1
        self._tally.observe_s += time.perf_counter() - started
        self._finish_complete_epoch()

    def _finish_complete_epoch(self) -> None:
        """Finish the epoch if all its batches are in, and what is due at its end: embeddings, held-out rows."""
        epoch = self._tally.epoch
        due = epoch == self._blueprint.embed_after and not self._embedded
        due |= epoch == self._blueprint.held_out_after and not self._held_out_shown
        if epoch in self._plans and self._step == len(self._plans[epoch][0]) and not due:
            self._finish_epoch()

    def _finish_epoch(self) -> None:
        tally, plan = self._tally, self._plans[self._tally.epoch][0]
        started = time.perf_counter()
        self._selector.end_epoch(tally.epoch)
        tally.rescore_s = time.perf_counter() - started
        self._tally, self._step = EpochTally(tally.epoch + 1), 0
        if tally.epoch + 1 < self._epochs:
            self._make_plan(tally.epoch + 1)
        self._records = {e: r for e, r in self._records.items() if e >= tally.epoch - 1}
        self._records[tally.epoch] = {
            **tally.record(),
            "effective_sample_size": plan.effective_sample_size(len(self._rows)),
            **self._judged(),
        }
        if self._log is not None:
            consumed = np.concatenate(tally.consumed)
            self._log.write(plan, consumed, self._selector.summary(), self._records[tally.epoch])
            if self._recorder is not None:
                self._recorder.write(plan, consumed)

    def _judged(self) -> dict[str, Any]:
        """Return the numbers of the policy that judges entries, if there is one."""
        if not isinstance(self._selector, WithEntries):
            return {}
        return {name: value for name, value in self._selector.judged().items() if not np.ndim(value)}

    def _make_plan(self, epoch: int) -> selectors.Plan:
        started = time.perf_counter()
        plan = self._selector.plan(epoch)
        if self._blueprint.file_order:
            plan = in_file_order(plan, len(self._rows))
        entries = None if plan.entries is None else plan.entries.renumbered(self._rows.row_ids)
        batches = Batches(self._rows.ids_at(plan.ids), plan.offsets, plan.draw_weights, entries)
        self._plans = {e: p for e, p in self._plans.items() if e >= epoch - 1}
        self._plans[epoch] = (plan, self._serve(batches))
        self._tally.plan_s += time.perf_counter() - started
        return plan

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
            raise RunError(
                f"waited {timeout_s:g} s for {what}: at step {self._step} of epoch {self._tally.epoch} "
                f"nothing came from ranks {self._pending.missing(self._step)}"
            )
