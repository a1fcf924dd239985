"""What the report of a comparison says is what its table holds, computed here once more, slowly."""

import json
import math
import statistics

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from page_reader import Page
from small_study import synthetic_table, with_failures

from d2ace.pipeline.common.errors import RunError
from d2ace.pipeline.results.report import report
from d2ace.pipeline.results.report.comparison_cost import seconds_ratios, selection_shares
from d2ace.pipeline.results.report.comparison_setup import shared_settings
from d2ace.pipeline.results.report.labels import medians
from d2ace.pipeline.results.report.study_source import label_gains, mean_curves
from d2ace.pipeline.studies.compare.comparison import compare_methods
from d2ace.pipeline.studies.compare.last_study import NAMES, keep_names
from d2ace.pipeline.studies.compare.table import SCHEMA, ResultTable
from d2ace.pipeline.studies.compare.values import RUN
from d2ace.pipeline.training.metrics import METRICS

pytestmark = pytest.mark.usefixtures("few_resamples")
METHODS = ("uniform", "d2ace", "loss-rank", "balanced")
LEADERBOARD = "Test macro_auc, higher is better, mean ± standard deviation over folds and seeds"


def write(table: pd.DataFrame, folder) -> str:
    folder.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pandas(table, schema=SCHEMA, preserve_index=False), folder / "table.parquet")
    return report(folder).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    whole = synthetic_table(
        methods=METHODS, data=("birds", "yeast"), networks=("mlp", "clif"), gain={"d2ace": 0.05, "loss-rank": -0.05}
    )
    return with_failures(whole, "ValueError: lost <b>it</b>", method="balanced", data="birds", fold=1).sort_values(RUN)


@pytest.fixture(scope="module")
def source(table, tmp_path_factory) -> str:
    return write(table, tmp_path_factory.mktemp("comparison") / "mine")


@pytest.fixture(scope="module")
def page(source) -> Page:
    return Page(source)


def values(table: pd.DataFrame, metric: str = "macro_auc") -> dict[tuple[str, str], list[float]]:
    """Test values after the best epoch by (data / network, method)."""
    found: dict[tuple[str, str], list[float]] = {}
    for _, run in table[table["error"].isna()].iterrows():
        at = f"{run['data']} / {run['network']}", run["method"]
        found.setdefault(at, []).append(run[f"test/{metric}"][int(run["best_epoch"])])
    return found


def test_leaderboard(table, page):
    for (cell, method), numbers in values(table).items():
        shown = page.column(LEADERBOARD, method)[cell]
        few = " (4)" if len(numbers) == 4 else ""
        assert shown == f"{statistics.mean(numbers):.4f}± {statistics.stdev(numbers):.4f}{few}"


def test_leaderboards_of_all_metrics(table, page):
    boards = [caption for caption in page.tables if "mean ± standard deviation" in caption]
    assert [caption.split()[1].rstrip(",") for caption in boards] == list(METRICS)
    of_loss = next(caption for caption in boards if "ranking_loss" in caption)
    assert "lower is better" in of_loss
    numbers = values(table, "ranking_loss")["birds / mlp", "d2ace"]
    assert page.column(of_loss, "d2ace")["birds / mlp"].startswith(f"{statistics.mean(numbers):.4f}±")


def test_the_best_of_a_line_is_bold(table, source):
    best = max(statistics.mean(numbers) for (cell, _), numbers in values(table).items() if cell == "birds / mlp")
    assert f"<strong>{best:.4f}</strong>" in source


def test_verdicts(table, page):
    comparison = compare_methods(table, "macro_auc")
    shown = page.column("Every method against uniform", "difference")
    cells = {}
    for (cell, method), numbers in values(table).items():
        if method != "balanced":  # the others have all runs, so a cell's difference is one of means
            cells.setdefault(method, {})[cell] = statistics.mean(numbers)
    for method in ("d2ace", "loss-rank"):
        mean = statistics.mean(cells[method][cell] - cells["uniform"][cell] for cell in cells["uniform"])
        assert shown[method] == f"{mean:+.4f}"
    for verdict in comparison.verdicts:
        interval = page.column("Every method against uniform", "95% interval")[verdict.method]
        assert interval == f"[{verdict.interval.low:+.4f}, {verdict.interval.high:+.4f}]"


def test_pictures_of_verdicts_and_ranks_say_the_numbers(table, page):
    comparison = compare_methods(table, "macro_auc")
    spoken = [values.get("aria-label") or "" for tag, values in page.elements if tag == "svg"]
    forest = next(text for text in spoken if text.startswith("gain in macro_auc"))
    for verdict in comparison.verdicts:
        number = f"{verdict.difference:.4g}".replace("-", "\u2212")
        assert f"{verdict.method} {number} [" in forest
    ranks = next(text for text in spoken if text.startswith("Average ranks"))
    assert comparison.ranks is not None
    for method, rank in zip(comparison.ranks.methods, comparison.ranks.average, strict=True):
        assert f"{method} {rank:.2f}" in ranks
    assert f"critical difference {comparison.ranks.critical_difference:.2f}" in ranks


