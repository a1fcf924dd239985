"""The examples of docs/backbones.md are configurations that a run would take."""

import re
from pathlib import Path

import pytest
import yaml

from d2ace.pipeline import models
from d2ace.pipeline.common.config.config import Config
from d2ace.pipeline.models import losses
from d2ace.pipeline.models.transformers_source import configuration

TEXT = (Path(__file__).parents[2] / "docs" / "backbones.md").read_text()
EXAMPLES = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)]


def test_there_are_examples_of_every_section():
    assert {section for example in EXAMPLES for section in example} == {"model", "data", "optimizer", "run", "train"}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: "-".join(example))
def test_examples_are_valid(example):
    config = Config.make({**example, "data": {"path": "somewhere", **example.get("data", {})}})
    models.check_options(config.model.name, config.model.options)
    losses.check_options(config.train.loss, config.train.loss_options)
    if "architecture" in config.model.options:
        pytest.importorskip("transformers")
        configuration(None, None, config.model.options["architecture"], config.model.options["config"])


def test_the_inline_options_exist():
    for head in re.findall(r"`head_options`: ([^.]*)\.", TEXT):
        assert re.findall(r"`(\w+)`", head) == ["queries", "width", "attention_heads", "dropout"]
    losses.check_options("asl", yaml.safe_load(re.search(r"loss_options: (\{.*?\})", TEXT)[1]))
