"""The feed of one worker of a run."""

import torch

from ..common.config.config import Config
from ..feeds.all_rows import AllRows
from ..feeds.api import Feed
from ..feeds.choice import FeedChoice
from ..feeds.gather import GatherFeed
from ..feeds.inputs import make_inputs
from ..feeds.stream import StreamFeed
from ..runs.run_data import RunData


def make_feed(config: Config, data: RunData, rows: AllRows, choice: FeedChoice, device: torch.device) -> Feed:
    """Return the feed that was chosen, on a device; a stream's tasks have one CPU each and decode in one thread."""
    threads = None if choice.share is None else 1
    inputs = make_inputs(config, rows.manifest, data.scaler, threads)
    if choice.share is None:
        return GatherFeed(rows.open(), inputs, device)
    return StreamFeed(rows, inputs, device, choice.share)
