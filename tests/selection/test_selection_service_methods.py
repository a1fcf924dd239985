"""Every registered method behind the service: the same plans for any number of ranks, and a readable log."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from test_selection_service import EPOCHS, LABELS, ROWS, fetch, make_service, messages, rewind

from d2ace.selectors import api

pytestmark = pytest.mark.parametrize("name", api.names())


def service_of(name, folder=None):
    options = {}
    if api.get(name).uses_neighbours and name != "d2ace":
        options["features"] = np.random.default_rng(1).random((ROWS, 3))
    if "reference" in api.options(name):
        options["reference"] = np.full((ROWS, LABELS), 0.1)
    if "warmup" in api.options(name):
        options["warmup"] = 1
    return make_service(name, folder, **options)


def run(service, name, world, shuffle):
    """Return ids and weights of every epoch."""
    attempt = rewind(service, None, world)
    served = []
    for epoch in range(EPOCHS):
        plan = fetch(service, epoch)
        sent = list(messages(attempt, epoch, plan, world))
        if not api.get(name).uses_observations:
            sent = [replace(message, probabilities=None, losses=None) for message in sent]
        for at in np.random.default_rng(shuffle).permutation(len(sent)):
            service.observe(sent[at])
        served.append((np.array(plan.ids), plan.weights))
    return served


@pytest.mark.parametrize("world", [2, 3])
def test_plans_and_weights_are_the_same_for_any_number_of_ranks(name, world):
    reference, found = run(service_of(name), name, 1, 0), run(service_of(name), name, world, world)
    for (ids, weights), (other_ids, other_weights) in zip(reference, found, strict=True):
        np.testing.assert_array_equal(ids, other_ids)
        np.testing.assert_array_equal(weights, other_weights)
    assert (name == "infobatch") == any(weights is not None for _, weights in reference)


def test_the_log_is_one_table(name, tmp_path):
    served = run(service_of(name, tmp_path), name, 1, 0)
    log = pd.read_parquet(tmp_path / "selection.parquet").sort_values("epoch")
    assert log["epoch"].tolist() == list(range(EPOCHS))
    assert log["draws_per_row"].map(sum).tolist() == [len(ids) for ids, _ in served]
    assert log["effective_sample_size"].between(0, 1 + 1e-9).all()
