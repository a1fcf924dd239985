"""The command line: every verb once, and errors in one line."""

import json
import re

import numpy as np
import pytest

from d2ace.pipeline.cli import main


def write_csv(path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 4)).astype(np.float32)
    lines = ["a,b,c,d,tag_hot,tag_cold"]
    lines += [",".join(f"{v:.4f}" for v in row) + f",{int(row[0] > 0)},{int(row[1] > 0)}" for row in x]
    path.write_text("\n".join(lines) + "\n")


def test_prepare_train_evaluate_predict(tmp_path, capsys, ray_session):
    prepared = tmp_path / "data"
    write_csv(tmp_path / "rows.csv")
    assert main(["prepare", str(tmp_path / "rows.csv"), str(prepared), "--label-prefix", "tag_"]) == 0
    assert "120 rows (no split 120), 2 labels" in capsys.readouterr().out
    run = [f"run.storage={tmp_path}", "run.name=a", "run.workers=0", "train.epochs=2", "train.batch_size=32"]
    assert main(["train", str(prepared), "selector.options.warmup=1", *run]) == 0
    shown = capsys.readouterr().out
    assert "epoch   2/2" in shown
    assert f"run folder: {tmp_path / 'a'}" in shown
    assert main(["evaluate", str(tmp_path / "a")]) == 0
    assert 0 <= json.loads(capsys.readouterr().out)["macro_auc"] <= 1
    assert main(["predict", str(tmp_path / "a"), str(prepared), str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "_labels.json").is_file()
    assert main(["train", "--resume", str(tmp_path / "a")]) == 0
    capsys.readouterr()
    assert main(["train", "--resume", str(tmp_path / "a"), "train.epochs=3"]) == 0
    assert "of 3, " in capsys.readouterr().out
    assert main(["train", "--resume", str(tmp_path / "a"), "optimizer.lr=1"]) == 2


def test_methods_lists_all_methods_and_settings(capsys):
    assert main(["methods"]) == 0
    shown = capsys.readouterr().out
    for word in (
        "d2ace:",
        "uniform:",
        "selector.options.pressure",
        "selector.options.draws = 'systematic'",  # what a configuration without a preset takes
        "selector.preset=recommended (the default): ",
        "mlp:",
        "small-cnn:",
        "rebll:",
        "method.options.decay",
    ):
        assert word in shown


def test_a_method_is_checked_case_by_case(capsys, tmp_path, monkeypatch):
    lines = ["from d2ace.selectors.uniform import Uniform", "class Twin(Uniform):", "    pass"]
    (tmp_path / "twins.py").write_text("\n".join(lines) + "\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert main(["check-method", "uniform"]) == 0
    kept = capsys.readouterr().out.splitlines()
    assert kept[-1] == f"uniform keeps the contract: {len(kept) - 1} cases"
    assert all(line.startswith("ok ") for line in kept[:-1])
    assert main(["check-method", "twins:Twin"]) == 2
    shown = capsys.readouterr()
    assert "BROKEN  it has a name of its own: Twin has the name of another method, 'uniform'" in shown.out
    told = f"twins:Twin breaks 1 of the {len(kept) - 1} cases of the contract; put right what BROKEN lines say"
    assert shown.err == f"d2ace: error: {told}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "nothing.yaml"], "cannot be read"),
        (["train"], "needs a YAML file"),
        (["train", "x.yaml", "--resume", "y"], "takes the run's own configuration"),
        (["train", "x.yaml", "--data", "y"], "--data goes with --resume RUN"),
        (["train", "x.yaml", "--workers", "4"], "--workers goes with --resume RUN; for a new run give run.workers=4"),
        (["tune", "x.yaml", "out", "--data", "y"], "--data goes with --resume OUT"),
        (["evaluate", "nowhere"], "not a run folder"),
        (["check-method", "nowhere:Class"], "there is no module nowhere; install it, or name its folder in PYTHONPATH"),
        (["check-method", "d2ace", "--option", "warmpu=1"], "did you mean 'warmup'?"),
        (["prepare", "nothing.csv", "out"], "there is no such file"),
        (["prepare", "digit-scenes", "out", "--min-positives", "3"], "takes no --min-positives"),
    ],
)
def test_errors_are_one_line_and_exit_code_2(arguments, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    *first_words, message = capsys.readouterr().err.splitlines()
    assert message.startswith("d2ace: error: ") and words in message
    assert "d2ace" in message.rpartition("; ")[2]  # the next step
    assert len(first_words) <= 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trian", "x"], "argument VERB: 'trian' is no choice; did you mean 'train'.; see d2ace --help"),
        (["evaluate", "a", "--split", "tset"], "evaluate: .*'tset' is no choice; did you mean 'test'.*evaluate --help"),
        (["evaluate"], "evaluate: the following arguments are required: run; see d2ace evaluate --help"),
        (["train", "a", "--worker-count", "3"], "train: unrecognized arguments: .*; see d2ace train --help"),
    ],
)
def test_wrong_usage_is_one_line_with_the_next_step(arguments, message, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert re.match(f"d2ace: error: {message}$", line)
