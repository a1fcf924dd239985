"""Verdicts, notes and tables of a whole comparison."""

import math

import numpy as np
import pandas as pd
import pytest
from small_study import synthetic_table, with_failures, with_test_values

from d2ace.pipeline.common.errors import RunError
from d2ace.pipeline.studies.compare.comparison import compare_methods
from d2ace.pipeline.studies.compare.notes import of_curves, smallest_holm_p
from d2ace.pipeline.studies.compare.statistics import holm, signed_rank_test
from d2ace.pipeline.studies.compare.summary import markdown, markdown_table, text
from d2ace.pipeline.studies.compare.table import read_table
from d2ace.pipeline.studies.compare.values import pairs_of, run_values
from d2ace.pipeline.studies.compare.verdict import Rules, judge
from d2ace.pipeline.training.metrics import METRICS

pytestmark = pytest.mark.usefixtures("few_resamples")
EIGHT = [f"data{i}" for i in range(8)]
FOUR = ("uniform", "good", "bad", "same")


@pytest.fixture(scope="module")
def study():
    return synthetic_table(FOUR, EIGHT, gain={"good": 0.03, "bad": -0.03}, noise=0.01)


@pytest.fixture(scope="module", params=["macro_auc", "ranking_loss"])
def comparison(request, study):
    return compare_methods(study, request.param)


def cells_of(markdown, first):
    """The rows of the Markdown table whose header starts with ``first``, as lists of cells."""
    block = next(block for block in markdown.split("\n\n") if block.startswith(f"| {first}"))
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines()]


def test_verdicts_follow_the_gains_whatever_the_direction_of_the_metric(comparison):
    assert {v.method: v.verdict for v in comparison.verdicts} == {
        "good": "better",
        "bad": "worse",
        "same": "no significant difference",
    }
    good, bad, _ = comparison.verdicts
    assert (good.wins, good.ties, good.losses, good.cells, good.pairs) == (8, 0, 0, 8, 48)
    assert good.p == pytest.approx(2 / 2**8) and good.rank_biserial == 1 and good.cohens_dz > 1
    assert bad.losses == 8 and bad.rank_biserial == -1 and bad.cohens_dz < -1
    assert comparison.unit == "cell" and comparison.ranks.methods[0] == "good"


def test_runs_that_were_judged_before_the_method_selected_are_counted():
    table = synthetic_table(("uniform", "late", "other"), EIGHT[:2], gain={"other": 0.01})
    uniform = table[table["method"] == "uniform"].reset_index(drop=True)
    late = uniform.assign(method="late", reference=False)
    curve, best = late["validation/map"][0].copy(), int(late["best_epoch"][0])
    late.at[0, "validation/map"] = np.concatenate([curve[: best + 1], curve[best + 1 :] + 0.1])  # parts after that
    curve = late["validation/map"][1].copy()
    curve[int(late["best_epoch"][1])] += 0.1
    late.at[1, "validation/map"] = curve
    joined = pd.concat([table[table["method"] != "late"], late], ignore_index=True)
    joined["validation/subset_accuracy"] = [0.0 * values for values in joined["validation/subset_accuracy"]]
    joined["validation/ranking_loss"] = [np.nan * values for values in joined["validation/ranking_loss"]]
    found = compare_methods(joined, "map").notes
    told = [note for note in found if note.startswith("Not selected yet")]
    assert len(told) == 1 and f"{len(late) - 1} of {len(late)} runs of late are those of uniform" in told[0]


def test_runs_without_validation_values_are_not_taken_for_equal():
    table = synthetic_table(("uniform", "other"), EIGHT[:2], gain={"other": 0.01})
    for metric in METRICS:
        table[f"validation/{metric}"] = [np.nan * values for values in table[f"validation/{metric}"]]
    assert not any("Not selected yet" in note for note in compare_methods(table, "map").notes)
    without = table.assign(**dict.fromkeys([f"validation/{metric}" for metric in METRICS]))
    assert of_curves(without, "uniform") == []


