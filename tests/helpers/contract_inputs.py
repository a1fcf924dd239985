"""Small inputs that every registered method can be made and fed with."""

import numpy as np

from d2ace.selectors import api

N_ROWS, N_LABELS = 61, 5


def make_labels(n_rows=N_ROWS, n_labels=N_LABELS):
    """Labels of unequal frequency; one is never positive, and some rows have none."""
    chances = np.linspace(0.6, 0.1, n_labels)
    labels = (np.random.default_rng(7).random((n_rows, n_labels)) < chances).astype(np.uint8)
    labels[:, n_labels // 2] = 0
    labels[::9] = 0
    return labels


def make(name, labels=None, **settings):
    """Make a selector by name with everything it needs; after one warm-up epoch where it has a warm-up."""
    labels = make_labels() if labels is None else labels
    n_rows, n_labels = labels.shape
    arguments = {"batch_size": 16, "epochs": 12}
    if "warmup" in api.options(name):
        arguments["warmup"] = 1
    if api.get(name).uses_neighbours:
        arguments["neighbour_ids"] = np.random.default_rng(8).integers(0, n_rows, (n_rows, 4))
    if "reference" in api.options(name):
        arguments["reference"] = np.random.default_rng(9).exponential(0.2, (n_rows, n_labels)).astype(np.float32)
    return api.create(name, labels=labels, **{**arguments, **settings})


def seen_of(selector, ids, key):
    """Return made-up probabilities and losses, float32 (b, L), that depend on ``key`` and the rows only."""
    whole = np.random.default_rng(key)
    probabilities = whole.uniform(0.01, 0.99, (selector.n_rows, selector.n_labels)).astype(np.float32)
    losses = whole.exponential(1.0, probabilities.shape).astype(np.float32)
    return probabilities[ids], losses[ids]


def train(selector, epochs, start=0, seed=0):
    """Run some epochs; return their plans."""
    plans = []
    for epoch in range(start, start + epochs):
        plans.append(selector.plan(epoch))
        for number, ids in enumerate(plans[-1].batches):
            selector.observe(ids, *seen_of(selector, ids, (seed, epoch, number)))
        selector.end_epoch(epoch)
    return plans


def assert_same(first, second):
    """Compare two flat dicts of arrays and plain values, bit for bit."""
    assert first.keys() == second.keys()
    for key in first:
        np.testing.assert_array_equal(first[key], second[key], err_msg=key)


def assert_is_plan(plan, selector):
    """Check what every plan promises."""
    sizes = np.diff(plan.offsets)
    assert plan.ids.dtype == np.int64
    assert plan.offsets[0] == 0
    assert plan.offsets[-1] == len(plan.ids) <= selector.n_rows
    assert (sizes[:-1] == selector.batch_size).all()
    assert 1 <= sizes[-1] <= selector.batch_size
    assert plan.ids.min() >= 0
    assert plan.ids.max() < selector.n_rows
    for batch in plan.batches:
        assert len(np.unique(batch)) == len(batch)
    if plan.probabilities is not None:
        assert abs(plan.probabilities.sum() - 1) < 1e-12
        assert plan.probabilities.min() > 0
    for extra, dtype in ((plan.branches, np.uint8), (plan.draw_weights, np.float32)):
        if extra is not None:
            assert (extra.shape, extra.dtype) == (plan.ids.shape, dtype)
