"""Learnability: the best of super-batches, soft draws, and references from everywhere."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from contract_inputs import make
from scipy.stats import chi2

from d2ace.selectors.common.errors import SelectionError
from d2ace.selectors.common.reference import reference_losses
from d2ace.selectors.contract.inputs import require_plan

REFERENCE = np.random.default_rng(1).exponential(0.5, (61, 5)).astype(np.float32)


def observed(losses, reference=REFERENCE, **settings):
    selector = make("learnability", np.ones(np.shape(losses), np.uint8), reference=reference, **settings)
    selector.observe(np.arange(len(losses)), np.full(np.shape(losses), 0.5), losses)
    selector.end_epoch(0)
    return selector


def test_scores_are_differences_of_mean_losses():
    losses = np.random.default_rng(0).exponential(1.0, (61, 5))
    found = observed(losses).diagnostics()["score"]
    for row in range(61):
        assert found[row] == pytest.approx(sum(losses[row]) / 5 - sum(map(float, REFERENCE[row])) / 5, abs=1e-6)


def test_top_of_a_super_batch_of_all_rows_is_the_best_of_all():
    losses = np.random.default_rng(0).exponential(1.0, (61, 5))
    selector = observed(losses, super_batch=4, batch_size=16)
    best = set(np.argsort(losses.mean(axis=1) - REFERENCE.mean(axis=1))[-16:].tolist())
    plan = selector.plan(1)
    assert [len(batch) for batch in plan.batches] == [16, 16, 16, 13]
    for batch in plan.batches:
        assert set(batch.tolist()) <= best
    assert (plan.batches[0] != plan.batches[1]).any()  # in random order


def test_rows_are_candidates_about_equally_often_and_half_of_them_win():
    """With pairs of candidates for one place, row r of N wins against the r rows below it."""
    n_rows = 8
    losses = np.arange(n_rows * 1.0)[:, None]
    selector = observed(losses, np.zeros((n_rows, 1)), super_batch=2, batch_size=1)
    counts = np.zeros(n_rows)
    for epoch in range(1, 1001):
        plan = selector.plan(epoch)
        require_plan(plan, selector)
        counts += np.bincount(plan.ids, minlength=n_rows)
    expected = 2 * np.arange(n_rows) / (n_rows - 1) * 1000
    assert counts[0] == 0
    np.testing.assert_allclose(counts[1:], expected[1:], rtol=0.2)


def test_soft_draws_follow_the_exponential_law():
    losses = np.array([[0.0], [0.3], [0.5], [1.0], [1.2]])
    selector = observed(losses, np.zeros((5, 1)), super_batch=5, batch_size=1, sampling="soft", temperature=0.5)
    counts = np.zeros(5)
    for epoch in range(1, 3001):
        counts += np.bincount(selector.plan(epoch).ids, minlength=5)
    law = np.exp(losses[:, 0] / 0.5)
    expected = counts.sum() * law / law.sum()
    assert chi2.sf(((counts - expected) ** 2 / expected).sum(), 4) > 1e-4


@pytest.fixture
def write(tmp_path):
    def writer(**columns):
        pq.write_table(pa.table(columns), tmp_path / "reference.parquet", row_group_size=7)
        return tmp_path / "reference.parquet"

    return writer


@pytest.mark.parametrize("kind", ["float32 lists", "fixed-size lists of float64", "a path as text", "a callable"])
def test_references_from_everywhere_are_the_same(kind, write):
    order = np.random.default_rng(0).permutation(61)
    lists = pa.array(list(REFERENCE[order]), pa.list_(pa.float32()))
    if kind == "fixed-size lists of float64":
        lists = pa.array(list(REFERENCE[order].astype(float)), pa.list_(pa.float64(), 5))
    reference = write(id=pa.array(order.astype(np.int32)), losses=lists)
    if kind == "a path as text":
        reference = str(reference)
    if kind == "a callable":
        reference = REFERENCE.astype(float).__getitem__
    losses = np.random.default_rng(0).exponential(1.0, (61, 5))
    plain, other = observed(losses), observed(losses, reference)
    np.testing.assert_array_equal(plain.plan(1).ids, other.plan(1).ids)


def test_a_file_may_hold_other_rows_where_that_is_said(write):
    file = write(id=np.arange(61), losses=list(REFERENCE))
    wanted = np.array([50, 3, 17])
    np.testing.assert_array_equal(reference_losses(file, wanted, 5, others=True), REFERENCE[wanted])
    with pytest.raises(SelectionError, match=r"reference\.parquet: has id 0, which is no training row \(58 such"):
        reference_losses(file, wanted, 5)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"id": np.arange(60), "losses": list(REFERENCE[:60])}, r"lacks id 60 \(1 of 61"),
        ({"id": np.arange(61) // 2, "losses": list(REFERENCE)}, "id 0 comes more than once"),
        ({"id": np.arange(61), "losses": list(REFERENCE[:, :4])}, "id 0 has 4 losses, expected 5"),
        ({"id": np.arange(61), "losses": [None] * 61}, "cannot be read as reference losses"),
        ({"id": np.arange(61), "losses": [*REFERENCE[:60], None]}, "id 60 has 0 losses"),
        ({"id": np.arange(61), "losses": [*REFERENCE[:60], [1.0, None, 1, 1, 1]]}, "those of row 60"),
        ({"id": np.arange(61) + 0.5, "losses": list(REFERENCE)}, "id .whole numbers"),
        ({"row": np.arange(61), "losses": list(REFERENCE)}, "columns id"),
    ],
)
def test_parquet_files_that_do_not_fit_are_refused(columns, message, write):
    file = write(**columns)
    with pytest.raises(SelectionError, match=message) as error:
        make("learnability", reference=file)
    assert "reference.parquet" in str(error.value) or "row 60" in str(error.value)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (None, "learnability needs reference"),
        (REFERENCE[:60], r"\(61, 5\), got \(60, 5\)"),
        (np.where(np.arange(61)[:, None] == 4, np.nan, REFERENCE), "those of row 4 are not"),
        (lambda ids: np.ones((len(ids), 4)), r"got \(61, 4\)"),
        ("missing.parquet", r"missing\.parquet: cannot be read"),
    ],
)
def test_references_that_do_not_fit_are_refused(reference, message):
    with pytest.raises(SelectionError, match=message):
        make("learnability", reference=reference)