@pytest.mark.parametrize(("alpha", "verdict"), [(0.03, "better"), (0.02, "no significant difference")])
def test_a_verdict_needs_a_corrected_p_below_alpha(study, alpha, verdict):
    good = compare_methods(study, "map", alpha=alpha).verdicts[0]
    assert good.p < 0.02 < good.holm_p < 0.03 and good.verdict == verdict


def test_intervals_hold_the_gain(comparison):
    for verdict, gain in zip(comparison.verdicts, (0.03, -0.03, 0.0), strict=True):
        low, high = verdict.interval
        assert low < verdict.difference < high and low - 0.005 < gain < high + 0.005


def test_holm_is_over_the_methods(comparison):
    assert [v.holm_p for v in comparison.verdicts] == pytest.approx(holm([v.p for v in comparison.verdicts]))
    cell = comparison.by_cell[comparison.by_cell["data"] == "data3"]
    assert list(cell["holm_p"]) == pytest.approx(holm(cell["p"]))
    assert len(comparison.by_cell) == 24 and set(comparison.by_cell["pairs"]) == {6}


def test_without_any_effect_few_methods_are_called_different():
    same, verdicts = [f"same{i}" for i in range(4)], []
    for study in range(12):
        data = [f"study{study} data{i}" for i in range(8)]
        values = run_values(synthetic_table(("uniform", *same), data, folds=1, seeds=2, epochs=2), "map")
        pairs = {name: pairs_of(values, "map", name, "uniform") for name in same}
        verdicts += [verdict.verdict for verdict in judge(pairs, Rules("cell", 0.05, 0.95, "cell"))]
    assert len(verdicts) == 48 and verdicts.count("no significant difference") >= 45


def test_the_same_table_gives_the_same_words(study):
    assert text(compare_methods(study, "map")) == text(compare_methods(study, "map"))


def test_wins_and_ties_are_of_cells():
    def value(run):
        ahead = {"data0": 0.1, "data1": -0.1}.get(run["data"], 0.0)
        return 0.5 + (ahead if run["method"] == "d2ace" else 0)

    table = with_test_values(synthetic_table(("uniform", "d2ace"), EIGHT[:5]), "map", value)
    (verdict,) = compare_methods(table, "map").verdicts
    assert (verdict.wins, verdict.ties, verdict.losses) == (1, 3, 1)
    assert verdict.p == 1 and verdict.verdict == "no significant difference"


def test_a_single_cell_is_judged_by_its_pairs():
    table = synthetic_table(("uniform", "good"), ["birds"], folds=5, seeds=2, gain={"good": 0.05})
    comparison = compare_methods(table, "map")
    (verdict,) = comparison.verdicts
    assert comparison.unit == "pair" and (verdict.wins, verdict.cells, verdict.pairs) == (10, 1, 10)
    assert verdict.p == pytest.approx(2 / 2**10) and verdict.verdict == "better"
    assert verdict.interval == tuple(comparison.by_cell.loc[0, ["low", "high"]])
    assert comparison.ranks is None
    assert any("nothing follows for other data" in note for note in comparison.notes)
    assert any("needs three methods or more" in note for note in comparison.notes)


@pytest.mark.parametrize("methods", [1, 2, 3, 10])
def test_the_note_on_too_few_cells_names_the_right_number(methods):
    names = ("uniform", *(f"method{i}" for i in range(methods)))
    table = synthetic_table(names, EIGHT[:2], folds=1, seeds=1, epochs=1)
    (note,) = (note for note in compare_methods(table, "map").notes if note.startswith("Too few cells"))
    needed = int(note.rsplit("it takes ")[1].rstrip("."))

    def best_possible(cells):
        return holm([signed_rank_test(np.arange(1.0, cells + 1)).p] * methods)[0]

    assert best_possible(needed) < 0.05 <= best_possible(needed - 1)
    assert smallest_holm_p(needed, methods) == pytest.approx(best_possible(needed))


