"""What the selection actor does in an epoch, measured on some rows with made-up predictions.

N rows that train   L labels   n rows of the slice that is measured   K neighbours
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ....selectors import api as selectors
from ....selectors.common.label_matrix import LabelMatrix
from ....selectors.common.randomness import generator
from ....selectors.ranges.range_spec import RangeSpec, pair_bytes
from ....selectors.scores.context import local_context
from ....selectors.scores.label_pairs import LabelPairs
from ...common.config.config import Config
from ...common.config.selector_section import SelectorSection
from ..selection_start import cyclic_neighbours, option, sample_selector
from .rate import Rate

_MOST_ENTRIES = 1 << 22
_MOST_ROWS = 1 << 15
_PROCESS_BYTES = int(0.2 * 2**30)
"""Python, NumPy, SciPy and Ray (docs/scaling.md)."""


@dataclass(frozen=True)
class SelectionCost:
    """What selection costs.

    Attributes:
        rates: of ``observe`` and ``rescore`` (scores, law and the next plan).
        state_bytes: that the actor will hold for all rows; with ``selector.ranges``, that each of theirs will.
        saved_bytes: of all in a checkpoint.
    """

    rates: dict[str, Rate]
    state_bytes: int
    saved_bytes: int


def measure_selection(config: Config, labels: LabelMatrix) -> SelectionCost:
    """Measure the run's selection method on the node where this is called.

    Neighbours are rows at random, whose labels agree less than those of real neighbours: ``d2ace`` then has more
    pairs of labels to look at, so that its rescoring comes out rather too slow than too fast. Finding the real
    neighbours, once a run, is not measured. Ranges are taken to share the rescoring without loss.

    Args:
        config: the run's configuration.
        labels: of the N rows that train.
    """
    n = _slice_rows(config, *labels.shape)
    some = np.sort(generator(0, "doctor rows").choice(labels.shape[0], n, replace=False))
    part = labels.take(some)
    selector = sample_selector(config, part)
    rates = _two_epochs(selector, config.train.epochs)
    rates["rescore"] = Rate(n, rates["rescore"].seconds / config.selector.ranges)
    scale = labels.shape[0] / n
    saved = round(_saved_bytes(selector.state_dict(), n, scale))
    held = _range_bytes(config.selector, part, labels, scale) if type(selector).split else saved
    return SelectionCost(rates, held + _PROCESS_BYTES, saved)


def _slice_rows(config: Config, rows: int, labels: int) -> int:
    return min(rows, _MOST_ROWS, max(config.train.batch_size, _MOST_ENTRIES // labels))


def _two_epochs(selector: selectors.Selector, epochs: int) -> dict[str, Rate]:
    """Go through the last two epochs of the schedule and time the second, in which nothing is new any more."""
    rates: dict[str, Rate] = {}
    for epoch in (max(epochs - 2, 0), max(epochs - 1, 0)):
        plan = selector.plan(epoch)
        observed = _observe(selector, plan.batches)
        started = time.perf_counter()
        selector.end_epoch(epoch)
        selector.plan(epoch)
        rates = {"observe": observed, "rescore": Rate(selector.n_rows, time.perf_counter() - started)}
    return rates


def _observe(selector: selectors.Selector, batches: list[np.ndarray]) -> Rate:
    seconds, rng = 0.0, generator(0, "doctor predictions")
    for ids in batches:
        probabilities = rng.random((len(ids), selector.n_labels), np.float32)
        losses = -np.log1p(-probabilities)
        started = time.perf_counter()
        if selector.uses_observations:
            selector.observe(ids, probabilities, losses)
        seconds += time.perf_counter() - started
    return Rate(sum(map(len, batches)), seconds)


def _range_bytes(selector: SelectorSection, part: LabelMatrix, labels: LabelMatrix, scale: float) -> int:
    """Bytes of the state of a range by the model of docs/scaling.md: rows like those of the slice, all pairs."""
    context = local_context(part.positives, cyclic_neighbours(selector, part.shape[0]))
    pairs = LabelPairs.of(labels.positives)
    history = {"length": option(selector, "history"), "dtype": option(selector, "history_dtype")}
    spec = RangeSpec(part.shape[0], part, context, pairs, 0.0, history)
    return round(spec.row_bytes * scale / selector.ranges) + pair_bytes(pairs)


def _saved_bytes(state: Mapping[str, Any], rows: int, scale: float) -> float:
    """Return the bytes of a state whose arrays of so many rows grow by a factor; those of labels do not."""
    total = 0.0
    for value in state.values():
        if isinstance(value, Mapping):
            total += _saved_bytes(value, rows, scale)
        elif value is not None:
            array = np.asarray(value)
            total += array.nbytes * (scale if array.ndim and len(array) == rows else 1)
    return total
