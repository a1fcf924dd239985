"""A whole run in this process: one worker, its selector beside it, no Ray unless its settings need it."""

from typing import Any

import torch

from ..common.stages import log
from ..feeds.all_rows import AllRows
from ..feeds.choice import FeedChoice
from ..selection.blueprint import Blueprint
from ..selection.local import LocalSelection
from .learner import torch_threads
from .ranks import Ranks
from .run_feed import make_feed
from .selector_setup import messages_of
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
    config, data = setup.config, setup.data
    ranks = Ranks(device=torch.device("cuda" if config.run.gpu else "cpu"))
    building = f"building network and selection ({config.selector.name})"
    log.info(building)
    setup.events.doing(building)
    with torch_threads(config.run.threads):
        selection = LocalSelection(blueprint, messages_of(config, data.context.n_labels))
        feed = make_feed(config, data, rows, choice, ranks.device)
        final = WholeRun(setup, feed, selection, ranks).train()
    assert final is not None
    return final
