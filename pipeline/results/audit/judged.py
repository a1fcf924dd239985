"""What a run made of every entry: running means of its predictions, and its entry policy where it has one.

N training rows, L labels.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ....selectors.common.label_matrix import LabelMatrix
from ....selectors.entries import api as policies
from ....selectors.entries.judge import RunningMeans
from ....selectors.entries.judging import JudgingPolicy
from ...common.errors import RunError
from ...runs.checkpoints import CheckpointStore
from ..replay import SelectionOfRun


@dataclass(frozen=True)
class Judged:
    """A run's opinion of all entries of its training rows.

    Attributes:
        labels: of the training rows.
        means: what was predicted for every entry, the newest predictions counting most.
        policy: the run's entry policy at that time; None for a run without.
        rows_state: the saved state of the run's method for rows; empty without a checkpoint.
        source: where all this comes from, in words.
    """

    labels: LabelMatrix
    means: RunningMeans
    policy: JudgingPolicy | None
    rows_state: Mapping[str, Any]
    source: str


def judged(known: SelectionOfRun) -> Judged:
    """Return what a run made of every entry, from its newest checkpoint or its recordings.

    Raises:
        RunError: when the run kept nothing about single entries.
    """
    labels, policy = known.labels, None
    if known.config.selector.entries is not None:
        policy = _policy(known, labels)
    checkpoint = CheckpointStore(known.folder.checkpoints).intact()
    state = {} if checkpoint is None else checkpoint.selection_state()["selector"]
    where = "" if checkpoint is None else f"checkpoint {checkpoint.path.name}"
    rows_state = state.get("rows", state)
    if policy is not None and "entries" in state:
        policy.load_state_dict(state["entries"])
        return Judged(labels, policy.means, policy, rows_state, f"policy {policy.name!r} in {where}")
    if known.recorded_epochs:
        means = _replayed(known, policy, labels)
        told = f"the recorded observations of {known.recorded_epochs} epochs"
        return Judged(labels, means, policy, rows_state, told)
    if "predictions" in rows_state:
        told = f"the last predictions that method {known.config.selector.name!r} kept in {where}"
        return Judged(labels, _of_ring(rows_state, labels), None, rows_state, told)
    raise RunError(
        f"{known.folder.path}: the run kept nothing about single entries, so there is nothing to audit. Train with an "
        "entry policy (selector.entries={policy: correct}), which also tells chances; or with a method that keeps "
        "predictions, such as d2ace or uncertainty; or with run.record_observations=true"
    )


def windows(state: Mapping[str, Any], positions: np.ndarray) -> np.ndarray:
    """Return the kept predictions of some rows, oldest first, float32 (n, S, L); before the first visit: 0.5.

    Args:
        state: of a method that keeps the last predictions (``selectors/history/history.py``).
        positions: int64 (n,), among the training rows.
    """
    ring, visits = state["predictions"], state["visits"][positions]
    slots = (visits[:, None] + np.arange(ring.shape[1])) % ring.shape[1]
    return ring[positions[:, None], slots].astype(np.float32)


def _policy(known: SelectionOfRun, labels: LabelMatrix) -> JudgingPolicy | None:
    """Return the run's policy, new; None for one of the user's own that does not flag by means."""
    config = known.config
    assert config.selector.entries is not None
    name, options = config.selector.entries.policy, config.selector.entries.options
    policy = policies.create(name, labels, epochs=config.train.epochs, seed=config.run.seed, **options)
    return policy if isinstance(policy, JudgingPolicy) else None


def _replayed(known: SelectionOfRun, policy: JudgingPolicy | None, labels: LabelMatrix) -> RunningMeans:
    """Tell the policy, or bare means, what was recorded; return the means."""
    means = RunningMeans(*labels.shape) if policy is None else policy.means
    for epoch in range(known.recorded_epochs):
        seen = known.recording(epoch)
        positions = known.rows.positions_of(seen.ids)
        for start, stop in zip(seen.offsets[:-1], seen.offsets[1:], strict=True):
            means.update(positions[start:stop], seen.probabilities[start:stop])
        if policy is not None:
            known.show_held_out(policy, seen, epoch)
            policy.end_epoch(epoch)
    return means


def _of_ring(state: Mapping[str, Any], labels: LabelMatrix) -> RunningMeans:
    """Return the running means of the kept predictions alone, a slot at a time. Cost O(N S L)."""
    means, rows = RunningMeans(*labels.shape), np.arange(labels.shape[0])
    slots, visits = state["predictions"].shape[1], state["visits"]
    for age in range(slots - 1, -1, -1):
        there = rows[visits > age]
        newest = (visits[there] - 1 - age) % slots
        means.update(there, state["predictions"][there, newest])
    means.visits[...] = visits
    return means
