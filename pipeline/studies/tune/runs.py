"""The runs that one point is judged by, side by side: epoch by epoch the records of all of them.

A point is trained in one of two ways. With ``run.workers=0`` its runs are trained in turns in the trial's own process,
without an actor; else each is a whole ``fit`` with its own workers and selection actor. Both go on from checkpoints,
and both yield all epochs from the first one on, also those that were trained before an interruption.
"""

import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from queue import Queue
from threading import Thread

import torch

from ....selectors.common.label_matrix import LabelMatrix
from ...common.config.config import Config
from ...common.storage.any_path import AnyPath, fetched_folder, make_folder, remove, replacing
from ...common.storage.locations import Location
from ...common.storage.whole_folders import new_folder
from ...feeds.choice import GATHER, FeedChoice
from ...feeds.row_store import RowStore, StoredRows
from ...runs.checkpoint_record import RECORD
from ...runs.checkpoints import CheckpointStore
from ...runs.run_folder import RunFolder
from ...training.attempts import this_ray_named
from ...training.in_folder import train_in
from ...training.local_run import LocalRun, Prepared
from ..saved_run import KEEP_EVERY_S, Record, SavedRun


@dataclass(frozen=True)
class TrialData:
    """The prepared data, made once for all trials; small, the rows stay in the object store.

    Attributes:
        rows: all rows.
        labels: of all rows.
        neighbour_cache: folder of neighbours found earlier.
        feed: how rows reach the workers of whole fits.
    """

    rows: RowStore
    labels: LabelMatrix
    neighbour_cache: AnyPath
    feed: FeedChoice = GATHER


def train_side_by_side(
    configs: Sequence[Config], folder: AnyPath, data: TrialData, keep_at: int | None = None
) -> Iterator[list[Record]]:
    """Train a point's runs and yield the records of each epoch, one a run, the same as ``fit`` writes.

    Args:
        configs: of the runs; they differ in seed and fold only.
        folder: of the trial; run k lives in ``folder / str(k)``.
        data: what they train on.
        keep_at: keep the state in any case after epochs that are a multiple of this.

    Raises:
        ConfigError, DataError, RunError, SelectionError: what stops a run.
    """
    folders = [_run_folder(folder / str(number), config) for number, config in enumerate(configs)]
    if configs[0].run.workers:
        return _whole_fits(configs, folders, data)
    return _in_turns(configs, folders, data, keep_at)


def copy_states(source: AnyPath, target: AnyPath) -> None:
    """Copy the newest checkpoint and the records of every run of a trial's folder to another one, which begins anew."""
    for name in filter(str.isdigit, Location.of(source).folders()):
        remove(target / name)
        latest = CheckpointStore(RunFolder(source / name).checkpoints).intact()
        if latest is not None:
            place = RunFolder(target / name).checkpoints / latest.path.name
            with new_folder(place, RECORD) as copy, fetched_folder(latest.path) as files:
                shutil.copytree(files, copy, dirs_exist_ok=True)
            RunFolder(target / name).write_metrics(RunFolder(source / name).read_metrics())


def _run_folder(path: AnyPath, config: Config) -> RunFolder:
    """Open the folder of a run, or make it; one with nothing but a copied state is completed."""
    folder = RunFolder(path)
    if not folder.config.is_file():
        make_folder(path)
        with replacing(folder.config) as temporary:
            config.save(temporary)
    return folder


def _in_turns(
    configs: Sequence[Config], folders: Sequence[RunFolder], data: TrialData, keep_at: int | None
) -> Iterator[list[Record]]:
    # Never set back: a stopped trial's generator ends at any time, maybe within the next trial of this process.
    torch.set_num_threads(configs[0].run.threads)
    prepared = Prepared(StoredRows(data.rows), data.labels)
    runs = [
        SavedRun(LocalRun(config, prepared, neighbour_cache=data.neighbour_cache), folder)
        for config, folder in zip(configs, folders, strict=True)
    ]
    first = min(run.latest for run in runs)
    for run in runs:
        run.restore(first)
    epochs, kept = configs[0].train.epochs, time.monotonic()
    for epoch in range(epochs):
        records = [run.epoch(epoch) for run in runs]
        due = epoch + 1 == epochs or (keep_at and (epoch + 1) % keep_at == 0)
        if epoch >= first and (due or time.monotonic() - kept >= KEEP_EVERY_S):
            for run in runs:
                run.save(epoch + 1)
            kept = time.monotonic()
        yield records


def _whole_fits(configs: Sequence[Config], folders: Sequence[RunFolder], data: TrialData) -> Iterator[list[Record]]:
    with this_ray_named():  # for all threads alike: no run may take the name away from another
        yield from _side_by_side(configs, folders, data)


def _side_by_side(configs: Sequence[Config], folders: Sequence[RunFolder], data: TrialData) -> Iterator[list[Record]]:
    told: Queue[tuple[int, Record | BaseException | None]] = Queue()
    for number, (config, folder) in enumerate(zip(configs, folders, strict=True)):
        Thread(target=_fit, args=(number, config, folder, data, told), daemon=True).start()
    known: list[dict[int, Record]] = [{} for _ in configs]
    running, last = len(configs), configs[0].train.epochs - 1
    for epoch in range(configs[0].train.epochs):
        # The last epoch is told when the runs have ended: Tune may end the trial upon it.
        while not all(epoch in run for run in known) or (epoch == last and running):
            number, news = told.get()
            if isinstance(news, BaseException):
                raise news
            if news is None:
                running -= 1
            else:
                known[number][news["epoch"]] = news
        yield [run[epoch] for run in known]


def _fit(number: int, config: Config, folder: RunFolder, data: TrialData, told: Queue) -> None:
    """Train one run; tell each epoch's record, then None, or what went wrong."""
    try:
        train_in(
            folder,
            config,
            data.labels,
            StoredRows(data.rows),  # a trial may start no Ray tasks
            data.feed,
            quiet=True,
            listener=lambda record: told.put((number, record)),
        )
        told.put((number, None))
    except BaseException as error:  # it must reach the trial's own thread
        told.put((number, error))
