"""What every method's plans must be."""

import numpy as np

from .case import Case, case
from .inputs import N_ROWS, Subject, make_labels, require, require_equal, require_plan, seen_of, train

CASES: list[Case] = []


@case(CASES)
def plans_are_determined_by_the_seed(subject: Subject) -> None:
    """Equal seeds, equal plans; another seed, other plans."""
    first, again, other = (train(subject.make(seed=seed), 4) for seed in (3, 3, 4))
    for epoch in range(4):
        require_equal(again[epoch].ids, first[epoch].ids, f"plan {epoch}, made twice from seed 3")
        require(not np.array_equal(first[epoch].ids, other[epoch].ids), f"seeds 3 and 4 give one plan {epoch}")


@case(CASES)
def a_plan_is_pure(subject: Subject) -> None:
    """Plans depend on the end of the epoch before alone: not on earlier calls, nor on what is observed meanwhile."""
    selector = subject.make()
    train(selector, 3)
    before = selector.plan(3)
    later = selector.plan(4)
    require(not np.array_equal(later.ids, before.ids), "two epochs have the same plan")
    for number, ids in enumerate(before.batches[:2]):
        selector.observe(ids, *seen_of(selector, ids, (9, number)))
    again = selector.plan(3)
    for kind in ("ids", "probabilities", "branches", "draw_weights"):
        require_equal(getattr(again, kind), getattr(before, kind), f"{kind} of plan 3, asked for twice")


@case(CASES)
def plans_keep_their_promises(subject: Subject) -> None:
    """Whole batches, no row twice in one, probabilities that add up to 1, through a whole run."""
    selector = subject.make()
    for plan in train(selector, 12):
        require_plan(plan, selector)


@case(CASES, {f"{epochs} epochs": epochs for epochs in (2, 5, 12)})
def epochs_before_selection_starts_show_every_row_once(subject: Subject, epochs: int) -> None:
    """``selection_start`` is the first epoch that may be no permutation."""
    selector = subject.make(epochs=epochs)
    start = selector.selection_start
    for plan in train(selector, epochs)[:start]:
        require(sorted(plan.ids) == list(range(N_ROWS)), f"epoch {plan.epoch} is no permutation, selection: {start}")


_EDGES = {
    "no labels": np.zeros((40, 3)),
    "all labels": np.ones((40, 3)),
    "one positive": np.eye(40)[:, :1],
    "fewer rows than a batch": make_labels(5),
    "as many rows as a batch": make_labels(16),
    "one row in the last batch": make_labels(17),
    "one row": make_labels(1),
    "one label": make_labels(33)[:, :1],
}


@case(CASES, {f"{name}, B = {size}": (labels, size) for name, labels in _EDGES.items() for size in (1, 16)})
def edge_cases_run_through(subject: Subject, edge: tuple[np.ndarray, int]) -> None:
    """Labels and sizes at their limits give plans, and finite diagnostics."""
    labels, batch_size = edge
    selector = subject.make(labels, batch_size=batch_size)
    for plan in train(selector, 4):
        require_plan(plan, selector)
    for key, value in selector.diagnostics().items():
        require(np.isfinite(value).all(), f"diagnostics: {key} is not finite")


@case(CASES, {f"N = {n_rows}": n_rows for n_rows in (37, 64, 5000)})
def rows_that_are_alike_have_the_same_chance(subject: Subject, n_rows: int) -> None:
    """To twelve digits, so that no order of rows is preferred."""
    selector = subject.make(np.ones((n_rows, 3), np.uint8))
    for epoch in range(3):
        probabilities, losses = np.full((n_rows, 3), 0.3 + epoch / 10), np.full((n_rows, 3), 0.7)
        selector.observe(np.arange(n_rows), probabilities, losses)
        selector.end_epoch(epoch)
    plan = selector.plan(3)
    require_plan(plan, selector)
    require(plan.draw_weights is None or (plan.draw_weights == 1).all(), "rows that are alike weigh more or less")
    if plan.probabilities is not None:
        off = np.abs(plan.probabilities * n_rows - 1).max()
        require(off < 1e-12, f"the chances of rows that are alike differ by {off:.1g} of themselves")
