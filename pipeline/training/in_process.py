"""A whole run in this process: one worker, its selector beside it, no Ray unless its settings need it."""

from functools import partial
from typing import Any

import torch

from ..common.stages import log
from ..feeds.all_rows import AllRows
from ..feeds.choice import FeedChoice
from ..selection.blueprint import Blueprint
from ..selection.local import LocalSelection
from .ranks import Ranks
from .threads import torch_threads
from .whole_run import RunSetup, WholeRun


def train_here(setup: RunSetup, rows: AllRows, choice: FeedChoice, blueprint: Blueprint) -> dict[str, Any]:
    """Train a run from its newest checkpoint to its end; returns its final numbers.

    Args:
        setup: the run.
        rows: where rows come from.
        choice: how they come.
        blueprint: what its selector is made from.

    Raises:
        DataError, RunError, SelectionError: what stops the run.
    """
    ranks = Ranks(device=torch.device("cuda" if setup.config.run.gpu else "cpu"))
    building = f"building network and selection ({setup.config.selector.name})"
    log.info(building)
    setup.events.doing(building)
    with torch_threads(setup.config.run.threads):
        final = WholeRun.begin(setup, rows, choice, ranks, partial(LocalSelection, blueprint)).train()
    assert final is not None
    return final
