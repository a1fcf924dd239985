"""Configuration: complete, reloadable, and clear about what is wrong."""

import pytest

from d2ace.pipeline.common.config.config import Config
from d2ace.pipeline.common.config.overrides import apply_overrides
from d2ace.pipeline.common.errors import ConfigError
from d2ace.pipeline.runs.run_folder import RunFolder
from d2ace.pipeline.training.selection_start import option, sample_selector
from d2ace.selectors import api as selectors

MINIMAL = {"data": {"path": "somewhere"}}


def test_saved_configuration_is_complete_and_reloads_equal(tmp_path):
    config = Config.make(MINIMAL).with_overrides(["train.epochs=7", "selector.options.warmup=2", "optimizer.lr=1e-3"])
    config = config.with_absolute_paths()
    config.save(tmp_path / "c.yaml")
    assert Config.load(tmp_path / "c.yaml") == config
    assert "micro_batches" in (tmp_path / "c.yaml").read_text()
    assert config.optimizer.lr == 1e-3 and config.selector.options == {"warmup": 2}


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("train.epoch=3", ["unknown key 'train.epoch'", "did you mean 'epochs'"]),
        ("trian.epochs=3", ["unknown key 'trian'", "did you mean 'train'"]),
        ("train.epochs=0", ["train.epochs", "greater than or equal to 1", "got 0"]),
        ("train.epochs=many", ["train.epochs", "valid integer", "got 'many'"]),
        ("selector.name=d2ac", ["no selection method is called 'd2ac'", "did you mean 'd2ace'"]),
        ("selector.options.neighbors=3", ["no setting 'neighbors'", "did you mean 'neighbours'"]),
        ("selector.preset=papre", ["no preset is called 'papre'", "did you mean 'paper'"]),
        ("data.fold=1", ["fold and folds go together"]),
        ("run.workers=9", ["run.workers=9 needs train.micro_batches"]),
        ("train.batch_size=2", ["train.micro_batches=4 is more than train.batch_size=2"]),
        ("train.precision=fp16", ["needs run.gpu=true"]),
        ("train.epochs", ["expected section.key=value"]),
        ("train.epochs.x=3", ["'epochs' is a value, not a section"]),
        ("model.options={hidden: [16", ["override 'model.options={hidden: [16'", "not valid YAML", "brackets"]),
        ("train.epochs=@x", ["override 'train.epochs=@x'", "not valid YAML"]),
        ("train.precision=no", ["train.precision", "got 'no'"]),
    ],
)
def test_wrong_settings_say_what_was_got_and_expected(override, words):
    with pytest.raises(ConfigError) as caught:
        Config.make(MINIMAL).with_overrides([override])
    for word in words:
        assert word in str(caught.value)


def test_missing_path_and_several_problems_come_in_one_message():
    with pytest.raises(ConfigError, match=r"data\.path: is required.*train\.epochs"):
        Config.make({"data": {}, "train": {"epochs": -1}})