def test_every_metric_in_one_table(table, page):
    caption = "Difference to uniform in every metric, positive is better; bold: significant"
    assert [row[0] for row in page.tables[caption][1:]] == list(METRICS)
    for verdict in compare_methods(table, "coverage").verdicts:
        shown = page.column(caption, verdict.method)["coverage"]
        assert shown.replace("\u2212", "-") == f"{verdict.difference:+.4f}"


def test_failed_runs_are_listed(table, page):
    head, *rows = page.tables["Failed runs"]
    assert head == ["data / network", "method", "fold", "seed", "error"]
    assert len(rows) == int(table["error"].notna().sum()) == 4
    assert {row[4] for row in rows} == {"ValueError: lost <b>it</b>"}
    assert "4 of 96 runs failed" in page.text
    assert "Failed: 4 of 96 runs (balanced 4)." in page.text  # the note of the statistics


def test_mean_curves_are_means_over_runs():
    table = synthetic_table(methods=("uniform", "d2ace"), data=("birds",))
    cut = table.at[0, "validation/map"][:5].copy()
    cut[2] = np.nan  # a shorter run with a hole
    table.at[0, "validation/map"] = cut
    found = mean_curves(table, "validation/map")
    for method in ("uniform", "d2ace"):
        curves = [list(run["validation/map"]) for _, run in table.iterrows() if run["method"] == method]
        for epoch in range(8):
            there = [c[epoch] for c in curves if len(c) > epoch and not math.isnan(c[epoch])]
            assert found[method][0][epoch] == pytest.approx(statistics.mean(there))
            assert found[method][1][epoch] == pytest.approx(statistics.stdev(there))
    assert mean_curves(table.head(1), "validation/map")["uniform"][1] is None


def test_label_gains_are_means_over_matched_runs():
    table = synthetic_table(methods=("uniform", "d2ace"), data=("birds", "scene"), folds=2)
    table = with_failures(table, method="uniform", fold=1, seed=1, data="scene")
    done = table[table["error"].isna()].reset_index(drop=True)
    hole = done.index[(done["method"] == "d2ace") & (done["data"] == "birds") & (done["fold"] == 0)][0]
    done.at[hole, "test_label_ap"] = np.array([np.nan, *done.at[hole, "test_label_ap"][1:]])
    expected: dict[tuple[str, str], list[float]] = {}
    for _, run in done[done["method"] == "d2ace"].iterrows():
        for _, base in done[done["method"] == "uniform"].iterrows():
            if all(run[name] == base[name] for name in ("data", "network", "fold", "seed")):
                for j, label in enumerate(run["label_names"]):
                    gain = run["test_label_ap"][j] - base["test_label_ap"][j]
                    if not math.isnan(gain):
                        expected.setdefault((run["data"], label), []).append(gain)
    found = label_gains(done, "d2ace", "uniform")
    assert len(found) == len(expected) == 8
    for row in found.to_dict("records"):
        assert row["gain"] == pytest.approx(statistics.mean(expected[row["data"], row["label"]]))
        assert row["positives"] == 2 ** (int(row["label"][-1]) + 3)


def test_medians_of_fifths():
    x = np.arange(25, 0, -1.0)
    across, along = medians(x, 2 * x)
    assert across.tolist() == [3, 8, 13, 18, 23]
    assert along.tolist() == [6, 16, 26, 36, 46]


def test_cost_of_selection(table, page):
    done = table[table["error"].isna()]
    shares = selection_shares(done)
    for method in METHODS:
        runs = [run for _, run in done.iterrows() if run["method"] == method]
        selection, training = (sum(sum(run[f"{kind}_s"]) for run in runs) for kind in ("selection", "train"))
        assert shares[method] == pytest.approx(selection / training)
        assert f"{100 * selection / training:.2f} %" in page.text
    ratios = seconds_ratios(done, "uniform")
    seconds = {
        (r["method"], r["data"], r["network"], r["fold"], r["seed"]): sum(r["train_s"]) for _, r in done.iterrows()
    }
    ours = [took / seconds["uniform", *place] for (method, *place), took in seconds.items() if method == "balanced"]
    assert ratios["balanced"] == pytest.approx(statistics.median(ours))
    assert "uniform" not in ratios


def test_time_to_target(table, page):
    targets = compare_methods(table, "macro_auc").targets
    spoken = [values.get("aria-label") or "" for tag, values in page.elements if tag == "svg"]
    bars = next(text for text in spoken if text.startswith("epochs over uniform's"))
    for method, row in targets.iterrows():
        ratio = row["median_epochs_ratio"]
        shown = f"{ratio:.2f}×" if math.isfinite(ratio) else "∞"
        name = "uniform, other seed" if method == "uniform" else method
        assert f"{name} {shown}, {100 * row['reached']:.0f} %" in bars


def test_settings_shared_and_different():
    first = {"a": {"b": 1, "c": [1, 2]}, "d": {}, "e": 1}
    second = {"a": {"b": 2, "c": [1, 2]}, "d": {}, "e": True, "f": None}
    shared, differing = shared_settings([first, second, first])
    assert shared == {"a": {"c": [1, 2]}, "d": {}}
    assert differing == {"a.b": [1, 2], "e": [1, True], "f": ["not set", None]}


