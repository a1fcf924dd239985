"""``incremental``: the tasks of a sequence one after the other, each a run of its own; a killed sequence goes on."""

import shlex
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from ....selectors.common.label_matrix import LabelMatrix
from ...common.cluster.session import ray_session
from ...common.errors import ConfigError, RunError
from ...common.storage.any_path import AnyPath, address_of, any_path, is_there, replacing
from ...common.storage.begun import begun
from ...common.storage.bucket_lock import lock_of
from ...common.storage.locations import Location
from ...data.manifest import Manifest
from ...data.shards import read_labels, read_splits
from ...data.splits import make_splits
from ...feeds.shard_rows import ShardRows
from ...training.driver import needs_ray
from .folder import SequenceFolder
from .learning import Learning
from .outcome import Outcome
from .preflight import check_sequence
from .sequence import TaskSequence
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
