"""The small table of the benchmark on nine data sets says all that the large one says on the page."""

import sys
from pathlib import Path

import numpy as np
import pytest
from small_study import synthetic_table, with_failures

from d2ace.pipeline.studies.compare import compare_methods
from d2ace.pipeline.studies.compare.summary import markdown

pytestmark = pytest.mark.usefixtures("few_resamples")
BENCHMARKS = Path(__file__).resolve().parents[3] / "benchmarks"


@pytest.fixture
def kept(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])
    import _nine_sets_kept

    return _nine_sets_kept


@pytest.fixture
def stored(kept, tmp_path):
    """Write tables and read them again."""

    def through_the_file(tables):
        kept.write_kept(tables, tmp_path / "table.parquet")
        return kept.read_kept(tmp_path / "table.parquet")

    return through_the_file


@pytest.mark.parametrize("protocol", ["clean", "papers"])
def test_comparisons_say_the_same_in_every_metric_of_the_page(kept, stored, protocol):
    table = synthetic_table(protocol=protocol, gain={"d2ace": 0.02}, pace={"d2ace": 1.4}).assign(study="main")
    table = with_failures(table, method="loss-rank", data="birds", fold=0, seed=0)
    small = stored({"main": table})["main"]
    for metric in kept.METRICS:
        assert markdown(compare_methods(small, metric)) == markdown(compare_methods(table, metric))
    assert small["test/hamming_loss"].isna().all() and small["test/map"].notna().sum() == len(table) - 1


def test_curves_are_whole_for_the_monitored_metric_and_records_for_the_others(stored):
    table = synthetic_table(noise=0.05).assign(study="main")
    small = stored({"main": table})["main"]
    for row, full in zip(small.to_dict("records"), table.to_dict("records"), strict=True):
        np.testing.assert_allclose(row["validation/macro_auc"], full["validation/macro_auc"], rtol=1e-6)
        curve, loss = row["validation/ranking_loss"], full["validation/ranking_loss"]
        records = np.flatnonzero(loss <= np.minimum.accumulate(loss))
        assert set(records) <= set(np.flatnonzero(np.isfinite(curve)))
        np.testing.assert_array_equal(curve[np.isfinite(curve)], loss[np.isfinite(curve)])
        assert np.isfinite(row["test/map"]).sum() == 1
        assert row["test/map"][row["best_epoch"]] == full["test/map"][full["best_epoch"]]
    assert any(np.isnan(curve).any() for curve in small["validation/ranking_loss"])


def test_keeping_again_changes_nothing_and_a_run_of_two_studies_is_in_both(stored):
    table = synthetic_table(folds=2, seeds=1)
    once = stored({"search": table.assign(study="search"), "choose": table.assign(study="choose")})
    again = stored(once)
    assert list(again) == ["search", "choose"] and all(again[name].equals(once[name]) for name in once)


def test_the_table_of_the_repository_is_small_and_has_every_study(kept):
    path = BENCHMARKS / "results" / "nine_sets" / "table.parquet"
    assert path.stat().st_size < 1_000_000
    runs = {name: len(table) for name, table in kept.read_kept(path).items()}
    assert set(runs) == {
        *("main", "networks", "search", "confirm", "confirm-clif", "rates", "choose", "chosen", "reproduction")
    }
    page = (BENCHMARKS.parent / "docs" / "results" / "nine-sets.md").read_text()
    assert f"{runs['main']} of {runs['main']} runs of the study are there." in page
