"""Small inputs that every method can be made and fed with, and what cases of the contract compare by."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import api
from ..plans.plan import Plan

N_ROWS, N_LABELS = 61, 5


class ContractError(AssertionError):
    """A method does not do what every method must; the message says what it did instead."""


def require(holds: object, message: str) -> None:
    """Raise ContractError with a message unless something holds."""
    if not holds:
        raise ContractError(message)


def require_equal(found: Any, wanted: Any, what: str) -> None:
    """Compare two arrays or plain values, bit for bit; NaN equals NaN."""
    one, other = np.asarray(found), np.asarray(wanted)
    require(one.shape == other.shape, f"{what}: got shape {one.shape}, expected {other.shape}")
    exact = one.dtype.kind not in "fc" or other.dtype.kind not in "fc"
    differ = np.flatnonzero((one != other) if exact else ~((one == other) | (np.isnan(one) & np.isnan(other))))
    if len(differ):
        first = f"got {one.flat[differ[0]]}, expected {other.flat[differ[0]]}"
        require(False, f"{what}: {len(differ)} of {one.size} values differ; of the first: {first}")


def require_same(first: Mapping[str, Any], second: Mapping[str, Any], what: str = "state") -> None:
    """Compare two flat dicts of arrays and plain values, bit for bit."""
    require(first.keys() == second.keys(), f"{what}: {sorted(first)} became {sorted(second)}")
    for key in first:
        require_equal(first[key], second[key], f"{what}: {key}")


def make_labels(n_rows: int = N_ROWS, n_labels: int = N_LABELS) -> np.ndarray:
    """Return labels of unequal frequency, uint8 (n_rows, n_labels); one is never positive, and some rows have none."""
    chances = np.linspace(0.6, 0.1, n_labels)
    labels = (np.random.default_rng(7).random((n_rows, n_labels)) < chances).astype(np.uint8)
    labels[:, n_labels // 2] = 0
    labels[::9] = 0
    return labels


def partial_labels() -> np.ndarray:
    """Return labels of which a third is unknown, float32 with NaN; of row 5 nothing is known."""
    labels = make_labels().astype(np.float32)
    labels[np.random.default_rng(3).random(labels.shape) < 1 / 3] = np.nan
    labels[5] = np.nan
    return labels


@dataclass(frozen=True)
class Subject:
    """The method that a case looks at.

    Attributes:
        name: of a registered method, or ``package.module:Class``.
        options: settings that the method is made with everywhere, for those that have no default.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, inspect.Parameter]:
        """The method's own settings."""
        return api.options(self.name)

    def make(self, labels: Any = None, **settings: Any) -> api.Selector:
        """Make it with everything that it needs; after one warm-up epoch where it has a warm-up.

        Args:
            labels: dense or sparse, (N, L); ``make_labels()`` by default.
            **settings: over the defaults of a run of 12 epochs with batches of 16.
        """
        labels = make_labels() if labels is None else labels
        arguments: dict[str, Any] = {"batch_size": 16, "epochs": 12}
        if "warmup" in self.settings:
            arguments["warmup"] = 1
        if api.get(self.name).uses_neighbours:
            arguments["neighbour_ids"] = np.random.default_rng(8).integers(0, labels.shape[0], (labels.shape[0], 4))
        if "reference" in self.settings:
            arguments["reference"] = np.random.default_rng(9).exponential(0.2, labels.shape).astype(np.float32)
        return api.create(self.name, labels=labels, **{**arguments, **self.options, **settings})


def seen_of(selector: api.Selector, ids: np.ndarray, key: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return made-up probabilities and losses, float32 (b, L), that depend on ``key`` and the rows only."""
    whole = np.random.default_rng(key)
    probabilities = whole.uniform(0.01, 0.99, (selector.n_rows, selector.n_labels)).astype(np.float32)
    losses = whole.exponential(1.0, probabilities.shape).astype(np.float32)
    return probabilities[ids], losses[ids]


def train(selector: api.Selector, epochs: int, start: int = 0, seed: int = 0) -> list[Plan]:
    """Run some epochs on made-up observations; return their plans."""
    plans = []
    for epoch in range(start, start + epochs):
        plans.append(selector.plan(epoch))
        for number, ids in enumerate(plans[-1].batches):
            selector.observe(ids, *seen_of(selector, ids, (seed, epoch, number)))
        selector.end_epoch(epoch)
    return plans


def require_plan(plan: Plan, selector: api.Selector) -> None:
    """Raise ContractError unless a plan keeps what every plan promises."""
    sizes = np.diff(plan.offsets)
    require(plan.ids.dtype == np.int64, f"ids are {plan.ids.dtype}, expected int64")
    require(plan.offsets[0] == 0 and plan.offsets[-1] == len(plan.ids), "offsets do not run from 0 to the last id")
    require(len(plan.ids) <= selector.n_rows, f"{len(plan.ids)} draws in an epoch of {selector.n_rows} rows")
    require((sizes[:-1] == selector.batch_size).all(), f"batches of {sizes.tolist()}, expected {selector.batch_size}")
    require(1 <= sizes[-1] <= selector.batch_size, f"the last batch has {sizes[-1]} rows")
    require(plan.ids.min() >= 0 and plan.ids.max() < selector.n_rows, f"ids outside 0..{selector.n_rows - 1}")
    for number, batch in enumerate(plan.batches):
        require(len(np.unique(batch)) == len(batch), f"batch {number} of epoch {plan.epoch} has a row twice")
    if plan.probabilities is not None:
        require(abs(plan.probabilities.sum() - 1) < 1e-12, f"probabilities add up to {plan.probabilities.sum()!r}")
        require(plan.probabilities.min() > 0, "a row has no chance to be drawn")
    for what, extra, dtype in (("branches", plan.branches, np.uint8), ("draw_weights", plan.draw_weights, np.float32)):
        if extra is not None:
            require((extra.shape, extra.dtype) == (plan.ids.shape, dtype), f"{what} are not {dtype} and one a draw")
