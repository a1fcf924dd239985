"""What a run is most wrong on, counted again row by row; and the page that shows it."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from digit_run import judged_test_rows, with_other_weights

from d2ace.pipeline.cli import main
from d2ace.pipeline.common.errors import ConfigError
from d2ace.pipeline.data.from_tables.prepare import prepare
from d2ace.pipeline.results.errors import errors
from d2ace.pipeline.results.errors.errors_page import errors_page
from d2ace.pipeline.results.errors.intervals import RESAMPLES, mean_interval
from d2ace.pipeline.results.errors.slices import RowGroup, column_values, label_table, row_groups_of, row_table
from d2ace.pipeline.results.errors.text import errors_text
from d2ace.pipeline.results.errors.worst import confusions, errors_of, mistakes, row_losses
from d2ace.pipeline.training.metrics import evaluate_predictions


@pytest.fixture(scope="module")
def judged(digit_run):
    """A run with errors of both kinds."""
    return judged_test_rows(with_other_weights(digit_run, "shifted", 4.0))


def by_hand(judged):
    """Return what each row misses and is wrongly given, and its loss, one entry after the other."""
    missed, wrong, losses = [], [], []
    for p, y in zip(judged.probabilities.astype(float), judged.truth, strict=True):
        missed.append([judged.labels[j] for j in range(len(p)) if y[j] == 1 and p[j] <= 0.5])
        wrong.append([judged.labels[j] for j in range(len(p)) if y[j] == 0 and p[j] > 0.5])
        losses.append(np.mean([-np.log(q if t else 1 - q) for q, t in zip(p, y, strict=True)]))
    return missed, wrong, np.array(losses)


def test_the_worst_rows_are_those_with_the_largest_loss(judged):
    missed, wrong, losses = by_hand(judged)
    found = errors_of(judged, 5, []).rows
    worst = np.argsort(-losses)[:5]
    assert found["row"].tolist() == judged.ids[worst].tolist()
    np.testing.assert_allclose(found["loss"], losses[worst], rtol=1e-5)
    assert found["missed"].tolist() == [missed[i] for i in worst] and any(map(any, found["missed"]))
    assert found["wrong"].tolist() == [wrong[i] for i in worst] and any(map(any, found["wrong"]))


def test_labels_are_counted_and_the_lowest_f1_comes_first(judged):
    missed, wrong, _ = by_hand(judged)
    found = errors_of(judged, 1, []).labels
    for line in found.itertuples():
        misses, extra = (sum(line.label in row for row in rows) for rows in (missed, wrong))
        assert (line.missed, line.wrong) == (misses, extra)
        hits = line.positives - misses
        assert line.f1 == pytest.approx(2 * hits / (2 * hits + misses + extra))
    assert found["f1"].is_monotonic_increasing and set(found["label"]) == set(judged.labels)


def test_labels_that_replace_each_other_are_found_against_chance():
    missed, wrong = np.zeros((40, 4), bool), np.zeros((40, 4), bool)
    missed[:6, 0] = wrong[:6, 1] = True  # 1 in place of 0, six times
    missed[10:20, 2] = True
    wrong[::2, 3] = True  # independent of the rest: five of ten beside label 2, as by chance
    missed[30, 3] = wrong[30, 0] = True  # one row alone
    (pair,) = confusions(missed, wrong, ["cat", "dog", "cow", "owl"]).itertuples(index=False)
    assert pair[:3] == ("cat", "dog", 6) and pair.lift == pytest.approx(6 / (6 * 6 / 40))


def test_unknown_labels_count_nowhere(judged):
    truth = judged.truth.copy()
    truth[:, 0] = np.nan
    truth[3] = np.nan
    partly = replace(judged, truth=truth)
    missed, wrong = mistakes(partly)
    assert not missed[:, 0].any() and not wrong[:, 0].any() and row_losses(partly)[3] == 0
    np.testing.assert_allclose(row_losses(partly)[0], judged.losses[0, 1:].mean())


def test_rows_of_which_nothing_is_known_are_in_no_list_and_no_group(judged):
    truth = judged.truth.copy()
    truth[:40] = np.nan
    partly = replace(judged, truth=truth)
    rest = replace(judged, ids=judged.ids[40:], probabilities=judged.probabilities[40:], truth=judged.truth[40:])
    (groups,), (expected,) = row_groups_of([partly], None), row_groups_of([rest], None)
    groups.append(RowGroup("place", "north", np.arange(len(truth)) < 40))
    found = errors_of(partly, 60, groups)
    pd.testing.assert_frame_equal(found.row_slices, row_table(rest, expected))
    assert sorted(found.rows["row"]) == rest.ids.tolist()
    nothing = errors_of(replace(judged, truth=np.full_like(truth, np.nan)), 60, groups)
    assert nothing.rows.empty and nothing.row_slices.empty and nothing.labels["loss"].isna().all()
    assert "No label of any row is known." in errors_page([judged], [nothing]) and errors_text([nothing])


def test_macro_f1_of_groups_of_labels_is_that_of_the_metrics(judged):
    truth, probabilities = judged.truth.copy(), judged.probabilities.copy()
    truth[:, 1], truth[:, 2], probabilities[:, 1] = 0, np.nan, 0.1  # label 1 is neither there nor given
    changed = replace(judged, truth=truth, probabilities=probabilities)
    found = errors_of(changed, 1, [])
    frame = label_table(found.labels, {"all": np.arange(truth.shape[1])})
    assert frame["f1"].iloc[0] == pytest.approx(evaluate_predictions(probabilities, truth)["macro_f1"])
    assert found.labels.set_index("place")["f1"][[1, 2]].isna().all()


def test_groups_hold_each_row_once_and_their_intervals_hold_the_mean(judged):
    (groups,) = row_groups_of([judged], None)
    for kind in ("labels of the row", "rarest label of the row"):
        covered = np.sum([group.rows for group in groups if group.kind == kind], axis=0)
        assert covered.max() == 1 and (covered == 1).sum() >= len(judged.ids) - (judged.truth.sum(axis=1) == 0).sum()
    found = row_table(judged, groups)
    assert ((found["loss_low"] <= found["loss"]) & (found["loss"] <= found["loss_high"])).all()
    one = found[(found["by"] == "labels of the row") & (found["group"] == "1")].iloc[0]
    mine = judged.truth.sum(axis=1) == 1
    assert one["rows"] == mine.sum() and one["loss"] == pytest.approx(row_losses(judged)[mine].mean())


def test_an_interval_of_a_mean_is_about_that_of_the_normal_law():
    values = np.random.default_rng(0).normal(5.0, 2.0, 400)
    low, high = mean_interval(values)
    half = 1.96 * values.std() / np.sqrt(400)
    assert RESAMPLES == 1000 and (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.05)
    assert (low, high) == mean_interval(values)  # the same rows give the same interval


def test_a_column_of_a_file_makes_groups(judged, tmp_path):
    file = tmp_path / "places.csv"
    lines = [f"{row},{'north' if row % 2 else 'south'},{row}" for row in judged.ids[:-3]]
    file.write_text("\n".join(["row,place,number", *lines]) + "\n")
    (by_place,) = row_groups_of([judged], f"{file}:place")
    groups = {group.name: group.rows.sum() for group in by_place if group.kind == "place"}
    odd = (judged.ids[:-3] % 2 == 1).sum()
    assert groups == {"north": odd, "south": len(lines) - odd, "no value": 3}
    (by_number,) = row_groups_of([judged], f"{file}:number")
    quarters = [group.rows.sum() for group in by_number if group.kind == "number"]
    assert len(quarters) == 5 and sum(quarters) == len(judged.ids) and max(quarters[:4]) - min(quarters[:4]) <= 1
    for column, message in (
        (f"{file}:plcae", "no column is called 'plcae'; did you mean 'place'"),
        (f"{tmp_path}/none.csv:place", "cannot be read"),
        ("age", "the data has no named features; FILE.csv:COLUMN takes"),
    ):
        with pytest.raises(ConfigError, match=message):
            column_values([judged], column)


def test_a_feature_with_a_colon_makes_groups(judged, tmp_path):
    ids = np.arange(len(judged.ids))
    pd.DataFrame({"x": 0.5, "time:hour": ids % 2, "y": 1 - ids % 2}).to_csv(tmp_path / "t.csv", index=False)
    table = replace(judged, manifest=prepare(tmp_path / "t.csv", tmp_path / "out", labels=["y"]), ids=ids)
    (groups,) = row_groups_of([table], "time:hour")
    assert [group.name for group in groups if group.kind == "time:hour"] == ["0.0", "1.0"]
    with pytest.raises(ConfigError, match="--slice time: cannot be read"):
        row_groups_of([table], "time:minute")


@pytest.mark.parametrize("cell", ["x", "", "1.5", "1e400", "99999999999999999999", "True"])
def test_a_row_that_is_none_is_told_with_its_line(judged, tmp_path, cell):
    file = tmp_path / "places.csv"
    file.write_text(f'row,place\n{judged.ids[0]},"the\nnorth"\n\n{cell},south\n')
    with pytest.raises(
        ConfigError, match=rf"places\.csv:5: row must be a row id, got {repr(cell) if cell else 'nothing'}"
    ):
        column_values([judged], f"{file}:place")


def test_rows_of_one_split_are_enough_and_those_of_none_are_told(judged, tmp_path):
    file = tmp_path / "places.csv"
    file.write_text(f"row,place\n{judged.ids[1]}.0,north\n")  # as pandas writes a column with missing cells
    others = replace(judged, ids=judged.ids + 10_000)
    mine, theirs = column_values([judged, others], f"{file}:place")
    assert mine.tolist()[1] == "north" and mine.notna().sum() == 1 and theirs.isna().all()
    assert column_values([judged], f"{file}:row")[0][1] == judged.ids[1]
    with pytest.raises(ConfigError, match=rf"its column row names none of the {len(judged.ids)} rows that are judged"):
        column_values([others], f"{file}:place")


def test_the_page_shows_the_worst_rows_with_their_pictures(judged, tmp_path, capsys):
    run, page = judged.run.folder.path, tmp_path / "errors.html"
    assert main(["errors", str(run), "--top", "4", "--out", str(page)]) == 0
    shown, text = capsys.readouterr().out, page.read_text()
    _, found = errors(run, page, top=4)
    assert [errors_.split for errors_ in found] == ["validation", "test"]
    for each in found:
        assert f"{each.split}: rows with the largest loss" in shown
        for row in each.rows["row"]:
            assert f'alt="row {row}"' in text and f"<strong>row {row}</strong>" in text
    assert len(re.findall("<img ", text)) == 8 and shown.rstrip().endswith(f"page: {page}")
    assert page.read_text() == text  # the same run gives the same bytes


def test_long_lists_of_labels_are_cut_in_the_text(judged):
    found = errors_of(judged, 1, [])
    row = found.rows.assign(missed=[[]], wrong=[["a", "b", "c", "d", "e"]])
    line = next(line for line in errors_text([replace(found, rows=row)]).splitlines() if line.startswith("row "))
    assert line.split()[3:] == ["-", "a,", "b,", "c,", "d,", "...", "(5", "in", "all)"]
