"""Epochs and seconds to the reference's best: hand-made curves, and plain loops over a whole table."""

import math

import numpy as np
import pandas as pd
import pytest
from small_study import synthetic_table, with_failures

from d2ace.pipeline.common.errors import RunError
from d2ace.pipeline.studies.compare.targets import epochs_to_target, summarise_targets


def two_runs(reference, method, metric="macro_auc", rows="validation", seconds=1.0):
    """A table of one reference run and one run of d2ace with these curves."""
    table = synthetic_table(("uniform", "d2ace"), ["birds"], folds=1, seeds=1, epochs=len(reference))
    table[f"{rows}/{metric}"] = pd.Series([np.array(reference), np.array(method)], dtype=object)
    table["train_s"] = pd.Series([np.full(len(c), s) for c, s in ((reference, 1.0), (method, seconds))], dtype=object)
    return table


def row_of(table, metric="macro_auc", **options):
    found = epochs_to_target(table, metric, **options)
    assert list(found["method"]) == ["d2ace"]  # with one seed the reference has nobody to be put against
    return found.iloc[0]


def test_a_faster_method():
    row = row_of(two_runs([0.5, 0.6, 0.7, 0.8, 0.7], [0.6, 0.8, 0.9, 0.7, 0.7], seconds=3.0))
    assert (row["target"], row["epochs"], row["reference_epochs"], row["epochs_ratio"]) == (0.8, 2, 4, 0.5)
    assert (row["seconds"], row["reference_seconds"], row["seconds_ratio"]) == (6.0, 4.0, 1.5)


def test_a_method_that_never_gets_there():
    row = row_of(two_runs([0.5, 0.8, 0.7], [0.6, 0.7, 0.79]))
    assert row["epochs"] is pd.NA and math.isnan(row["seconds"])
    assert row["epochs_ratio"] == row["seconds_ratio"] == math.inf


def test_where_less_is_better():
    table = two_runs([3.0, 2.0, 2.5], [2.4, 2.1, 1.9], metric="coverage")
    row = row_of(table, "coverage")
    assert (row["target"], row["epochs"], row["epochs_ratio"]) == (2.0, 3, 1.5)


def test_the_first_of_equal_bests_counts_and_nan_never_does():
    row = row_of(two_runs([math.nan, 0.8, 0.8], [0.7, math.nan, 0.8]))
    assert (row["reference_epochs"], row["epochs"]) == (2, 3)


def test_test_rows_can_be_followed_instead():
    table = two_runs([0.5, 0.6, 0.4], [0.6, 0.7, 0.8], rows="test")
    assert row_of(table, rows="test")["epochs"] == 1
    assert row_of(table)["target"] != 0.6


def test_a_reference_without_a_number_gives_no_target():
    assert epochs_to_target(two_runs([math.nan, math.nan], [0.5, 0.6]), "macro_auc").empty


@pytest.mark.parametrize("metric", ["macro_auc", "ranking_loss"])
def test_a_whole_table_against_plain_loops(metric):
    table = synthetic_table(networks=["mlp", "clif"], seeds=3, noise=0.03, pace={"d2ace": 2.0}, gain={"d2ace": 0.01})
    table = with_failures(table, method="uniform", data="scene", fold=1, seed=0)
    table = with_failures(table, method="d2ace", data="birds", fold=0)
    curves = {
        (r["data"], r["network"], r["method"], r["fold"], r["seed"]): (list(r[f"validation/{metric}"]), r["train_s"])
        for r in table[table["error"].isna()].to_dict("records")
    }
    best_of, reaches = (max, float.__ge__) if metric == "macro_auc" else (min, float.__le__)
    expected = {}
    for (data, network, method, fold, seed), (curve, seconds) in curves.items():
        target_seed = seed
        if method == "uniform":
            others = [s for s in (seed + 1, seed + 2) if (data, network, "uniform", fold, s % 3) in curves]
            target_seed = others[0] % 3
        if (data, network, "uniform", fold, target_seed) not in curves:
            continue
        theirs, their_seconds = curves[data, network, "uniform", fold, target_seed]
        best = best_of(theirs)
        needed = theirs.index(best) + 1
        epochs = next((e for e, value in enumerate(curve, 1) if reaches(float(value), float(best))), None)
        ratio = epochs / needed if epochs else math.inf
        spent = sum(seconds[:epochs]) / sum(their_seconds[:needed]) if epochs else math.inf
        expected[data, network, method, fold, seed] = (target_seed, epochs, pytest.approx(ratio), pytest.approx(spent))
    found = {
        (r["data"], r["network"], r["method"], r["fold"], r["seed"]): (
            r["target_seed"],
            None if r["epochs"] is pd.NA else r["epochs"],
            r["epochs_ratio"],
            r["seconds_ratio"],
        )
        for r in epochs_to_target(table, metric).to_dict("records")
    }
    assert found == expected
    assert {value[1] is None for value in found.values()} == {True, False}


def test_a_median_counts_runs_that_never_got_there():
    targets = pd.DataFrame(
        {
            "method": ["a"] * 3 + ["b"] * 4,
            "epochs": pd.array([2, None, 3, 1, None, None, 4], dtype="Int64"),
            "epochs_ratio": [0.5, math.inf, 1.5, 1.0, math.inf, math.inf, 2.0],
            "seconds_ratio": [0.5, math.inf, 2.5, 1.0, math.inf, math.inf, 2.0],
        }
    )
    found = summarise_targets(targets)
    assert found.loc["a"].to_dict() == {
        "runs": 3,
        "reached": pytest.approx(2 / 3),
        "median_epochs_ratio": 1.5,
        "median_seconds_ratio": 2.5,
    }
    assert found.loc["b", "reached"] == 0.5 and found.loc["b", "median_epochs_ratio"] == math.inf


def test_a_copy_of_the_reference_reaches_what_another_seed_of_it_reaches():
    """The reference's own row is the yardstick for a method without effect: about half of the runs get there."""
    table = synthetic_table(("uniform", "copy"), [f"data{i}" for i in range(12)], folds=4, seeds=4, noise=0.02)
    found = summarise_targets(epochs_to_target(table, "macro_auc"))
    assert found.loc["copy", "runs"] == found.loc["uniform", "runs"] == 12 * 16
    assert abs(found.loc["copy", "reached"] - found.loc["uniform", "reached"]) < 0.15
    assert 0.35 < found.loc["uniform", "reached"] < 0.65


def test_other_rows_are_refused():
    with pytest.raises(RunError, match="expected rows 'validation' or 'test', got 'train'"):
        epochs_to_target(synthetic_table(), "map", rows="train")
