"""Two runs on the same rows: what changed, with intervals that know chance from change."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from digit_run import judged_test_rows, with_other_weights

from d2ace.pipeline.cli import main
from d2ace.pipeline.common.errors import DataError
from d2ace.pipeline.results.errors.differences import difference
from d2ace.pipeline.training.metrics import evaluate_predictions


@pytest.fixture(scope="module")
def runs(digit_run):
    return digit_run, with_other_weights(digit_run, "other", 3.0)


@pytest.fixture(scope="module")
def judged(runs):
    return [judged_test_rows(run) for run in runs]


def changed(judged, probabilities):
    return replace(judged, probabilities=probabilities)


def test_a_run_does_not_differ_from_itself(judged):
    found = difference(judged[0], judged[0], 5)
    assert (found.overall["difference"] == 0).all() and (found.overall[["low", "high"]] == 0).all(axis=None)
    assert (found.labels["verdict"] == "").all()
    assert found.better.empty and found.worse.empty


def test_what_is_put_right_in_one_label_is_better_there_and_nowhere_else(judged):
    one = judged[0]
    place = int(np.argmax(np.abs(one.decided - one.truth).sum(axis=0)))  # where most is wrong
    mended = one.probabilities.copy()
    mended[:, place] = np.where(one.truth[:, place] == 1, 0.9, 0.1)
    found = difference(one, changed(one, mended), 3)
    better = found.labels[found.labels["verdict"] == "better"]
    assert better["label"].tolist() == [one.labels[place]] and better["second"].tolist() == [1.0]
    assert (better["low"] > 0).all() and not (found.labels["verdict"] == "worse").any()
    rows = found.rows[found.rows["mended"].map(len) > 0]
    off = one.ids[one.decided[:, place] != (one.truth[:, place] == 1)]
    assert sorted(rows["row"]) == off.tolist() and not found.rows["broken"].map(len).any()
    backwards = difference(changed(one, mended), one, 3)
    assert backwards.labels[backwards.labels["verdict"] == "worse"]["label"].tolist() == [one.labels[place]]
    assert backwards.overall["difference"].tolist() == pytest.approx((-found.overall["difference"]).tolist())


def test_as_much_put_right_as_broken_is_neither_better_nor_worse(judged):
    one = judged[0]
    off = one.decided != (one.truth == 1)
    place = int(np.argmax(np.minimum(off.sum(axis=0), (~off).sum(axis=0))))
    other = one.probabilities.copy()
    for row in (np.flatnonzero(off[:, place])[0], np.flatnonzero(~off[:, place])[0]):
        other[row, place] = 1 - other[row, place]
    (line,) = (each for each in difference(one, changed(one, other), 1).labels.itertuples() if each.low != each.high)
    assert line.label == one.labels[place] and line.low < 0 < line.high and line.verdict == ""


def test_rows_stand_by_the_change_of_their_loss(judged):
    found = difference(*judged, 4)
    before, after = (each.losses.mean(axis=1) for each in judged)
    change = dict(zip(judged[0].ids.tolist(), after - before, strict=True))
    np.testing.assert_allclose(found.rows["difference"], [change[row] for row in found.rows["row"]], atol=1e-9)
    assert found.rows["difference"].is_monotonic_increasing
    assert found.worse["row"].tolist() == sorted(change, key=change.get)[::-1][:4]
    assert found.overall["difference"].iloc[0] == pytest.approx((after - before).mean(), abs=1e-6)


@pytest.mark.filterwarnings("error")
def test_the_f1_of_both_runs_are_those_of_the_metrics(judged):
    truth = judged[0].truth.copy()
    truth[:, 0], truth[:, 1], truth[:, 2], truth[:15, 3] = 0, 1, np.nan, np.nan
    absent = [each.probabilities.copy() for each in judged]
    for each in absent:
        each[:, 0] = 0.1  # never given, and never there
    pair = [replace(each, truth=truth, probabilities=p) for each, p in zip(judged, absent, strict=True)]
    found = difference(*pair, 1)
    values = found.overall.set_index("measure")
    for run, each in zip(("first", "second"), pair, strict=True):
        expected = evaluate_predictions(each.probabilities, truth)
        assert values[run]["macro-F1"] == pytest.approx(expected["macro_f1"], abs=1e-6)
        assert values[run]["micro-F1"] == pytest.approx(expected["micro_f1"], abs=1e-6)
    undefined = found.labels[found.labels["label"].isin([pair[0].labels[place] for place in (0, 2)])]
    assert undefined[["first", "second", "low", "high"]].isna().all(axis=None) and (undefined["verdict"] == "").all()


def test_rows_of_which_nothing_is_known_are_left_out(judged):
    truth = judged[0].truth.copy()
    truth[:40] = np.nan
    found = difference(*(replace(each, truth=truth) for each in judged), 60)
    losses = [each.losses[40:].mean() for each in judged]
    assert found.n_rows == len(truth) - 40 and sorted(found.rows["row"]) == judged[0].ids[40:].tolist()
    assert found.overall.iloc[0][["first", "second"]].tolist() == pytest.approx(losses)
    truth[:] = np.nan
    with pytest.raises(DataError, match="no label of any of the 60 test rows is known"):
        difference(*(replace(each, truth=truth) for each in judged), 60)


def test_a_paired_interval_is_narrower_than_the_rows_own_spread(judged):
    """Hard rows are hard for both: they cancel."""
    one = judged[0]
    slightly = changed(one, np.clip(one.probabilities * 0.98, 1e-6, 1))
    loss = difference(one, slightly, 1).overall.iloc[0]
    assert loss["high"] - loss["low"] < 0.2 * 2 * 1.96 * one.losses.mean(axis=1).std() / np.sqrt(len(one.ids))


def test_the_command_prints_the_changes_and_writes_a_page(runs, tmp_path, capsys):
    page = tmp_path / "diff.html"
    assert main(["diff", *map(str, runs), "--top", "3", "--out", str(page)]) == 0
    shown, text = capsys.readouterr().out, page.read_text()
    assert "other against first, 60 test rows" in shown and "rows worse: " in shown
    assert text.count("<img ") == 6 and "Rows worse in other" in text


def test_runs_that_cannot_be_compared_are_refused(runs, tmp_path, capsys):
    for name, change in (("elsewhere", "fingerprint"), ("resplit", "test")):
        shutil.copytree(runs[0], tmp_path / name)
        if change == "fingerprint":
            about = json.loads((tmp_path / name / "data.json").read_text())
            (tmp_path / name / "data.json").write_text(json.dumps(about | {"fingerprint": "another"}))
        else:
            with np.load(tmp_path / name / "data.npz") as arrays:
                parts = dict(arrays)
            parts["split_test"] = np.r_[parts["split_test"][1:], parts["split_train"][0]]
            np.savez(tmp_path / name / "data.npz", **parts)
    assert main(["diff", str(runs[0]), str(tmp_path / "elsewhere")]) == 2
    assert "are of different data" in capsys.readouterr().err
    assert main(["diff", str(runs[0]), str(tmp_path / "resplit")]) == 2
    assert "have other test rows, 59 of 60 and 60 are the same" in capsys.readouterr().err