def test_bad_yaml_names_file_and_line(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("data:\n  path: x\n train: [\n")
    with pytest.raises(ConfigError, match=r"c\.yaml:3: not valid YAML"):
        Config.load(path)
    path.write_text("just words\n")
    with pytest.raises(ConfigError, match="expected sections"):
        Config.load(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        Config.load(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    "text", ["2026-11-28", "20261128", "007", "1e5", "no", "12_30", "@home", "*", "{", "a: b", "2026-13-45"]
)
def test_text_in_an_override_stays_text(text):
    config = Config.make(MINIMAL).with_overrides([f"run.name={text}", f"run.worker_labels.zone={text}"])
    assert config.run.name == text
    assert config.run.worker_labels == {"zone": text}


def test_other_values_in_overrides_are_read_as_yaml():
    overrides = ["run.gpu=yes", "images.size=[8, 9]", "run.cpus_per_worker=null", "run.name=null", "train.ema=5e-1"]
    config = Config.make(MINIMAL).with_overrides(["run.name=a", *overrides])
    assert (config.run.gpu, config.images.size, config.train.ema) == (True, (8, 9), 0.5)
    assert config.run.cpus_per_worker is None and config.run.name is None


def test_an_address_is_no_settings_file_and_its_keys_are_not_shown():
    with pytest.raises(ConfigError, match=r"expected a path, got the address s3://\*\*\*@bucket/run.yaml") as found:
        Config.load("s3://KEY:SECRET@bucket/run.yaml")
    assert "SECRET" not in str(found.value)


def test_yaml_that_is_not_utf_8_names_file_line_and_byte(tmp_path):
    (tmp_path / "c.yaml").write_bytes("data:\n  path: donn\u00e9es\n".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"c\.yaml:2: not UTF-8 \(byte 0xe9\); save the file in UTF-8"):
        Config.load(tmp_path / "c.yaml")


def test_a_date_where_text_is_expected_says_to_quote_it(tmp_path):
    (tmp_path / "c.yaml").write_text("data: {path: x}\nrun: {name: 2026-11-28}\n")
    with pytest.raises(ConfigError, match=r"run\.name: .*; write it in quotes"):
        Config.load(tmp_path / "c.yaml")


def test_overrides_reach_into_a_section_that_is_left_out_by_default():
    config = Config.make(MINIMAL).with_overrides(["train.distillation.teacher=007", "train.distillation.decay=2"])
    assert config.train.distillation.teacher == "007"
    assert config.train.distillation.decay == 2


def test_overrides_do_not_change_what_they_are_applied_to():
    values = {"a": {"b": 1}}
    assert apply_overrides(values, ["a.b=2", "a.c=[1, 2]"]) == {"a": {"b": 2, "c": [1, 2]}}
    assert values == {"a": {"b": 1}}


@pytest.mark.parametrize("key", ["data.path", "run.storage"])
def test_keys_in_an_address_are_not_shown(key):
    with pytest.raises(ConfigError, match=r"s3://\*\*\*@bucket") as caught:
        Config.make({"data": {"path": "x"}}).with_overrides([f"{key}=s3://KEY:SEC/RET@bucket/x"])
    assert "KEY:" not in str(caught.value) and "RET@" not in str(caught.value)


def test_options_that_are_not_given_are_those_of_the_preset():
    config = Config.make(MINIMAL)
    recommended = {"warmup": 0.6, "draws": "systematic", "importance": 0.5}
    assert config.selector.settings == recommended and config.selector.options == {}
    given = config.with_overrides(["selector.options.importance=0.2", "selector.options.pressure=4"])
    assert given.selector.settings == {**recommended, "importance": 0.2, "pressure": 4}
    assert config.with_overrides(["selector.name=uniform"]).selector.settings == {}
    paper = config.with_overrides(["selector.preset=paper"])
    own = {key: parameter.default for key, parameter in selectors.options("d2ace").items()}
    assert paper.selector.settings == {key: own[key] for key in recommended}
    drawn = [option(section, "draws") for section in (config.selector, paper.selector)]
    assert drawn == ["systematic", "independent"] and option(given.selector, "pressure") == 4


def test_the_selector_of_a_run_is_made_with_its_preset():
    made = [
        sample_selector(Config.make({**MINIMAL, "selector": {"preset": name}})) for name in ("recommended", "paper")
    ]
    assert [selector.warmup for selector in made] == [18, 3]  # of 30 epochs


def test_a_run_from_before_there_were_presets_had_the_settings_of_the_paper(tmp_path):
    run = RunFolder.create(tmp_path / "run", Config.make(MINIMAL).with_absolute_paths())
    assert run.load_config().selector.preset == "recommended"
    run.config.write_text(run.config.read_text().replace("  preset: recommended\n", ""))
    assert "preset" not in run.config.read_text()
    assert run.load_config().selector.preset == "paper"
