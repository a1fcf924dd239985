"""The demonstration: labels are hidden, four runs are trained, and what is said of them is true."""

from pathlib import Path

import pandas as pd
import pytest

from d2ace.pipeline.command.demo import ARMS, AUDITED, EPOCHS, Finds, demo
from d2ace.pipeline.command.demo_text import demo_text
from d2ace.pipeline.data.manifest import SPLITS, Manifest
from d2ace.pipeline.data.shards import read_labels, read_splits
from d2ace.pipeline.results.audit.findings import Audit
from d2ace.pipeline.runs.run_folder import RunFolder
from d2ace.pipeline.training.driver import RunResult


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """The demonstration on few scenes, three epochs each, in this process."""
    folder = tmp_path_factory.mktemp("demo")
    short = ["train.epochs=3", "run.workers=0", f"run.storage={folder / 'runs'}", "model.options.widths=[8,8,8,8]"]
    return folder, *demo(folder / "data", rows=300, overrides=short)


def test_four_runs_are_trained_and_judged_on_complete_test_rows(shown):
    folder, results, _ = shown
    assert list(results) == list(ARMS)
    complete, hidden = (Manifest.load(folder / "data" / name) for name in ("complete", "hidden"))
    test = read_splits(hidden) == SPLITS.index("test")
    truth, given = read_labels(complete).dense(), read_labels(hidden).dense()
    assert (truth[test] == given[test]).all() and 0.4 < given[~test].sum() / truth[~test].sum() < 0.6
    for name, result in results.items():
        seen = RunFolder.open(result.folder).load_config().data.path
        assert Path(seen).name == ("complete" if name == "complete" else "hidden")
        assert result.folder.name.endswith(f"-{name}") and 0 < result.test["map"] < 1 and len(result.history) == 3
    assert results["believed"].history[0]["train_loss"] == results["correct"].history[0]["train_loss"]
    last = results["correct"].history[-1]
    assert last["selection/entries_gate_open"] and last["selection/entries_flagged"] > 0


def test_the_finds_are_counted_by_the_truth(shown):
    folder, results, found = shown
    complete, hidden = (Manifest.load(folder / "data" / name) for name in ("complete", "hidden"))
    truth, given = read_labels(complete).dense(), read_labels(hidden).dense()
    train = read_splits(hidden) == SPLITS.index("train")
    assert found.hidden == (truth != given)[train].sum() and found.absent == (given[train] == 0).sum()
    rows, labels = found.audit.suspects["row"].to_numpy(), found.audit.suspects["label"].astype(int).to_numpy()
    assert len(rows) == 200 and found.right == (truth[rows, labels] == 1).sum()
    assert (given[rows, labels] == 0).all() and train[rows].all()
    assert found.report == results[AUDITED].folder / "report.html"
    assert "audit/audit.html" in found.report.read_text()  # a link, with thumbnails behind it
    assert (found.audit.out / "audit.html").read_text().count("data:image/") == 200


def test_the_text_says_what_was_won_and_that_short_runs_show_nothing(shown):
    text = demo_text(*shown[1:])
    assert "3 epochs instead of 10" in text and "the figures show nothing" in text
    assert text.count("run folder of ") == 4 and f"({shown[2].right / 2:.0f} %)" in text


def result(scores: dict[str, float], flagged: int | None = None, epochs: int = EPOCHS) -> RunResult:
    record = {"seconds": 2.0, "selection/share": 0.01}
    if flagged is not None:
        record |= {"selection/entries_gate_open": flagged > 0, "selection/entries_flagged": flagged}
    test = {"map": 0.5, "macro_auc": 0.8, "micro_f1": 0.4, "macro_f1": 0.3, **scores}
    return RunResult(Path("run"), [record] * epochs, 0, test, 1.0)


def test_gains_are_shares_of_what_hiding_cost_and_losses_are_said():
    results = {
        "complete": result({"map": 0.9, "micro_f1": 0.9}),
        "believed": result({"map": 0.7, "micro_f1": 0.5}),
        "correct": result({"map": 0.75, "micro_f1": 0.8}, flagged=4000),
        "d2ace-correct": result({"map": 0.66, "micro_f1": 0.5}, flagged=0),
    }
    audit = Audit(Path("audit"), pd.DataFrame({"row": range(8)}), pd.DataFrame(), ())
    text = demo_text(results, Finds(audit, right=6, hidden=14, absent=100, report=Path("report.html")))
    assert "costs 0.2000 in mAP and 0.4000 in micro-F1" in text
    assert "correct: 4,000 labels are trained as if they were there. mAP +0.0500 (25 % of the cost), " in text
    assert "micro-F1 +0.3000 (75 % of the cost), against believing them." in text
    assert "d2ace-correct: nothing was flagged, so all labels were believed. mAP -0.0400, micro-F1 +0.0000" in text
    assert "6 are hidden ones (75 %); of all labels given as absent 14 % are" in text
    assert "One run each" in text and "show nothing" not in text
