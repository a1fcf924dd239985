"""Every key of the configuration, option and command that a document shows is one that the code knows."""

import argparse
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml
from documents import DEPLOYMENT, DOCUMENTS, ROOT, commands, keys, options, pieces, places, shell_in_comments

from d2ace.pipeline import models
from d2ace.pipeline.command.arguments import make_parser
from d2ace.pipeline.common.config.config import Config
from d2ace.pipeline.common.config.images import ImagesSection
from d2ace.pipeline.studies.compare import Study
from d2ace.pipeline.studies.incremental import SequenceStudy, TaskSequence
from d2ace.pipeline.studies.tune import Sweep
from d2ace.pipeline.training.changes import MAY_CHANGE
from d2ace.pipeline.training.metrics import HIGHER_IS_BETTER
from d2ace.selectors import api

SECTIONS = {name: set(field.annotation.model_fields) for name, field in Config.model_fields.items()}
FREE = {"selector.options": api, "model.options": models}
"""Keys whose own keys are those of some method or network."""
OF_OTHER_PROGRAMS = {"--runtime-env", "--generate", "--object-store-memory", "--ray"}
OF_OTHER_PROGRAMS |= {"--reason", "--reason-message", "--deadline-remaining-seconds"}
"""Options of Ray's own commands and of a benchmark."""
TO_BE_FILLED_IN = re.compile(r"\b[A-Z]{2,}\b|\.\.\.|<|\[")
"""Words of a command that stand for something else."""


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def parser() -> argparse.ArgumentParser:
    return make_parser()


def verbs() -> dict[str, argparse.ArgumentParser]:
    (found,) = (action for action in parser()._actions if isinstance(action, argparse._SubParsersAction))
    return dict(found.choices)


def known_options() -> set[str]:
    return {word for verb in verbs().values() for action in verb._actions for word in action.option_strings}


def is_known(key: str) -> bool:
    """Return whether the configuration has a dotted key; variables of type ``Selector`` are ``selector``, too."""
    section, name, *rest = key.split(".")
    if section == "selector" and not rest and hasattr(api.Selector, name):
        return True
    if name not in SECTIONS[section] or not rest:
        return name in SECTIONS[section]
    registry = FREE.get(f"{section}.{name}")
    return registry is None or any(rest[0] in registry.options(one) for one in registry.names())


def unknown_keys(text: str) -> list[str]:
    return [key for code in pieces(text) if code.kind != "python" for key in keys(code.text) if not is_known(key)]


def unknown_options(text: str) -> list[str]:
    known = known_options() | OF_OTHER_PROGRAMS
    return [option for code in pieces(text) for option in options(code.text) if option not in known]


def refused(words: list[str]) -> str:
    """Return the command when the parser, or the type of an override, refuses it; nothing when it is right."""
    try:
        found, left = parser().parse_known_args(words)
        overrides = [*getattr(found, "overrides", []), *left]
        if overrides:
            Config.make({"data": {"path": "somewhere"}}).with_overrides(overrides)
        if words[0] == "submit" and found.command:
            return refused(found.command)
    except (SystemExit, ValueError) as error:
        return f"{shlex.join(words)} ({error})"
    return ""


def complete_commands(text: str) -> Iterator[list[str]]:
    """Yield the commands of blocks that a reader may copy; spans and templates leave words out."""
    for code in pieces(text):
        if code.kind in ("bash", "indented"):
            yield from (words for words in commands(code.text) if not TO_BE_FILLED_IN.search(shlex.join(words)))


def yaml_blocks(text: str) -> Iterator[str]:
    """Yield the YAML of blocks, and of files that shell blocks write."""
    for code in pieces(text):
        if code.kind == "yaml":
            yield code.text
        elif code.kind == "bash":
            yield from re.findall(r"\.yaml <<'END'\n(.*?)^END$", code.text, re.DOTALL | re.MULTILINE)


