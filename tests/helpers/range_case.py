"""A selector's case for row ranges, and a training that tells it what never changes."""

import numpy as np


def make_case(n_rows=300, n_labels=6):
    """Return arguments of ``D2ACE`` and of ``ShardedD2ACE``."""
    rng = np.random.default_rng(0)
    labels = (rng.random((n_rows, n_labels)) < 0.3).astype(np.uint8)
    near = rng.integers(0, n_rows, (n_rows, 4))
    return {"labels": labels, "neighbour_ids": near, "batch_size": 32, "epochs": 10, "warmup": 1}


def train(selector, epochs, start=0):
    """Tell a selector of some epochs; returns their plans."""
    plans = []
    for epoch in range(start, start + epochs):
        plans.append(selector.plan(epoch))
        for number, ids in enumerate(plans[-1].batches):
            rng = np.random.default_rng((epoch, number))
            values = rng.uniform(0.01, 0.99, (len(ids), selector.n_labels)).astype(np.float32)
            selector.observe(ids, values, -np.log(values))
        selector.end_epoch(epoch)
    return plans
