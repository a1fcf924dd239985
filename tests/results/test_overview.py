"""``d2ace runs`` and ``d2ace show``: what a run's small files say, in text."""

import json
import os
import shutil
import subprocess
import sys
import time

import pytest
from small_run import write_run
from small_table import write_table

from d2ace.pipeline.cli import main
from d2ace.pipeline.common.errors import RunError
from d2ace.pipeline.results.overview import Overview, overviews
from d2ace.pipeline.training.best_epoch import SETTLED


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A finished run, one that was stopped, and things that are no runs."""
    folder = tmp_path_factory.mktemp("runs")
    data = write_table(folder.parent / "overview-table")
    for name, finished in (("done", True), ("cut", False)):
        write_run(folder / name, data, finished=finished)
    os.utime(folder / "cut" / "metrics.jsonl", (time.time() + 60, time.time() + 60))
    (folder / "notes.txt").write_text("no run")
    (folder / "broken").mkdir()
    (folder / "broken" / "config.yaml").write_text("- a list")
    return folder


def test_runs_are_listed_with_state_data_method_and_best_value(runs, capsys):
    assert main(["runs", str(runs)]) == 0
    head, _, *lines = capsys.readouterr().out.splitlines()
    found = [dict(zip(head.split(), line.split(), strict=False)) for line in lines]
    assert [(run["run"], run["state"], run["method"], run["data"]) for run in found] == [
        ("done", "finished", "d2ace", "overview-table"),
        ("cut", "stopped", "d2ace", "overview-table"),
    ]
    records = [json.loads(line) for line in (runs / "done" / "metrics.jsonl").read_text().splitlines()]
    result = json.loads((runs / "done" / "result.json").read_text())
    assert found[0]["best"] == f"{records[result['best_epoch']]['macro_auc']:.4f}"
    assert found[0]["test"] == f"{result['test']['macro_auc']:.4f}" and found[1]["test"] == "-"
    assert found[0]["epochs"] == f"{len(records)}/{Overview.read(runs / 'done').planned}"


def test_the_best_epoch_so_far_is_the_best_by_the_monitored_metric(runs):
    cut = Overview.read(runs / "cut")
    values = [record["macro_auc"] for record in cut.history]
    assert cut.best == max(values) and cut.best_epoch == values.index(max(values))
    lower = Overview(cut.folder, {**cut.config, "train": {"monitor": "ranking_loss"}}, cut.history, None, (), False)
    assert lower.best == min(record["ranking_loss"] for record in cut.history)
    flagged = [{**record, SETTLED: 2 if epoch == 0 else 0} for epoch, record in enumerate(cut.history)]
    assert Overview(cut.folder, cut.config, flagged, None, (), False).best_epoch == 0 and len(flagged) > 1
    assert lower.planned == 30  # what a configuration leaves out has its default
    assert Overview(cut.folder, cut.config, [], None, (), True).best_epoch is None


def test_a_run_is_shown_on_a_page(runs, capsys):
    assert main(["show", str(runs / "done")]) == 0
    shown = capsys.readouterr().out
    facts = dict(line.split("  ", 1) for line in shown.splitlines()[2:12])
    assert "done: finished, " in shown and facts["labels"].strip() == "5" and "overview-table" in facts["data"]
    assert f"best epoch: {Overview.read(runs / 'done').best_epoch + 1}, by macro_auc" in shown
    assert shown.rstrip().endswith(f"d2ace evaluate {runs / 'done'}")
    assert main(["show", str(runs / "cut")]) == 0
    assert f"next:\n  d2ace train --resume {runs / 'cut'}\n" in capsys.readouterr().out


def test_a_run_that_is_being_written_is_running(runs, tmp_path):
    shutil.copytree(runs / "cut", tmp_path / "cut")
    code = (
        "import sys\nfrom d2ace.pipeline.common.storage.folder_lock import FolderLock\n"
        f"with FolderLock({str(tmp_path / 'cut')!r}, 'run'):\n    print('held', flush=True)\n    sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout.readline() == b"held\n"
        assert Overview.read(tmp_path / "cut").state == "running"
        writer.stdin.close()
    assert Overview.read(tmp_path / "cut").state == "stopped"


def test_a_folder_without_runs_and_a_run_that_cannot_be_read_are_told(runs, tmp_path, capsys):
    with pytest.raises(RunError, match=r"broken: the run cannot be read .*config\.yaml: expected the"):
        Overview.read(runs / "broken")
    with pytest.raises(RunError, match="there is no such folder"):
        overviews(tmp_path / "nowhere")
    assert main(["runs", str(tmp_path)]) == 2
    assert "no runs lie there" in capsys.readouterr().err
    assert [run.folder.name for run in overviews(runs / "done")] == ["done"]
