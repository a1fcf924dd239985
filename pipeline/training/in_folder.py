"""Training in a run folder: what the run sees, its selection, and workers or this process for it."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from ...selectors.common.label_matrix import LabelMatrix
from ..common.config.config import Config
from ..common.stages import stage
from ..common.storage.retries import count
from ..data.support import support_lines
from ..feeds.all_rows import AllRows
from ..feeds.choice import GATHER, FeedChoice
from ..runs.checkpoints import CheckpointStore
from ..runs.progress import Progress
from ..runs.run_data import RunData, make_run_data
from ..runs.run_folder import RunFolder
from ..selection import actor as selection_actor
from ..selection.blueprint import Blueprint
from .attempts import train_on_workers
from .doctor.selection_stages import measure_selection
from .in_process import train_here
from .initial_weights import initial_scaler
from .selector_setup import selection_blueprint
from .whole_run import RunSetup

if TYPE_CHECKING:
    from ray.actor import ActorHandle


def train_in(
    folder: RunFolder,
    config: Config,
    labels: LabelMatrix,
    rows: AllRows,
    feed: FeedChoice = GATHER,
    *,
    quiet: bool = False,
    listener: Callable[[dict[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """Train in a run folder, from its newest checkpoint if it has one; returns the result.

    With ``run.workers`` above 0 on the Ray that is there, else in this process.

    Args:
        folder: made for this configuration.
        config: checked and with absolute paths.
        labels: of all rows.
        rows: all rows; inside a Tune trial of a kind that starts no Ray tasks.
        feed: how rows reach the workers.
        quiet: print no progress.
        listener: as that of ``Progress``.

    Raises:
        RunError: when training fails for good, or the data is no longer what the run was made from.
    """
    workers, settings = config.run.workers, config.train
    with (
        selection_actor.started() if workers else nullcontext() as actor,
        Progress(
            folder,
            settings.epochs,
            settings.monitor,
            quiet,
            listener,
            elsewhere=workers > 0,
            tensorboard="tensorboard" in config.run.trackers,
        ) as progress,
    ):
        with stage("preparing splits and inputs"):
            data = _data(config, folder, labels, rows)  # while the two processes start
            blueprint = selection_blueprint(config, folder, labels, rows, data)
        if not quiet:
            held_out = {"validation": data.splits.validation, "test": data.splits.test}
            for line in support_lines(labels, held_out):
                print(line, flush=True)
        setup = RunSetup(config, data, folder, progress.events)
        if actor is None:
            final = train_here(setup, rows, feed, blueprint)
        else:
            final = _with_workers(setup, rows, feed, blueprint, actor, labels)
        progress.finish(final.pop("history"))
    final["feed"] = feed.feed
    folder.write_result(final)
    if config.run.keep_checkpoints is None:
        CheckpointStore(folder.checkpoints).shrink()
    return final


def _data(config: Config, folder: RunFolder, labels: LabelMatrix, rows: AllRows) -> RunData:
    """Decide what the run sees, or take what it saw before when it goes on."""
    known = folder.data.load()
    if known is None:
        data = make_run_data(config, labels, rows, scaler=initial_scaler(config))
        folder.data.save(data)
        return data
    known.require_same(rows.manifest, folder.path)
    return known


def _with_workers(
    setup: RunSetup,
    rows: AllRows,
    feed: FeedChoice,
    blueprint: Blueprint,
    actor: "ActorHandle",
    labels: LabelMatrix,
) -> dict[str, Any]:
    """Train on Ray Train's workers, with selection in an actor."""
    from .worker import WorkerSetup

    def needed_bytes() -> int:
        return measure_selection(setup.config, labels.take(setup.data.splits.train)).state_bytes

    def build() -> None:
        with stage(f"building the selection ({setup.config.selector.name})"):
            selection_actor.build(actor, shared, needed_bytes)

    shared = blueprint.by_reference()
    final = train_on_workers(WorkerSetup(setup, rows, feed, actor, shared), build)
    count(selection_actor.retries(actor))
    return final
