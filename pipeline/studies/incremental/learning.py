"""A sequence under way: task after task what is not done yet, each a run of its own, then memory and measures."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ....selectors.common.label_matrix import LabelMatrix
from ....selectors.common.randomness import generator
from ...common.stages import stage
from ...common.storage.any_path import address_of
from ...common.storage.locations import Location
from ...feeds.shard_rows import ShardRows
from ...runs.run_folder import RunFolder
from ...training.driver import fit, resume
from .brought_along import bring_along
from .folder import SequenceFolder
from .measuring import measured
from .memories.api import Candidates
from .memory import Memory, after_task, with_logits
from .online_relabelling import Relabeller, class_thresholds
from .outcome import Outcome
from .sequence import TaskSequence
from .task_data import shown, view_of, view_of_everything, write_task
from .task_model import TaskModel
from .tasks import Tasks


@dataclass(frozen=True)
class Learning:
    """A sequence under way.

    Attributes:
        sequence: what is learned and how.
        folder: where everything is kept.
        tasks: how the prepared set is cut.
        rows: of the prepared set.
        labels: of the prepared set; training rows are looked at through ``task_data`` alone.
        truth: of the prepared set, for measuring alone.
        quiet: whether to print no progress.
    """

    sequence: TaskSequence
    folder: SequenceFolder
    tasks: Tasks
    rows: ShardRows
    labels: LabelMatrix
    truth: LabelMatrix
    quiet: bool = False

    def all_tasks(self) -> Outcome:
        """Learn what is not done yet; returns what all tasks came to."""
        records: list[dict[str, Any]] = []
        for number in range(1, len(self.tasks) + 1):
            record = self.folder.task(number).read_record()
            if record is None:
                record = self._task(number)
                self.folder.task(number).write_record(record)
            records.append(record)
            self._outcome(records).write(self.folder.path)
        return self._outcome(records)

    def _task(self, number: int) -> dict[str, Any]:
        """Learn one task; returns its numbers."""
        folder = self.folder.task(number)
        self._say(number)
        if not folder.has_data:
            with stage(f"writing what task {number} sees"):
                self._write(number)
        self._train(number)
        with stage(f"testing task {number}"):
            record = self._after(number)
        if not self.quiet:
            metrics = record["metrics"]
            told = ", ".join(f"{name} {metrics[name]:.4f}" for name in ("map", "old_map", "new_map", "cf1@0.5"))
            print(f"task {number} of {len(self.tasks)}: {told}", flush=True)
        return record

    def _say(self, number: int) -> None:
        if self.quiet:
            return
        names = [self.rows.manifest.labels[column] for column in self.tasks.columns(number)]
        memory = self._memory(number - 1)
        exemplars = "" if memory is None else f", {len(memory.known.rows)} exemplars"
        rows = len(self.tasks.rows[number - 1])
        print(f"\ntask {number} of {len(self.tasks)}: {', '.join(names)}; {rows} rows{exemplars}", flush=True)

    def _write(self, number: int) -> None:
        """Write what a task sees."""
        if self.sequence.made.sees_all:
            view = view_of_everything(self.labels, self.tasks, number)
        else:
            held = self._memory(number - 1)
            known = None if held is None else held.known
            view = view_of(self.labels, self.tasks, number, known, recognised=self._recognised)
            if held is not None:
                bring_along(self.sequence, self.folder, self.tasks, number, held, self._memory(number - 2))
        if self.sequence.made.labels_rows and number > 1:
            past = TaskModel(self.folder.task(number - 1).run, self.rows.open())
            view = self._relabeller(number - 1).fill_old(view, number, past)
        write_task(view, self.rows, self.tasks, number, self.folder.task(number).data)

    def _train(self, number: int) -> None:
        """Train a task's run, or what is missing of it."""
        folder = self.folder.task(number)
        run = RunFolder(folder.run)
        if not run.config.is_file():
            past = address_of(self.folder.task(number - 1).run) if number > 1 else None
            inherit = folder.selection if folder.selection.is_file() else None
            fit(self.sequence.run_config(number, folder.path, past, folder.data, inherit), quiet=self.quiet)
        elif run.read_result() is None:
            resume(run.path, quiet=self.quiet)

    def _after(self, number: int) -> dict[str, Any]:
        """Keep exemplars and test, at the end of a task; returns its numbers."""
        folder, reader = self.folder.task(number), self.rows.open()
        model = TaskModel(folder.run, reader)
        thresholds = class_thresholds(self.labels, self.tasks, number, model)
        memory = self._updated(number, model)
        if memory is not None and self.sequence.made.relabels and number > 1:
            relabeller = self._relabeller(number - 1, thresholds)
            past = TaskModel(self.folder.task(number - 1).run, reader)
            lower = relabeller.fill_old(memory.known, number, past)
            memory = replace(memory, known=relabeller.fill_new(lower, number, model))
        if memory is not None and self.sequence.made.keeps_logits:
            memory = with_logits(memory, self._memory(number - 1), model.logits)
        if memory is not None:
            memory.save(folder.memory)
        known = None if memory is None else memory.known
        return {
            **measured(self.truth, self.tasks, number, model, known),
            "thresholds": thresholds.tolist(),
            "seconds": sum(epoch["seconds"] for epoch in RunFolder(folder.run).read_metrics()),
        }

    def _updated(self, number: int, model: TaskModel) -> Memory | None:
        """Return what is kept after a task, before anything is relabelled; None for a sequence without a memory."""
        section = self.sequence.memory
        if section is None:
            return None
        rows, values = self.tasks.rows[number - 1], shown(self.labels, self.tasks, number)
        held = self._memory(number - 1)
        if held is not None and not section.recognised:  # an image is stored once
            new = ~np.isin(rows, held.exemplars.rows)
            rows, values = rows[new], values[new]
        features = model.embeddings(rows) if section.kind == "herding" else None
        block = Candidates(rows, values >= 0.5, features)
        rng = generator(self.sequence.seed, "exemplars", number)
        return after_task(section.kind, section.budget(), held, block, values, rng)

    @property
    def _recognised(self) -> bool:
        return self.sequence.memory is None or self.sequence.memory.recognised

    def _memory(self, number: int) -> Memory | None:
        """Return the memory after a task; None where there is none."""
        path = self.folder.task(number).memory
        return Memory.load(path) if path.is_file() else None

    def _relabeller(self, done: int, *more: np.ndarray) -> Relabeller:
        """Return what fills labels, with the thresholds of the tasks that are done, and more."""
        records = [self.folder.task(number).read_record() for number in range(1, done + 1)]
        thresholds = np.concatenate([*(record["thresholds"] for record in records if record is not None), *more])
        return Relabeller(self.sequence.relabelling, self.tasks, self.labels, thresholds)

    def _outcome(self, records: list[dict[str, Any]]) -> Outcome:
        order, sequence = self.sequence.class_order, self.sequence
        return Outcome(
            name=sequence.name,
            data=Location.of(sequence.data.path).name,
            protocol=sequence.protocol,
            order=order if isinstance(order, str) else "given",
            seed=sequence.seed,
            classes=[self.rows.manifest.labels[column] for column in self.tasks.order],
            blocks=self.tasks.blocks,
            tasks=[record["metrics"] for record in records],
            relabelling=[record["relabelling"] for record in records if record["relabelling"]],
            seconds=[record["seconds"] for record in records],
            settings=sequence.model_dump(mode="json"),
        )
