"""The selection of one run: plans, observations step after step, ends of epochs, records and files, and the state.

It knows neither threads nor ranks nor attempts: ``service.py`` hands it one whole batch after the other.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...selectors import api as selectors
from ...selectors.ranges.snapshot import Snapshot
from ...selectors.with_entries import WithEntries
from ..common.errors import RunError
from .batches import Batches
from .blueprint import Blueprint, fetch
from .epoch_tally import EpochTally
from .file_order import in_file_order
from .log import SelectionLog
from .pending import Part
from .recording import Recorder
from .training_rows import TrainingRows


class RunSelection:
    """A selector at one place of its run.

    Args:
        blueprint: what the selector is made from.
        serve: makes of the batches of an epoch what ``plans`` holds.
        neighbour_features: float (N, e), what neighbours are looked for in instead of the blueprint's.

    Raises:
        SelectionError: when the method refuses its arguments.

    Attributes:
        plans: of the present epoch and the one before, by epoch: the plan, and what ``serve`` made of its batches.
        records: numbers of the last finished epochs, by epoch.
        tally: of the present epoch.
        step: what comes next in it.
        embedded: whether neighbours are looked for in the network's embeddings.
    """

    def __init__(
        self, blueprint: Blueprint, serve: Callable[[Batches], Any], neighbour_features: np.ndarray | None = None
    ) -> None:
        self._blueprint, self._serve = blueprint, serve
        self._rows = TrainingRows(np.asarray(fetch(blueprint.row_ids), np.int64))
        files = blueprint.files
        self._log = SelectionLog(files, self._rows) if files else None
        self._recorder = Recorder(files) if files and blueprint.record else None
        self._made: selectors.Selector | None = blueprint.make_selector(neighbour_features)
        self._take_embeddings(neighbour_features)
        self._held_out_shown = False
        self._epochs = self._selector.epochs
        self.plans: dict[int, tuple[selectors.Plan, Any]] = {}
        self.records: dict[int, dict[str, Any]] = {}
        self.tally, self.step = EpochTally(0), 0

    @property
    def place(self) -> tuple[int, int]:
        """The epoch, and the step in it that comes next."""
        return self.tally.epoch, self.step

    def restore(self, blueprint: Blueprint, state: Mapping[str, Any] | None) -> None:
        """Go to the place of a state, to the very start without one.

        Raises:
            SelectionError: when the state is that of another run; DamagedError when a range cannot read its rows.
        """
        self._blueprint = blueprint
        self.plans, self.records = {}, {}
        epoch, self.step = 0, 0
        if state is None:
            blueprint.restart(self._selector)
        else:
            self._selector.load_state_dict(state["selector"])
            epoch, self.step = int(state["epoch"]), int(state["step"])
        self._held_out_shown = blueprint.held_out_after is None or epoch > blueprint.held_out_after
        self.tally = EpochTally(epoch)
        if self._recorder is not None:
            self._recorder.rewind((state or {}).get("recorded", {}))
        if epoch < self._epochs:
            plan = self._make_plan(epoch)
            self.tally.consumed = [self._rows.ids_at(plan.ids[: plan.offsets[self.step]])]

    def snapshot(self) -> Snapshot:
        """Copy the state of this place, for ``state_file.write_state``."""
        epoch, step = self.place
        found = self._selector.snapshot()
        values: dict[str, Any] = {"epoch": epoch, "step": step, "selector": found.values}
        if self._embeddings is not None:
            values["embeddings"] = self._embeddings
        if self._recorder is not None:
            values["recorded"] = self._recorder.state()
        return replace(found, values=values)

    def apply(self, parts: Sequence[Part]) -> None:
        """Apply one whole batch, ranks in order: the same call whatever the number of workers.

        Raises:
            RunError: when the workers fed other rows than the plan's.
        """
        started = time.perf_counter()
        ids, probabilities, losses = zip(*parts, strict=True)
        consumed = np.concatenate(ids)
        plan = self.plans[self.tally.epoch][0]
        positions = plan.ids[plan.offsets[self.step] : plan.offsets[self.step + 1]]
        if not np.array_equal(self._rows.ids_at(positions), consumed):
            raise RunError(f"step {self.step} of epoch {plan.epoch}: the workers fed other rows than the plan's")
        if probabilities[0] is not None:
            shown = np.concatenate(probabilities), np.concatenate(losses)
            self._selector.observe(positions, *shown)
            if self._recorder is not None:
                self._recorder.add(*shown)
        self.tally.consumed.append(consumed)
        self.step += 1
        self.tally.observe_s += time.perf_counter() - started
        self._finish_complete_epoch()

    def embed(self, embeddings: np.ndarray) -> None:
        """Look for neighbours in the embeddings from now on, float32 (N, e); once is enough."""
        if self.embedded:
            return
        self._blueprint.save_embeddings(embeddings)
        state = self._selector.state_dict()
        self._made = None  # its ranges, if any, give their memory back before new ones ask for it
        self._made = self._blueprint.make_selector(embeddings)
        self._take_embeddings(embeddings)
        self._selector.load_state_dict(state)
        self._finish_complete_epoch()

    def show_held_out(self, probabilities: np.ndarray, labels: np.ndarray) -> None:
        """Let the policy count on rows that nothing is trained on, float32 (n, L) each; once is enough."""
        if self._held_out_shown:
            return
        assert isinstance(self._selector, WithEntries), "no other wants held-out rows"
        self._selector.observe_held_out(probabilities, labels)
        if self._recorder is not None:
            self._recorder.held_out = (probabilities, labels)
        self._held_out_shown = True
        self._finish_complete_epoch()

    @property
    def _selector(self) -> selectors.Selector:
        assert self._made is not None, "it is made anew"
        return self._made

    def _take_embeddings(self, embeddings: np.ndarray | None) -> None:
        """Know that they are there; without a run folder, where they lie as a file, they are part of the state."""
        self.embedded = embeddings is not None
        self._embeddings = None if self._blueprint.files else embeddings

    def _finish_complete_epoch(self) -> None:
        """Finish the epoch if all its batches are in, and what is due at its end: embeddings, held-out rows."""
        epoch = self.tally.epoch
        due = epoch == self._blueprint.embed_after and not self.embedded
        due |= epoch == self._blueprint.held_out_after and not self._held_out_shown
        if epoch in self.plans and self.step == len(self.plans[epoch][0]) and not due:
            self._finish_epoch()

    def _finish_epoch(self) -> None:
        tally, plan = self.tally, self.plans[self.tally.epoch][0]
        started = time.perf_counter()
        self._selector.end_epoch(tally.epoch)
        tally.rescore_s = time.perf_counter() - started
        self.tally, self.step = EpochTally(tally.epoch + 1), 0
        if tally.epoch + 1 < self._epochs:
            self._make_plan(tally.epoch + 1)
        self.records = {e: r for e, r in self.records.items() if e >= tally.epoch - 1}
        self.records[tally.epoch] = {
            **tally.record(),
            "effective_sample_size": plan.effective_sample_size(len(self._rows)),
            **self._judged(),
        }
        if self._log is not None:
            consumed = np.concatenate(tally.consumed)
            self._log.write(plan, consumed, self._selector.summary(), self.records[tally.epoch])
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
        self.plans = {e: p for e, p in self.plans.items() if e >= epoch - 1}
        self.plans[epoch] = (plan, self._serve(batches))
        self.tally.plan_s += time.perf_counter() - started
        return plan
