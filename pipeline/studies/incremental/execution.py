"""``incremental``: the tasks of a sequence one after the other, each a run of its own; a killed sequence goes on."""

import shlex
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ....selectors.common.label_matrix import LabelMatrix
from ....selectors.common.randomness import generator
from ...common.cluster.session import ray_session
from ...common.errors import ConfigError, RunError
from ...common.stages import stage
from ...common.storage.any_path import AnyPath, address_of, any_path, is_there, replacing
from ...common.storage.begun import begun
from ...common.storage.bucket_lock import lock_of
from ...common.storage.locations import Location
from ...data.manifest import Manifest
from ...data.shards import read_labels, read_splits
from ...data.splits import make_splits
from ...feeds.shard_rows import ShardRows
from ...runs.run_folder import RunFolder
from ...training.driver import fit, needs_ray, resume
from .brought_along import bring_along
from .folder import SequenceFolder
from .measuring import measured
from .memories.api import Candidates
from .memory import Memory, after_task, with_logits
from .online_relabelling import Relabeller, class_thresholds
from .outcome import Outcome
from .preflight import check_sequence
from .sequence import TaskSequence
from .task_data import shown, view_of, view_of_everything, write_task
from .task_model import TaskModel
from .tasks import Tasks, make_tasks


def incremental(
    sequence: TaskSequence | str | Path, out: "str | AnyPath", *, go_on: bool = False, quiet: bool = False
) -> Outcome:
    """Learn the tasks of a sequence, and return what they came to.

    Args:
        sequence: the sequence, or its YAML file.
        out: folder of the sequence, to be made; a path or an address of a bucket.
        go_on: take up the sequence that was begun there, in the middle of a task with its very next batch. Tasks that
            are done are not trained again.
        quiet: print no progress.

    Raises:
        ConfigError, DataError: before anything is written, when a task could not work, or ``out`` was begun with
            another sequence.
        RunError: when ``out`` holds something else, another process writes it, or a task fails.
    """
    if not isinstance(sequence, TaskSequence):
        sequence = TaskSequence.load(sequence)
    sequence, folder = sequence.with_absolute_paths(), SequenceFolder(any_path(out))
    manifest = Manifest.load(sequence.data.path)
    labels = read_labels(manifest)
    if go_on:
        _require_same(folder, sequence, manifest)
        tasks = Tasks.load(folder.tasks)
    else:
        _require_free(folder)
        tasks = cut(sequence, manifest, labels)
    check_sequence(sequence, manifest, tasks)
    with (
        lock_of(folder.path, "sequence") as lock,
        begun(folder.path, lambda: go_on or folder.task(1).has_data or lock.lost, _command(folder)),
    ):
        if not go_on:
            tasks.save(folder.tasks)
            folder.write_fingerprint(manifest.fingerprint())
            with replacing(folder.sequence) as temporary:
                sequence.save(temporary)
        learning = Learning(sequence, folder, tasks, ShardRows(manifest, images=False), labels, labels, quiet)
        with _ray_for_all_tasks(sequence, folder):
            return learning.all_tasks()


def _ray_for_all_tasks(sequence: TaskSequence, folder: SequenceFolder) -> AbstractContextManager[None]:
    """Return one Ray for all runs and passes of a sequence, if they need it; else each would start its own."""
    configs = [sequence.run_config(number, folder.path, None) for number in (1, 2)]
    needing = [config for config in configs if needs_ray(config)]
    if not needing:
        return nullcontext()
    return ray_session(max(needing, key=lambda config: config.run.workers).run)


def cut(sequence: TaskSequence, manifest: Manifest, labels: LabelMatrix) -> Tasks:
    """Return the tasks of a sequence, as its seed and its settings cut them from a prepared set.

    Raises:
        ConfigError, DataError: see ``make_tasks``.
    """
    data = sequence.data
    splits = make_splits(
        labels.positives,
        read_splits(manifest),
        validation_fraction=data.validation_fraction,
        test_fraction=data.test_fraction,
        seed=sequence.seed,
        mode=data.split,
        fold=data.fold,
        folds=data.folds,
    )
    return make_tasks(sequence, manifest, labels.positives, splits)


def _require_free(folder: SequenceFolder) -> None:
    if folder.sequence.is_file():
        raise RunError(f"{folder.path}: a sequence was begun here; go on with it: --resume, or choose another folder")
    place = Location.of(folder.path)
    if is_there(folder.path) and (place.is_file() or place.files() or place.folders()):
        raise RunError(f"{folder.path}: exists and holds something else; choose another folder")


def _require_same(folder: SequenceFolder, sequence: TaskSequence, manifest: Manifest) -> None:
    if not folder.sequence.is_file():
        raise RunError(
            f"{folder.path}: no sequence was begun here (it has no {folder.sequence.name}); leave out --resume"
        )
    before, now = TaskSequence.load(folder.sequence).model_dump(), sequence.model_dump()
    if differing := [name for name in now if name != "data" and now[name] != before[name]]:
        raise ConfigError(
            f"{', '.join(differing)}: not what {folder.path} was begun with, its tasks would be of neither setting; "
            f"{folder.sequence} has what it was begun with"
        )
    if folder.read_fingerprint() != manifest.fingerprint():
        raise RunError(
            f"{folder.path}: the data in {manifest.folder} is no longer what this sequence was begun with; put the "
            "former data back, or begin anew"
        )


def _command(folder: SequenceFolder) -> str:
    return shlex.join(["d2ace", "incremental", *map(address_of, (folder.sequence, folder.path)), "--resume"])


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
