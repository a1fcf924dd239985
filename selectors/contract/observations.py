"""What every method must make of what it is told, and of its labels."""

from collections.abc import Callable

import numpy as np
from scipy import sparse

from .. import api
from ..common.errors import SelectionError
from ..common.label_matrix import LabelMatrix
from .case import Case, case
from .inputs import (
    N_LABELS,
    N_ROWS,
    Subject,
    make_labels,
    partial_labels,
    require,
    require_equal,
    require_plan,
    require_same,
    seen_of,
    train,
)

CASES: list[Case] = []

_ORDERS: dict[str, Callable[[list[np.ndarray]], list[np.ndarray]]] = {
    "backwards": lambda batches: batches[::-1],
    "in halves": lambda batches: [half for batch in batches for half in np.array_split(batch, 2)],
    "in another order of rows": lambda batches: [batch[::-1] for batch in batches],
}


@case(CASES, _ORDERS)
def order_of_distinct_rows_does_not_matter(
    subject: Subject, reordered: Callable[[list[np.ndarray]], list[np.ndarray]]
) -> None:
    """Workers' messages arrive in any order: plans must not depend on it."""
    plain, other = subject.make(), subject.make()
    for selector in (plain, other):
        train(selector, 2)
    batches = np.array_split(np.random.default_rng(0).permutation(N_ROWS), 4)
    for selector, parts in ((plain, batches), (other, reordered(batches))):
        for ids in parts:
            selector.observe(ids, *seen_of(selector, ids, 5))
        selector.end_epoch(2)
    require_equal(other.plan(3).ids, plain.plan(3).ids, "plan after observations in another order")
    require_same(plain.state_dict(), other.state_dict())


@case(CASES, {str(bad): bad for bad in (np.nan, np.inf, -1.0, 0.0, 1.0, 3e38)})
def unusable_and_saturated_input_never_spreads(subject: Subject, bad: float) -> None:
    """Numbers that cannot be come from a network that diverges: other rows are judged as before."""
    clean, dirty = subject.make(), subject.make()
    order = np.arange(N_ROWS)
    for epoch in range(3):
        for selector in (clean, dirty):
            probabilities, losses = seen_of(selector, order, epoch)
            if selector is dirty:
                probabilities[5:9, 1], losses[5:9, 1], probabilities[20], losses[20] = bad, bad, bad, bad
            selector.observe(order, probabilities, losses)
            selector.end_epoch(epoch)
    require_plan(dirty.plan(3), dirty)
    found, want = dirty.diagnostics(), clean.diagnostics()
    for key, value in found.items():
        require(np.isfinite(value).all(), f"diagnostics: {key} is not finite after a loss of {bad}")
    for key in {"uncertainty", "flip", "row_loss"} & found.keys():  # what belongs to single rows
        untouched = np.delete(np.arange(N_ROWS), [5, 6, 7, 8, 20])
        require_equal(found[key][untouched], want[key][untouched], f"{key} of rows that were not touched")


@case(CASES, {str(planted): planted for planted in (1e6, np.nan, -1.0)})
def a_loss_planted_at_an_unknown_entry_changes_nothing(subject: Subject, planted: float) -> None:
    """An entry whose label nobody knows has no loss, whatever is said of it."""
    labels = partial_labels()
    plain, spoilt = subject.make(labels), subject.make(labels)
    for epoch in range(4):
        for selector in (plain, spoilt):
            for number, ids in enumerate(selector.plan(epoch).batches):
                probabilities, losses = seen_of(selector, ids, (0, epoch, number))
                if selector is spoilt:
                    losses = np.where(np.isnan(labels)[ids], np.float32(planted), losses)
                selector.observe(ids, probabilities, losses)
            selector.end_epoch(epoch)
        require_equal(spoilt.plan(epoch + 1).ids, plain.plan(epoch + 1).ids, f"plan {epoch + 1}")
    require_same(plain.state_dict(), spoilt.state_dict())
    for counts in (plain.summary(), spoilt.summary()):
        require(counts.get("unusable_losses", 0) == 0, "losses of unknown entries are counted as unusable")


@case(CASES)
def it_does_not_matter_how_the_unknown_entries_are_listed(subject: Subject) -> None:
    """NaN in a dense matrix, or a list of what is known."""
    labels = partial_labels()
    listed = LabelMatrix(LabelMatrix.of(labels).values, sparse.csr_array(labels == 0), "unknown")
    _require_alike(subject.make(labels), subject.make(listed))


@case(CASES)
def soft_values_count_as_what_they_are_nearest_to(subject: Subject) -> None:
    """0.75 is a positive, 0.125 a negative."""
    labels = make_labels()
    soft = np.where(labels == 1, np.float32(0.75), np.float32(0.125))
    for plan, other in zip(train(subject.make(labels), 4), train(subject.make(soft), 4), strict=True):
        require_equal(other.ids, plan.ids, f"plan {plan.epoch}")


@case(CASES)
def sparse_and_dense_labels_are_the_same(subject: Subject) -> None:
    """Dense or sparse, of whatever type."""
    dense = make_labels()
    for labels in (dense.astype(bool), sparse.csc_matrix(dense.astype(float)), sparse.coo_array(dense)):
        _require_alike(subject.make(dense), subject.make(labels))


def _require_alike(one: api.Selector, other: api.Selector) -> None:
    for plan, same in zip(train(one, 4), train(other, 4), strict=True):
        require_equal(same.ids, plan.ids, f"plan {plan.epoch}")
    require_same(one.state_dict(), other.state_dict())


@case(CASES)
def any_float_and_integer_type_may_be_read_only(subject: Subject) -> None:
    """Observations come as float16 or float64, and as views that must not be written."""
    selector, plain = subject.make(), subject.make()
    ids = np.arange(8, dtype=np.int32)
    probabilities = np.linspace(0.125, 0.875, 8 * N_LABELS).reshape(8, N_LABELS).astype(np.float16)
    losses = probabilities.astype(np.float64)
    plain.observe(ids.astype(np.int64), probabilities.astype(np.float32), losses.astype(np.float32))
    for array in (ids, probabilities, losses):
        array.setflags(write=False)
    selector.observe(ids, probabilities, losses)
    require_same(selector.state_dict(), plain.state_dict())


@case(
    CASES,
    {
        "a row beyond the last": ([0, 61], (2, 5)),
        "a negative row": ([0, -1], (2, 5)),
        "a row twice": ([3, 3], (2, 5)),
        "too few labels": ([0, 1], (2, 4)),
        "half a row": ([0.5, 1], (2, 5)),
    },
)
def observations_that_do_not_fit_are_refused(subject: Subject, wrong: tuple[list[float], tuple[int, int]]) -> None:
    """By a SelectionError, unless the method looks at none."""
    selector = subject.make()
    if selector.uses_observations:
        ids, shape = wrong
        try:
            selector.observe(np.array(ids), np.full(shape, 0.5), np.full(shape, 0.5))
        except SelectionError:
            return
        require(False, f"rows {ids} with values of shape {shape} were taken; expected a SelectionError")


@case(CASES)
def observing_nothing_changes_nothing(subject: Subject) -> None:
    """A batch without rows is none."""
    selector = subject.make()
    before = selector.state_dict()
    selector.observe(np.empty(0, np.int64), np.empty((0, N_LABELS)), np.empty((0, N_LABELS)))
    require_same(selector.state_dict(), before)
