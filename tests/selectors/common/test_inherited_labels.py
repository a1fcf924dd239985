"""Rows that bring along what was seen of them: old labels go on, new ones begin as those of a row never seen."""

import numpy as np
import pytest

from d2ace.selectors.active_bias import Moments
from d2ace.selectors.common.state import observed_rows
from d2ace.selectors.history.history import History
from d2ace.selectors.history.last_predictions import LastPredictions
from d2ace.selectors.recency_bias import PredictedLabels

N, ROWS = 6, np.array([1, 4])
"""All rows, and those that go on from task to task."""
RECORDS = {
    "history": (History, {"length": 4}, lambda r: (r.uncertainty, r.flip, r.last_loss)),
    "half history": (History, {"length": 3, "dtype": "float16"}, lambda r: (r.uncertainty, r.flip, r.last_loss)),
    "moments": (Moments, {}, lambda r: (r.mean, r.deviation, r.spread(slice(None)))),
    "predicted": (PredictedLabels, {"length": 3, "threshold": 0.5}, lambda r: (r.entropy(slice(None)),)),
    "last": (LastPredictions, {}, lambda r: (r.predictions,)),
}


def shown(visit, labels):
    """What visit number ``visit`` of all rows shows of the first labels: probabilities and losses, (N, labels)."""
    rng = np.random.default_rng(visit)
    return tuple((scale * rng.random((N, 9)).astype(np.float32))[:, :labels] for scale in (1.0, 2.0))


def see(record, visits, labels):
    for visit in visits:
        record.update(np.arange(N), *shown(visit, labels))


@pytest.mark.parametrize("name", RECORDS)
def test_labels_count_the_visits_since_they_are_there_over_a_chain_of_tasks(name):
    kind, settings, numbers = RECORDS[name]
    tasks = [(3, range(4)), (5, range(4, 6)), (6, range(6, 9))]  # labels so far, visits
    record = None
    for labels, visits in tasks:
        before, record = record, kind(N, labels, **settings)
        if before is not None:
            state = {"method": "any", "n_rows": N, **before.state_dict()}
            record.inherit(ROWS, observed_rows(state, ROWS))
        if before is not None and before.missed_visits is not None:
            again = kind(N, labels, **settings)
            again.load_state_dict(record.state_dict())
            record = again
        see(record, visits, labels)
    begins = [0, 0, 0, 4, 4, 6]
    for label, begin in enumerate(begins):
        alone = kind(N, 6, **settings)
        see(alone, range(begin, 9), 6)
        for got, want in zip(numbers(record), numbers(alone), strict=True):
            np.testing.assert_allclose(got[ROWS, label], want[ROWS, label], rtol=1e-6, atol=1e-7)
    fresh = kind(N, 6, **settings)
    see(fresh, range(6, 9), 6)
    others = np.setdiff1d(np.arange(N), ROWS)
    for got, want in zip(numbers(record), numbers(fresh), strict=True):
        np.testing.assert_array_equal(got[others], want[others])


@pytest.mark.parametrize("name", RECORDS)
def test_where_no_label_is_new_nothing_is_kept_of_it(name):
    kind, settings, _ = RECORDS[name]
    before, after = kind(N, 3, **settings), kind(N, 3, **settings)
    see(before, range(2), 3)
    after.inherit(ROWS, observed_rows({"method": "any", "n_rows": N, **before.state_dict()}, ROWS))
    assert after.missed_visits is None and "missed_visits" not in after.state_dict()