def test_enough_cells_need_no_note(study):
    assert compare_methods(study, "map").notes == ()


def test_cells_of_one_data_set_are_said_to_be_so():
    table = synthetic_table(("uniform", "good"), ["birds"], ["mlp", "clif", "dela"], folds=1, seeds=1)
    assert any("one data set, birds" in note for note in compare_methods(table, "map").notes)


def test_taking_data_sets_as_the_clusters_widens_intervals_when_networks_agree():
    def value(run):
        return 0.5 + (EIGHT.index(run["data"]) - 3) * 0.01 * (run["method"] == "good")

    table = synthetic_table(("uniform", "good"), EIGHT, ["a", "b", "c", "d"], folds=1, seeds=1, epochs=1)
    table = with_test_values(table, "map", value)
    narrow, wide = (
        compare_methods(table, "map", clusters=clusters).verdicts[0].interval for clusters in ("cell", "data")
    )
    assert wide.high - wide.low == pytest.approx(2 * (narrow.high - narrow.low), rel=0.15)


def test_an_unfinished_sweep_is_compared_and_its_gaps_are_named(study):
    table = with_failures(study, method="good", data="data1")
    table = with_failures(table, method="uniform", data="data2", fold=0)
    table = table[(table["method"] != "same") | (table["data"] == "data5")]
    comparison = compare_methods(table, "map")
    assert {v.method: (v.cells, v.pairs) for v in comparison.verdicts} == {
        "good": (7, 40),
        "bad": (8, 46),
        "same": (1, 6),
    }
    assert comparison.notes[0] == f"Failed: 8 of {len(table)} runs (good 6, uniform 2)."
    assert comparison.notes[1:3] == (
        "Left out: 2 runs of good without a reference run to match.",
        "Left out: 2 runs of bad without a reference run to match.",
    )
    assert any("needs two cells" in note and "got 1 of 8" in note for note in comparison.notes)
    values = cells_of(markdown(comparison), "data / network")
    assert values[0] == ["data / network", "uniform", "good", "bad", "same"]
    assert values[3][2] == "-" and values[4][1].endswith(" (4)")


def test_a_method_without_a_reference_run_is_not_compared_but_named():
    table = synthetic_table(("uniform", "good", "alone"), EIGHT)
    table = table[(table["method"] != "alone") | (table["seed"] == 1)]
    table = table[(table["method"] != "uniform") | (table["seed"] == 0)]
    comparison = compare_methods(table, "map")
    assert [v.method for v in comparison.verdicts] == ["good"]
    assert any(note.startswith("Not compared: alone") for note in comparison.notes)
    assert "alone" in text(comparison)


def test_runs_without_a_value_are_counted(study):
    table = with_test_values(study, "map", lambda run: math.nan if run["data"] == "data0" else run["fold"])
    assert "Left out: 24 successful runs without a value of map (NaN)." in compare_methods(table, "map").notes


def test_ranks_say_what_they_leave_out(study):
    comparison = compare_methods(with_failures(study, method="bad", data="data0"), "map")
    assert comparison.ranks.cells == 7
    assert "Average ranks leave out 1 of 8 cells, in which not all methods have runs." in comparison.notes


def test_another_reference_turns_the_verdict_around(study):
    comparison = compare_methods(study, "map", "good")
    assert comparison.reference == "good"
    first = comparison.verdicts[0]
    assert (first.method, first.verdict) == ("uniform", "worse")


