"""The value of a run, and its match with the reference's."""

import numpy as np
import pandas as pd
import pytest
from small_study import synthetic_table, with_failures, with_test_values

from d2ace.pipeline.common.errors import RunError
from d2ace.pipeline.studies.compare.values import (
    cell_differences,
    common_cells,
    mean_and_std,
    paired_differences,
    reference_method,
    run_values,
)

WHO = ["data", "network", "method", "fold", "seed"]


def by_run(frame, column="value"):
    return {tuple(row[name] for name in WHO if name in row): row[column] for row in frame.to_dict("records")}


@pytest.mark.parametrize("protocol", ["clean", "papers"])
def test_the_value_is_of_the_best_epoch_or_in_the_papers_of_the_last(protocol):
    table = synthetic_table(protocol=protocol, noise=0.05)
    assert (table["best_epoch"] < 7).any()
    expected = {
        tuple(run[name] for name in WHO): run["test/one_error"][run["best_epoch"] if protocol == "clean" else -1]
        for run in table.to_dict("records")
    }
    assert by_run(run_values(table, "one_error")) == expected


def test_failed_runs_and_undefined_values_are_left_out():
    table = with_failures(synthetic_table(), method="d2ace", fold=1)
    table = with_test_values(table[table["error"].isna()], "map", lambda run: np.nan if run["fold"] == 2 else 0.5)
    assert set(run_values(table, "map")[["method", "fold"]].itertuples(index=False, name=None)) == {
        ("uniform", 0),
        ("uniform", 1),
        ("d2ace", 0),
        ("loss-rank", 0),
        ("loss-rank", 1),
    }


def test_a_table_says_the_same_after_a_parquet_file(tmp_path):
    table = with_failures(synthetic_table(gain={"d2ace": 0.02}), data="yeast", seed=1)
    table.to_parquet(tmp_path / "table.parquet")
    again = pd.read_parquet(tmp_path / "table.parquet").astype({"best_epoch": "float64"})  # as pyarrow reads nulls
    for metric in ("macro_auc", "coverage"):
        assert by_run(run_values(again, metric)) == by_run(run_values(table, metric))
        pairs = (paired_differences(t, metric, "d2ace", reference_method(t)) for t in (again, table))
        assert np.array_equal(*(p["difference"] for p in pairs))


@pytest.mark.parametrize("metric", ["macro_auc", "hamming_loss", "coverage"])
def test_a_gain_is_a_positive_difference_in_every_metric(metric):
    table = synthetic_table(gain={"d2ace": 0.02, "loss-rank": -0.02}, noise=0, labels=4)
    scale = 3 if metric == "coverage" else 1
    for method, gain in (("d2ace", 0.02), ("loss-rank", -0.02)):
        assert paired_differences(table, metric, method, "uniform")["difference"].to_numpy() == pytest.approx(
            scale * gain
        )


def test_a_run_is_matched_with_the_same_fold_and_seed():
    table = with_failures(synthetic_table(), method="uniform", data="birds", fold=2, seed=0)
    pairs = paired_differences(table, "map", "d2ace", "uniform")
    values = by_run(run_values(table, "map"))
    assert len(pairs) == 3 * 3 * 2 - 1
    for pair in pairs.to_dict("records"):
        ours, theirs = (values[pair["data"], "mlp", m, pair["fold"], pair["seed"]] for m in ("d2ace", "uniform"))
        assert pair["difference"] == pytest.approx(ours - theirs, abs=1e-12)


def test_differences_in_the_last_bits_are_ties():
    table = synthetic_table(data=["birds"])
    table = with_test_values(table, "map", lambda run: 0.1 + 0.2 if run["method"] == "d2ace" else 0.3)
    pairs = paired_differences(table, "map", "d2ace", "uniform")
    assert (pairs["value"] != pairs["reference_value"]).all() and (pairs["difference"] == 0).all()


def test_cells_are_means_over_their_pairs():
    table = with_failures(synthetic_table(networks=["mlp", "clif"]), method="d2ace", data="scene", fold=0)
    pairs = paired_differences(table, "map", "d2ace", "uniform")
    cells = cell_differences(pairs).set_index(["data", "network"])
    assert len(cells) == 6 and cells.loc[("scene", "clif"), "pairs"] == 4
    chosen = pairs[(pairs["data"] == "scene") & (pairs["network"] == "clif")]
    assert cells.loc[("scene", "clif"), "difference"] == pytest.approx(sum(chosen["difference"]) / 4)


def test_mean_and_std_of_a_cell():
    table = with_test_values(synthetic_table(folds=2), "map", lambda run: run["fold"] + 0.5 * run["seed"])
    row = mean_and_std(table, "map").iloc[0]
    assert (row["runs"], row["mean"]) == (4, 0.75)
    assert row["std"] == pytest.approx(np.std([0, 0.5, 1, 1.5], ddof=1))
    assert mean_and_std(synthetic_table(folds=1, seeds=1), "map")["std"].isna().all()


def test_common_cells_use_the_runs_that_all_methods_have():
    table = with_test_values(synthetic_table(folds=2, seeds=1), "map", lambda run: 0.5 + 0.2 * run["fold"])
    table = with_failures(table, method="d2ace", data="birds", fold=1)
    table = with_failures(table, method="loss-rank", data="yeast")
    means, left_out = common_cells(table, "map", ["uniform", "d2ace", "loss-rank"])
    assert means.loc[("birds", "mlp")].tolist() == [0.5, 0.5, 0.5]
    assert means.loc[("scene", "mlp")].tolist() == pytest.approx([0.6, 0.6, 0.6])
    assert (len(means), left_out) == (2, 1)


def test_the_reference_is_the_marked_or_the_named_method():
    table = synthetic_table()
    assert reference_method(table) == "uniform"
    assert reference_method(table, "loss-rank") == "loss-rank"
    with pytest.raises(RunError, match="marks no method as the reference"):
        reference_method(synthetic_table(reference=None))
    with pytest.raises(RunError, match="marks 'uniform' and 'loss-rank' as the reference"):
        reference_method(table.assign(reference=table["method"] != "d2ace"))
    with pytest.raises(RunError, match="no runs of the method 'unifrom'; did you mean 'uniform'"):
        reference_method(table, "unifrom")


def test_what_cannot_be_read_is_said():
    table = synthetic_table()
    with pytest.raises(RunError, match="no metric is called 'macro_acu'; did you mean 'macro_auc'"):
        run_values(table, "macro_acu")
    with pytest.raises(RunError, match="none of 54 runs succeeded"):
        run_values(with_failures(table, protocol="clean"), "map")
    with pytest.raises(
        RunError, match="two successful runs of data birds, network mlp, method uniform, fold 0, seed 0"
    ):
        run_values(pd.concat([table, table]), "map")
    with pytest.raises(RunError, match="did you mean 'd2ace'"):
        paired_differences(table, "map", "d2ac", "uniform")
