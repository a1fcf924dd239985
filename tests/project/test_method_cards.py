"""Every method has a card that names its settings as they are, runs as written, and shows what was measured."""

import json
import re
import shlex
import statistics
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from d2ace.pipeline.common.config.config import Config
from d2ace.selectors import api

CARDS = Path(__file__).resolve().parents[2] / "docs" / "methods"
RESULTS = CARDS.parents[1] / "benchmarks" / "results" / "method_cards.json"
METHODS = api.names()


def text_of(name: str) -> str:
    return (CARDS / f"{name}.md").read_text()


def block(name: str, language: str) -> str:
    found = re.findall(rf"^```{language}\n(.*?)^```$", text_of(name), re.DOTALL | re.MULTILINE)
    assert len(found) == 1, f"{name}.md should have one {language} block, not {len(found)}"
    return found[0]


def documented_settings(name: str) -> dict[str, str]:
    return dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", text_of(name), re.MULTILINE))


def test_the_cards_are_those_of_the_registered_methods():
    assert sorted(path.stem for path in CARDS.glob("*.md") if path.stem != "README") == METHODS


@pytest.mark.parametrize("name", METHODS)
def test_the_settings_and_defaults_are_the_methods_own(name: str):
    expected = {key: p.default for key, p in api.options(name).items()}
    found = {key: value.replace('"', "'").strip() for key, value in documented_settings(name).items()}
    assert found == {key: repr(value) for key, value in expected.items()}


@pytest.mark.parametrize("name", METHODS)
def test_a_card_has_every_part(name: str):
    text = text_of(name)
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert headings == ["Formula", "Source", "Cost and state", "Settings", "Use", "Measured"]
    assert text.startswith(f"# {name}\n")
    assert re.search(r"\[(released|paper|own)\]", text.partition("## Source")[2])


@pytest.mark.parametrize("name", METHODS)
def test_the_python_lines_run(name: str):
    rng = np.random.default_rng(0)
    X, Y = rng.random((300, 4)), rng.random((300, 5)) < 0.3
    variables = {"X": X, "Y": Y, "reference": rng.random(Y.shape)}
    exec(block(name, "python"), variables)
    assert type(variables["selector"]) is api.get(name)
    assert sum(len(batch) for batch in variables["batches"]) == (225 if name == "rs2" else 300)


@pytest.mark.parametrize("name", METHODS)
def test_the_command_configures_the_method(name: str):
    command, *overrides = block(name, "bash").split("run.yaml")
    assert command == "d2ace train "
    config = Config.make({"data": {"path": "x"}}).with_overrides(shlex.split(overrides[0]))
    assert config.selector.name == name


@pytest.mark.parametrize("name", METHODS)
def test_what_was_measured_is_there(name: str):
    _, _, rest = text_of(name).partition("<!-- generated: begin -->")
    generated, end, _ = rest.partition("<!-- generated: end -->")
    assert end
    for words in (
        "test macro-AUC",
        "test mAP",
        "test ranking loss",
        "selection, ms an epoch",
        "commit",
        f"plots/{name}.svg",
    ):
        assert words in generated
    root = ElementTree.fromstring((CARDS / "plots" / f"{name}.svg").read_text())
    assert (
        sum(element.tag.endswith("polyline") for element in root.iter()) > 20
    )  # yeast has 14 labels, scene 6, and there is the legend


@pytest.mark.parametrize("name", METHODS)
def test_the_table_shows_the_recorded_results(name: str):
    for of in json.loads(RESULTS.read_text())["results"]["sets"].values():
        for method in {"uniform", name}:
            for values in of[method]["test"].values():
                assert f"| {statistics.mean(values):.4f} ± {statistics.stdev(values):.4f} |" in text_of(name)


def test_the_index_lists_and_measures_every_method():
    before, _, rest = (CARDS / "README.md").read_text().partition("<!-- generated: begin -->")
    generated = rest.partition("<!-- generated: end -->")[0]
    assert sorted(re.findall(r"^\| \[`([\w-]+)`\]\(\1\.md\)", before, re.MULTILINE)) == METHODS
    assert sorted(re.findall(r"^\| `([\w-]+)`", generated, re.MULTILINE)) == METHODS