def test_the_best_mean_of_a_cell_is_bold(comparison):
    header, _, *rows = cells_of(markdown(comparison), "data / network")
    assert header[1:] == list(FOUR)
    by_hand = comparison.values.pivot(index="data", columns="method", values="mean")
    best = by_hand.idxmax(axis=1) if comparison.metric == "macro_auc" else by_hand.idxmin(axis=1)
    for row in rows[:-1]:
        data = row[0].split(" / ")[0]
        bold = [method for method, cell in zip(header[1:], row[1:], strict=True) if cell.startswith("**")]
        assert bold == [best[data]]
        assert row[1 + header[1:].index(bold[0])].startswith(f"**{by_hand.loc[data, bold[0]]:.4f} ± ")
    assert rows[-1][0] == "average rank" and rows[-1][2] == "1.00"


def test_fewer_runs_are_never_bold():
    table = synthetic_table(("uniform", "good"), EIGHT, gain={"good": 0.1}, folds=2, seeds=1)
    table = with_failures(table, method="good", data="data0", fold=1)
    first = cells_of(markdown(compare_methods(table, "map")), "data / network")[2]
    assert first[1].startswith("**") and not first[2].startswith("**") and first[2].endswith("± - (1)")


def test_the_verdicts_are_in_both_tables(comparison):
    rows = {row[0]: row for row in cells_of(markdown(comparison), "method")}
    good = comparison.verdicts[0]
    assert rows["good"][1:4] == [
        f"{good.difference:+.4f}",
        f"[{good.interval.low:+.4f}, {good.interval.high:+.4f}]",
        "8/0/0",
    ]
    assert [rows[m][-1] for m in ("good", "bad", "same")] == ["better", "worse", "no significant difference"]
    assert rows["uniform, other seed"][-2:] == ["50%", "what no effect gives"]
    plain = text(comparison).splitlines()
    assert any(line.split()[0] == "good" and line.endswith("better") for line in plain if line)
    for row in rows.values():
        assert all(cell in text(comparison) for cell in row if not cell.startswith("---"))


def test_a_pipe_in_a_name_does_not_break_a_markdown_table():
    assert markdown_table([["a|b", "c"], ["1", "2"]]) == "| a\\|b | c |\n| --- | ---: |\n| 1 | 2 |"


def test_what_cannot_be_compared_is_said(study):
    with pytest.raises(RunError, match="'uniform' is the only method"):
        compare_methods(study[study["method"] == "uniform"], "map")
    with pytest.raises(RunError, match="marks no method as the reference"):
        compare_methods(study[study["method"] != "uniform"], "map")
    with pytest.raises(RunError, match="no method has a successful run with a run of 'uniform' to match"):
        compare_methods(with_failures(study, method="uniform"), "map")
    with pytest.raises(RunError, match="none of 192 runs succeeded"):
        compare_methods(with_failures(study, protocol="clean"), "map")
    with pytest.raises(RunError, match="did you mean 'macro_f1'"):
        compare_methods(study, "makro_f1")
    with pytest.raises(RunError, match="expected clusters 'cell' or 'data', got 'fold'"):
        compare_methods(study, "map", clusters="fold")


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("best_epoch", 8, "column 'validation/.*' lacks the best epoch"),
        ("best_epoch", -1, "column 'validation/.*' lacks the best epoch"),
        ("test/map", None, "column 'test/map' lacks the best epoch"),
        ("steps", None, "column 'steps' lacks those of a run"),
        ("known", "[1]", r"column 'known' holds '\[1\]'"),
        ("tuned", '{"settings": 3}', "column 'tuned' holds"),
        ("config", "{", "cannot be read as the table of a comparison"),
    ],
)
def test_rows_that_are_not_as_written_are_refused(tmp_path, column, value, message):
    table = synthetic_table(("uniform", "d2ace"), ["birds"], folds=1, seeds=1)
    table[column] = table[column].astype(object)
    table.at[1, column] = value
    table.to_parquet(tmp_path / "table.parquet")
    with pytest.raises(RunError, match=message) as refused:
        read_table(tmp_path)
    assert str(refused.value).startswith(str(tmp_path / "table.parquet"))