def test_configuration_and_versions(table, page):
    assert page.tables["Versions of d2ace"][1] == ["0.0", "–", "none", str(len(table))]
    assert "loss-rank:\n  name: loss-rank" in page.text
    assert "train:\n  epochs: 8" in page.text
    assert json.loads(table["config"].iloc[0])["train"]["epochs"] == 8


@pytest.mark.usefixtures("few_metrics")
def test_several_studies_stand_one_after_the_other(tmp_path):
    table = synthetic_table(methods=("uniform", "d2ace"), data=("birds",), networks=("mlp",))
    both = pd.concat([table, table.assign(study="<second>", key=table["key"] + "/2")])
    page = Page(write(both, tmp_path))
    assert "synthetic: Leaderboard" in page.headings
    assert "<second>: Leaderboard" in page.headings
    anchors = [values["id"] for tag, values in page.elements if tag == "section"]
    assert len(set(anchors)) == len(anchors)
    assert all(" " not in anchor for anchor in anchors)


def test_a_single_method_has_no_verdicts(tmp_path):
    page = Page(write(synthetic_table(methods=("uniform",), data=("birds",)), tmp_path))
    assert "Verdicts left out: nothing to compare: 'uniform' is the only method in the table." in page.text
    assert "Learning curves, validation macro_auc" in page.headings
    assert "Leaderboard" not in page.headings


def test_no_run_succeeded(tmp_path):
    table = synthetic_table(methods=("uniform", "d2ace"), data=("birds",))
    page = Page(write(with_failures(table, data="birds"), tmp_path))
    assert "none of 12 runs succeeded" in page.text
    assert len(page.tables["Failed runs"]) == 13
    assert not page.problems


@pytest.mark.usefixtures("few_metrics")
def test_nothing_is_said_of_lines_that_are_not_there(tmp_path):
    table = synthetic_table(methods=METHODS, data=("birds",), folds=2, seeds=1)
    text = Page(write(with_failures(table, method="balanced"), tmp_path)).text
    assert "Triangles" not in text and "The line joins the medians" not in text
    learning = text[text.rindex("Learning curves, validation macro_auc") :]
    assert "d2ace" in learning[:500] and "balanced" not in learning[:500]


@pytest.mark.usefixtures("few_metrics")
def test_one_cell_and_one_run_each(tmp_path):
    table = synthetic_table(methods=METHODS, data=("birds",), folds=1, seeds=1, epochs=1, labels=1)
    page = Page(write(table, tmp_path))
    assert not page.problems
    assert "No average ranks" in page.text


@pytest.mark.usefixtures("words_only")
def test_validation_that_is_not_there(tmp_path):
    """Without validation rows every validation metric is NaN."""
    table = synthetic_table(methods=("uniform", "d2ace"), data=("birds",))
    for metric in METRICS:
        table[f"validation/{metric}"] = [np.full(8, np.nan) for _ in range(len(table))]
    page = Page(write(table, tmp_path))
    assert "Leaderboard" in page.headings
    assert "Time to target" not in page.headings
    assert not page.problems


@pytest.mark.usefixtures("words_only", "few_metrics")
def test_a_file_or_its_folder(table, tmp_path):
    source = write(table.head(6), tmp_path / "mine")
    assert report(tmp_path / "mine" / "table.parquet", tmp_path / "other.html").read_text() == source


@pytest.mark.usefixtures("words_only")
def test_the_order_of_rows_does_not_matter(tmp_path):
    """Runs end in any order."""
    some = synthetic_table(methods=METHODS, data=("birds",), folds=1, seeds=1, epochs=3)
    pages = []
    for rows in (some, some.sample(frac=1, random_state=1)):
        pages.append(write(rows, tmp_path / "mine"))
    assert pages[0] == pages[1]


@pytest.mark.usefixtures("words_only", "few_metrics")
def test_a_comparison_that_is_still_running(table, tmp_path):
    results = ResultTable(tmp_path)
    for row in table[table["data"] == "birds"].head(6).to_dict("records"):
        results.add({**row, "key": row["key"].replace("/", "-")})
    assert "6 runs in" in Page(report(tmp_path).read_text()).text


def test_a_folder_whose_last_study_has_no_run_yet(table, tmp_path):
    table.assign(key=[f"run{number}" for number in range(len(table))]).to_parquet(tmp_path / "table.parquet")
    names = table.head(2)[[*NAMES]].assign(key=["new1", "new2"]).to_dict("records")
    keep_names(tmp_path, names)
    with pytest.raises(RunError, match="no run of the study that was compared here last has ended"):
        report(tmp_path)
    keep_names(tmp_path, [{**each, "key": f"run{number}"} for number, each in enumerate(names)])
    assert "2 runs in" in Page(report(tmp_path).read_text()).text


def test_a_table_of_something_else(tmp_path):
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "table.parquet")
    with pytest.raises(RunError, match="not the table of a comparison"):
        report(tmp_path)
    (tmp_path / "table.parquet").write_text("words")
    with pytest.raises(RunError, match="cannot be read as Parquet"):
        report(tmp_path)
