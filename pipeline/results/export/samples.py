"""Inputs that an exported network is compared on: rows of the run's own data, as they are before scaling.

n rows   d features   C, H, W channels, height and width of an image
"""

import logging
from dataclasses import dataclass

import numpy as np
import torch

from ....selectors.common.randomness import generator
from ...common.errors import DataError, RunError
from ...data.manifest import Manifest
from ...feeds.inputs import make_inputs
from ...feeds.request import Request
from ...feeds.shard_rows import ShardRows
from ...runs.own_data import own_data
from ...runs.trained_run import TrainedRun

ROWS = 256
"""Rows that are compared, the held-out ones first."""

_log = logging.getLogger("d2ace")


@dataclass(frozen=True)
class Samples:
    """Inputs and where they are from.

    Attributes:
        inputs: float32 (n, d) features before scaling, or uint8 (n, C, H, W) pixels.
        origin: in words.
    """

    inputs: torch.Tensor
    origin: str


def find_data(run: TrainedRun, place: str | None) -> Manifest | None:
    """Return the run's own data, or None, with a word in the log, where it is gone and no place was named.

    Raises:
        DataError, RunError: when data in the place that was named is not the run's.
    """
    try:
        return own_data(run.folder, run.config, run.data, place)
    except (DataError, RunError) as error:
        if place is not None:
            raise
        _log.warning("%s; the export is compared on random inputs instead", error)
        return None


def samples(run: TrainedRun, manifest: Manifest | None) -> Samples:
    """Return inputs to compare on: at most ``ROWS`` rows of the data, or as many random ones without data."""
    if manifest is None:
        return Samples(_random(run), f"{ROWS} random inputs (the run's data is not here)")
    splits = run.data.splits
    ids = np.concatenate([splits.test, splits.validation, splits.train])[:ROWS]
    reader = ShardRows(manifest, images=False).open()
    rows, request = reader.gather(ids), Request(ids)
    inputs = make_inputs(run.config, manifest, run.data.scaler)
    pixels = torch.from_numpy(rows.features) if rows.features is not None else inputs.stored(rows, request)
    held_out = min(len(ids), len(splits.test) + len(splits.validation))
    return Samples(pixels, f"{len(ids)} rows of its data, {held_out} of them held out")


def _random(run: TrainedRun) -> torch.Tensor:
    rng, shape = generator(run.config.run.seed, "export samples"), run.data.context.input_shape
    if run.data.scaler.image:
        return torch.from_numpy(rng.integers(0, 256, (ROWS, *shape), dtype=np.uint8))
    factor, offset = run.data.scaler.factor, run.data.scaler.offset
    spread = np.divide(1.0, factor, out=np.zeros_like(factor), where=factor > 0)
    return torch.from_numpy((offset + spread * rng.random((ROWS, *shape))).astype(np.float32))