def check_settings(text: str) -> None:
    """Raise ConfigError unless YAML is a study, a sweep, a sequence or a configuration that the code takes."""
    values = yaml.safe_load(text)
    if "methods" in values and "orders" in values:
        list(SequenceStudy.make(values).kinds())
    elif "methods" in values:
        Study.make(values)
    elif "trials" in values:
        Sweep.make(values)
    elif "protocol" in values:
        TaskSequence.make(values)
    else:
        Config.make({**values, "data": {"path": "somewhere", **values.get("data", {})}})


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_keys_and_options_are_there(path: Path):
    text = path.read_text()
    assert unknown_keys(text) == []
    assert unknown_options(text) == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_files_that_are_named_are_there(path: Path):
    named_in_code = [place for code in pieces(path.read_text()) if code.kind != "text" for place in places(code.text)]
    assert [place for place in named_in_code if not any(ROOT.glob(place.rstrip("/.")))] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_commands_can_be_given(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(ROOT / "examples")  # where one of them takes its method from
    assert [wrong for words in complete_commands(path.read_text()) if (wrong := refused(words))] == []


@pytest.mark.parametrize("path", DEPLOYMENT, ids=named)
def test_commands_in_launcher_files_can_be_given(path: Path):
    assert [wrong for words in commands(shell_in_comments(path.read_text())) if (wrong := refused(words))] == []


@pytest.mark.parametrize(
    ("path", "block"),
    [pytest.param(p, b, id=f"{named(p)}-{i}") for p in DOCUMENTS for i, b in enumerate(yaml_blocks(p.read_text()))],
)
def test_settings_in_yaml_are_taken(path: Path, block: str):
    check_settings(block)


def test_the_checks_see_what_is_wrong():
    text = "`run.wokers` `selector.options.warmpu` `--lable-file` `train.epochs` `--labels` `selector.plan`\n"
    assert unknown_keys(text) == ["run.wokers", "selector.options.warmpu"]
    assert unknown_options(text) == ["--lable-file"]
    assert places("see `selectors/NAME.py`, `docs/nowhere.md` and data/docs/x") == ["docs/nowhere.md"]
    block = "```bash\nd2ace train a.yaml \\\n  train.epochs=x\nd2ace evaluate\nd2ace submit -- tarin a.yaml\n```\n"
    assert [bool(refused(words)) for words in complete_commands(block)] == [True, True, True]
    assert list(complete_commands("```bash\nd2ace train CONFIG.yaml\n```\n")) == []
    with pytest.raises(ValueError, match="epohcs"):
        check_settings("train: {epohcs: 3}")


def table(page: str, heading: str) -> dict[str, str]:
    """Return the first two columns of the table under a heading; a line may name several keys and their defaults."""
    text = (ROOT / "docs" / page).read_text().partition(heading)[2]
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| ([^|]*) \|", text.partition("\n## ")[0], re.MULTILINE)
    found = {}
    for keys_, default in rows:
        of_row, defaults = re.findall(r"\w+", keys_), default.strip().split(", ")
        each = defaults if len(defaults) == len(of_row) > 1 else [default.strip()] * len(of_row)
        found |= dict(zip(of_row, each, strict=True))
    return found


def written(value: object) -> str:
    """Return a default as the pages write it."""
    if isinstance(value, str):
        return f"`{value}`"
    if value is None or value == {}:
        return "off" if value is None else "none"
    return str(value).lower()  # true, false, and numbers as they are


@pytest.mark.parametrize("section", [name for name in SECTIONS if name != "images"])
def test_the_page_on_the_configuration_has_every_key_with_its_default(section: str):
    found = table("configuration.md", f"## {section}\n")
    fields = Config.model_fields[section].annotation.model_fields
    assert set(found) == set(fields)
    wanted = {key: "required" if field.is_required() else written(field.default) for key, field in fields.items()}
    assert found == wanted


def test_the_page_on_images_has_every_option_with_its_default():
    found = table("images.md", "## Options")
    assert list(found) == list(ImagesSection.model_fields)
    defaults = {key: ImagesSection.model_fields[key].default for key in found}
    as_written = {"random_crop_ratio": "[3/4, 4/3]", "scaled_decoding": "true", "fit": "`crop`"}
    in_words = {key for key, value in defaults.items() if value is None}
    wrong = {
        key: text
        for key, text in found.items()
        if key not in in_words and text != as_written.get(key) and float(text) != defaults[key]
    }
    assert wrong == {}


def test_the_page_on_runs_lists_every_verb():
    text = (ROOT / "docs" / "runs.md").read_text().partition("## The verbs")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `d2ace ([\w-]+)", text, re.MULTILINE)) == set(verbs())


def test_the_page_on_metrics_defines_each_with_its_direction():
    text = (ROOT / "docs" / "metrics.md").read_text().partition("## What is not defined")[0]
    found = dict(re.findall(r"^\| `(\w+)` \| .* \| (higher|lower) \|$", text, re.MULTILINE))
    assert {name: word == "higher" for name, word in found.items()} == HIGHER_IS_BETTER


def test_the_page_on_the_command_lists_what_may_change():
    text = (ROOT / "docs" / "command.md").read_text().partition("## Going on with a run")[2]
    listed = text.partition("may change")[2].partition("\n\n")[0]
    assert set(keys(listed)) == set(MAY_CHANGE)
