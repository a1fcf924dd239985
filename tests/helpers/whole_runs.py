"""Whole runs in this process, with hooks of a test's own and stopped where it likes."""

from pathlib import Path

import torch

from d2ace.pipeline.common.config.config import Config
from d2ace.pipeline.feeds.choice import GATHER
from d2ace.pipeline.runs.progress import Progress
from d2ace.pipeline.runs.run_data import make_run_data
from d2ace.pipeline.runs.run_folder import RunFolder
from d2ace.pipeline.selection.local import LocalSelection
from d2ace.pipeline.training.hooks.leaving import Notice
from d2ace.pipeline.training.local_run import Prepared
from d2ace.pipeline.training.loop import Epoch, Hook, Training
from d2ace.pipeline.training.ranks import ALONE
from d2ace.pipeline.training.run_feed import make_feed
from d2ace.pipeline.training.selector_setup import messages_of, selection_blueprint
from d2ace.pipeline.training.steps import Step
from d2ace.pipeline.training.whole_run import RunSetup, WholeRun


class StoppedError(Exception):
    """What stops a run in its middle."""


class StopAt(Hook):
    """Stops the run after a step, as a kill would."""

    def __init__(self, epoch: int, step: int) -> None:
        self.at = epoch, step

    def after_batch(self, training: Training, epoch: Epoch, step: Step) -> None:
        if (epoch.number, step.number) == self.at:
            raise StoppedError


def train_with(config: Config, prepared: Prepared, *hooks: Hook, notice: Notice | None = None) -> RunFolder:
    """Train a whole run with hooks of its own, from its newest checkpoint if it has one."""
    path = Path(config.run.storage) / config.run.name
    folder = RunFolder.open(path) if path.is_dir() else RunFolder.create(path, config)
    data = folder.data.load() or make_run_data(config, prepared.labels, prepared.rows)
    folder.data.save(data)
    blueprint = selection_blueprint(config, folder, prepared.labels, prepared.rows, data)
    selection = LocalSelection(blueprint, messages_of(config, data.context.n_labels))
    feed = make_feed(config, data, prepared.rows, GATHER, torch.device("cpu"))
    with Progress(folder, config.train.epochs, config.train.monitor, quiet=True, elsewhere=False) as progress:
        WholeRun(RunSetup(config, data, folder, progress.events), feed, selection, ALONE, hooks, notice=notice).train()
    return folder
