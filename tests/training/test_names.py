"""Typos in names are told before PyTorch or Ray are loaded."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from small_table import write_table

from d2ace.pipeline import models
from d2ace.pipeline.common.config.config import Config
from d2ace.pipeline.common.errors import ConfigError
from d2ace.pipeline.models import losses
from d2ace.pipeline.models.known import LOSSES, NETWORKS
from d2ace.pipeline.training.metric_names import METRICS
from d2ace.pipeline.training.names import require_names

ROOT = Path(__file__).resolve().parents[2]
TOLD = """
import json, sys
from d2ace.pipeline.cli import main
codes = [main(words) for words in json.loads(sys.argv[1])]
print(json.dumps([codes, sorted({"torch", "ray", "torchmetrics"} & set(sys.modules))]))
"""


def test_a_typo_is_told_without_pytorch_and_ray(tmp_path):
    data = str(write_table(tmp_path / "table"))
    study = {
        "name": "s",
        "data": {"d": {"path": data}},
        "networks": {"mpl": {"name": "mpl"}},
        "methods": {"uniform": {}},
    }
    sweep = {"name": "s", "config": {"data": {"path": data}, "train": {"loss": "bse"}}, "trials": 1}
    sequence = {"name": "s", "data": {"path": data}, "protocol": "B0-C2", "method": {"name": "fine-tne"}}
    late = {**sequence, "method": {"name": "fine-tune"}, "later": {"train": {"loss": "bse"}}}
    for name, values in (("study", study), ("sweep", sweep), ("sequence", sequence), ("late", late)):
        (tmp_path / f"{name}.yaml").write_text(json.dumps(values))
    commands = [
        ["train", data, "model.name=mpl"],
        ["train", data, "train.loss=bse"],
        ["train", data, "train.monitor=macro_acu"],
        ["train", data, "selector.name=d2ce"],
        ["doctor", data, "model.name=mpl"],
        ["compare", "study.yaml", "out"],
        ["compare", "study.yaml", "out", "--metric", "mpa"],
        ["tune", "sweep.yaml", "out"],
        ["incremental", "sequence.yaml", "out"],
        ["incremental", "late.yaml", "out"],
        ["submit", "--", "train", data, "run.storage=/mnt/x", "model.name=mpl"],
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", TOLD, json.dumps(commands)],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == [[2] * len(commands), []]
    lines = [line for line in done.stderr.splitlines() if line.startswith("d2ace: error: ")]
    meant = ["mlp", "bce", "macro_auc", "d2ace", "mlp", "mlp", "map", "bce", "fine-tune", "bce", "mlp"]
    assert [line.rpartition("did you mean ")[2].partition(";")[0] for line in lines] == [f"'{name}'?" for name in meant]


def test_the_tables_are_those_of_the_registries():
    assert models.names() == sorted(NETWORKS) and losses.names() == sorted(LOSSES)
    assert "macro_auc" in METRICS


@pytest.mark.parametrize("override", ["model.name=my.own:Net", "train.loss=my.own:loss"])
def test_a_place_of_ones_own_is_left_to_its_import(override):
    require_names(Config.make({"data": {"path": "x"}}).with_overrides([override]))


def test_what_there_is_passes_and_what_there_is_not_is_told_with_the_nearest():
    config = Config.make({"data": {"path": "x"}})
    require_names(config)
    with pytest.raises(ConfigError, match="no network is called 'clfi'; did you mean 'clif'"):
        require_names(config.with_overrides(["model.name=clfi"]))
