"""What a batch-selection method must do, and the registry of those there are.

Vocabulary: a *row* is a training example, an *entry* one (row, label) pair, a *draw* one place in one batch,
a *plan* the batches of one epoch. Shape letters used everywhere in this room:

    N rows   L labels   T history   B batch size   K neighbours   M batches of an epoch   D draws of an epoch

A selector never sees a model. It is told, for the rows of a batch, what the training forward pass just
predicted and lost, and says which rows the next epoch's batches hold.
"""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from .common.errors import SelectionError
from .common.explain import checked_row, row_values
from .common.label_matrix import LabelMatrix, Labels
from .common.registry import Registry, settings_of
from .common.settings import whole
from .common.state import check_inherited
from .plans.plan import Plan
from .ranges.snapshot import Snapshot

_COMMON = ("labels", "batch_size", "epochs", "seed", "features", "neighbour_ids")


class Selector(ABC):
    """Decides which rows make the batches of each epoch.

    Call order: ``plan(0)``, ``observe`` for each of its batches, ``end_epoch(0)``, ``plan(1)``, ... A plan is a
    pure function of (seed, epoch, state at the end of the previous epoch): asking twice gives the same plan.

    Args:
        labels: (N, L) relevance, dense or scipy sparse, or a ``LabelMatrix``: 0, 1, soft values in between, and NaN
            for unknown entries.
        batch_size: B, rows a batch.
        epochs: length of the run; schedules end there.
        seed: the run's seed.
        features: float (N, d) or None; only for methods with ``uses_neighbours`` when ``neighbour_ids`` is None.
        neighbour_ids: int64 (N, K + 1) nearest neighbours, the row itself included, or None.

    Raises:
        SelectionError: for labels outside 0..1, sizes that do not fit, or settings out of range.

    Attributes:
        label_matrix: the labels with all that is known of them. An unknown entry has no loss, whatever ``observe`` is
            told of it, and takes no part in counts, weights and correlations; its predictions are looked at.
        labels: CSR uint8 (N, L), the positives (soft values of at least 0.5).
    """

    name: ClassVar[str]
    uses_neighbours: ClassVar[bool] = False
    uses_observations: ClassVar[bool] = True
    selects: ClassVar[bool] = True
    """False for a baseline whose epochs are permutations by design."""
    leaves_out_rows: ClassVar[bool] = False
    """True where an epoch may have fewer draws than there are rows, by design: a run takes fewer steps."""
    split: ClassVar[str | None] = None
    """Place of the class whose state is split by rows, with the same plans; it also takes ``ranges`` and
    ``make_ranges``. None: it cannot be split."""
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Settings under a name, over the method's own defaults; a configuration takes "recommended" or "paper"."""
    branch_names: ClassVar[tuple[str, ...]] = ()
    """Names of the branches that ``Plan.branches`` counts."""

    def __init__(
        self,
        labels: Labels,
        *,
        batch_size: int,
        epochs: int,
        seed: int = 0,
        features: np.ndarray | None = None,
        neighbour_ids: np.ndarray | None = None,
    ) -> None:
        self.label_matrix = LabelMatrix.of(labels)
        self.labels = self.label_matrix.positives
        self.n_rows, self.n_labels = self.labels.shape
        self.batch_size = whole("batch_size", batch_size, at_least=1)
        self.epochs, self.seed = whole("epochs", epochs, at_least=1), whole("seed", seed)
        for argument, array in (("features", features), ("neighbour_ids", neighbour_ids)):
            if array is not None and np.shape(array)[0] != self.n_rows:  # len() of a sparse matrix is an error
                raise SelectionError(f"{argument} has {np.shape(array)[0]} rows, but labels has {self.n_rows}")

    @property
    def selection_start(self) -> int | None:
        """The first epoch of the run whose batches the method chooses, from 0; None: all epochs are left to chance."""
        return 0 if self.selects else None

    @abstractmethod
    def plan(self, epoch: int) -> Plan:
        """Return the batches of an epoch. Cost: O(N log N) at most, no Python loop over rows or batches."""

    @abstractmethod
    def observe(self, ids: np.ndarray, probabilities: np.ndarray, losses: np.ndarray) -> None:
        """Record what the training forward pass of one batch gave. Cost: O(B L).

        Args:
            ids: int64 (b,), row positions, no row twice.
            probabilities: float (b, L), predicted probabilities, any float dtype.
            losses: float (b, L), loss of each entry, before the step; of no account where the label is unknown.
        """

    @abstractmethod
    def end_epoch(self, epoch: int) -> None:
        """Recompute scores and the law for the next epoch with the schedule values of ``epoch``."""

    @abstractmethod
    def diagnostics(self) -> dict[str, Any]:
        """Return named arrays and numbers that explain the present law (copies, safe to keep)."""

    def explain(self, row: int) -> dict[str, Any]:
        """Return what makes the present law treat one row as it does: numbers, and arrays (L,) with a value a label.

        By default the row's part of ``diagnostics``, at the cost of that.

        Raises:
            SelectionError: for a row that is not 0..N-1.
        """
        return row_values(self.diagnostics(), checked_row(row, self.n_rows), self.n_rows, self.n_labels)

    def summary(self) -> dict[str, Any]:
        """Return the few small values worth keeping for every epoch (label weights, mixture, pressure, counts).

        Unlike ``diagnostics`` it never makes an array of N entries, so it is free at any scale.
        """
        return {}

    def inherit(self, rows: np.ndarray, earlier: Mapping[str, Any]) -> None:
        """Take over what an earlier run of the same method saw of some rows; call it before the first epoch.

        The labels of that run are the first ones here. What it saw of them goes on; labels that are new begin as those
        of a row that was never visited [own]. A method that keeps nothing of single rows has nothing to take over.

        Args:
            rows: int64 (k,), positions of the rows here, none twice.
            earlier: what ``state.observed_rows`` returned of the earlier run's state, for k rows.

        Raises:
            SelectionError: when the earlier run had another method, other settings, or more labels.
        """
        check_inherited(earlier, self.name)

    @abstractmethod
    def reset(self) -> None:
        """Forget all observations: the state right after construction (neighbours and labels are kept)."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Return everything that a resumed run needs, as NumPy arrays and plain values, with ``schema``."""

    def snapshot(self) -> Snapshot:
        """Copy the state as ``state_dict`` returns it, but leave rows where they lie when the state is split by rows.

        Whoever writes a copy later takes a range's part from the range itself.
        """
        return Snapshot(self.state_dict())

    @abstractmethod
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore ``state_dict()``; raises SelectionError when it is of another method, size or schema.

        A method that can be split by rows also takes a state whose rows lie in files, see ``ranges.snapshot``.
        """


# Modules are imported on first use. One method a file.
REGISTRY = Registry(
    "selection method",
    {
        "active-bias": ".active_bias:ActiveBias",
        "balanced": ".balanced:Balanced",
        "class-feedback": ".class_feedback:ClassFeedback",
        "d2ace": ".d2ace:D2ACE",
        "deferred-mixture": ".deferred_mixture:DeferredMixture",
        "hard-imbalance": ".hard_imbalance:HardImbalance",
        "hard-imbalance-correlation": ".hard_imbalance_correlation:HardImbalanceCorrelation",
        "infobatch": ".infobatch:InfoBatch",
        "learnability": ".learnability:Learnability",
        "loss-rank": ".loss_rank:LossRank",
        "recency-bias": ".recency_bias:RecencyBias",
        "repeat-factor": ".repeat_factor:RepeatFactor",
        "rs2": ".rs2:RS2",
        "uncertainty": ".uncertainty:Uncertainty",
        "uniform": ".uniform:Uniform",
    },
    __package__,
    Selector,
    group="d2ace.selectors",
)


def names() -> list[str]:
    """Return the names of all registered methods, sorted."""
    return REGISTRY.names()


def get(name: str) -> type[Selector]:
    """Return the class of a method, by name or as ``package.module:Class``; raises SelectionError otherwise."""
    return REGISTRY.find(name)


def options(name: str) -> dict[str, inspect.Parameter]:
    """Return the method's own settings (those not common to all), by name, with defaults and annotations."""
    return settings_of(get(name), _COMMON)


def settings(name: str, preset: str, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Return the chosen settings of a method over those of its preset, where it has one of that name."""
    return {**get(name).presets.get(preset, {}), **chosen}


def create(name: str, **arguments: Any) -> Selector:
    """Make a selector by name; an unknown setting raises SelectionError with "did you mean"."""
    REGISTRY.check_settings(name, arguments, {*options(name), *_COMMON})
    return get(name)(**arguments)


def create_split(name: str, ranges: int, make_ranges: Callable[..., Any], **arguments: Any) -> Selector:
    """Make a selector whose state is split into row ranges; its plans are those of ``create``.

    Args:
        name: a method with ``split``.
        ranges: R, row ranges of about equal size.
        make_ranges: makes them from their specifications.
        **arguments: as for ``create``.

    Raises:
        SelectionError: when the method's state cannot be split, or as ``create``.
    """
    REGISTRY.check_settings(name, arguments, {*options(name), *_COMMON})
    place = get(name).split
    if place is None:
        able = ", ".join(other for other in sorted(REGISTRY.places) if get(other).split)
        raise SelectionError(f"the state of method {name!r} cannot be split into ranges; that of {able} can")
    return REGISTRY.find(place)(ranges=ranges, make_ranges=make_ranges, **arguments)
