"""Everything about a configuration is checked before Ray starts and before a run folder exists."""

import os
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import ray
from pictures import manifest_of
from small_config import small_config
from small_table import N_ROWS, write_table

from d2ace.pipeline import fit
from d2ace.pipeline.common.errors import ConfigError, DataError
from d2ace.pipeline.data.manifest import Manifest
from d2ace.pipeline.studies.compare.execution import compare
from d2ace.pipeline.studies.compare.study import Study
from d2ace.pipeline.studies.tune.execution import tune
from d2ace.pipeline.studies.tune.sweep import Sweep
from d2ace.pipeline.training.checks import check, check_data, check_storage
from d2ace.pipeline.training.idle_neighbours import without_idle_embeddings
from d2ace.pipeline.training.optim import require_momentum
from d2ace.selectors import api as selectors


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_table(tmp_path_factory.mktemp("checks") / "table")


@pytest.fixture(autouse=True)
def no_ray(monkeypatch):
    """Starting Ray is a failure."""
    monkeypatch.setattr(ray, "init", lambda *_, **__: pytest.fail("Ray was started"))


WRONG = [
    ("selector.options.pressure=0.5", "selector.options of 'd2ace': pressure must be a number of at least 1, got 0.5"),
    ("selector.options.draws=sistematic", "did you mean 'systematic'"),
    ("selector.options.neighbours=-1", "neighbours must be a whole number of at least 0"),
    ("selector.options.warmup=soon", "warmup must be a whole number"),
    ("selector.name=learnability", "learnability needs reference"),
    ("selector.neighbour_features=near.npy", "no such file"),
    ("model.name=mpl", "no network is called 'mpl'; did you mean 'mlp'"),
    ("model.options.hiden=[8]", "no setting 'hiden'; did you mean 'hidden'"),
    ("model.options.hidden=[0]", "hidden of network 'mlp' must be a list of positive whole numbers"),
    ("model.options.dropout=1.5", "dropout of network 'mlp' must be a number of at least 0 and below 1"),
    ("train.loss=bse", "no loss is called 'bse'; did you mean 'bce'"),
    ("train.loss_options.gamma=1", "has no setting 'gamma'"),
    ("train.monitor=macro_acu", "train.monitor: no metric is called 'macro_acu'; did you mean 'macro_auc'"),
    ("optimizer.momentum=0.5", "momentum=0.5 would do nothing: optimizer.name is 'adam', and only 'sgd' takes"),
    ("optimizer.layer_decay=0.5", "need a network with a backbone"),
    ("data.scale=imagenet", "holds dense features, not images"),
    ("images.flip=0.5", "images.flip: "),
    ("run.feed=stream", "run.feed=stream decodes images"),
]


@pytest.mark.parametrize(("override", "words"), WRONG)
def test_a_wrong_setting_is_told_before_anything_starts(override, words, table, tmp_path):
    config = small_config(table, tmp_path / "runs", "selector.options={}", override)
    with pytest.raises(ConfigError, match=words):
        fit(config)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("optimizer.lr=.inf", "optimizer.lr: .*finite"),
        ("optimizer.warmup_epochs=.inf", "optimizer.warmup_epochs: .*finite"),
        ("train.distillation={teacher: x, weight: .inf}", "train.distillation.weight: .*finite"),
        *((f"run.name={name}", "run.name: expected the name of a folder inside") for name in ("../b", "..", ".")),
    ],
)
def test_numbers_are_finite_and_a_run_has_a_folder_of_its_own(override, words, table, tmp_path):
    with pytest.raises(ConfigError, match=words):
        small_config(table, tmp_path / "runs", override)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["data.fold=0", f"data.folds={N_ROWS + 1}"], f"data.folds={N_ROWS + 1}: .* has {N_ROWS} rows"),
        (["data.split=stratified", "data.validation_fraction=0.5", "data.test_fraction=0.5"], "less than 1, got 0.5"),
        (["model.name=small-cnn", "model.options={}"], "takes images, but .* holds a table; networks for it: .*mlp"),
        (["selector.name=learnability", "selector.options={reference: nowhere}"], "nowhere is not there"),
        (["model.name=dela", "train.loss=hill"], "train.loss='hill' would be left aside: network 'dela' has a loss of"),
        (["model.name=c2ae", "train.loss_options={x: 1}"], "would be left aside|has no setting"),
    ],
)
def test_settings_that_do_not_fit_together_or_the_data(overrides, words, table, tmp_path):
    with pytest.raises(ConfigError, match=words):
        fit(small_config(table, tmp_path / "runs", *overrides))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("manifest", "overrides", "words"),
    [
        (manifest_of("L", 64, 64), ["images.saturation=0.5"], "the data's images are grey"),
        (manifest_of("RGB"), [], "images.size"),
        (
            manifest_of("RGB", 64, 64),
            ["model.name=mlp"],
            "takes tables, but .* holds images; networks for it: .*small-cnn",
        ),
    ],
)
def test_image_settings_that_do_not_fit_the_images(manifest, overrides, words, tmp_path):
    config = small_config(tmp_path, tmp_path, "model.name=small-cnn", "model.options={}", *overrides)
    check(config)
    with pytest.raises((ConfigError, DataError), match=words):
        check_data(config, manifest)


def test_rows_of_which_nobody_knows_a_label_are_not_trained_on(table, tmp_path):
    manifest = Manifest.load(table)
    unknown = replace(manifest, known_counts=(0,) * manifest.n_labels, label_counts=(0,) * manifest.n_labels)
    unnamed = replace(manifest, labels=(), label_counts=())
    for each in (unknown, unnamed):
        with pytest.raises(ConfigError, match="nobody knows a label of any of its rows, so there is nothing to learn"):
            check_data(small_config(table, tmp_path), each)


def test_storage_below_a_file_and_neighbour_features_of_other_rows(table, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"run\.storage=.*file/runs: .*file is a file, not a folder"):
        fit(small_config(table, tmp_path / "file" / "runs"))
    np.save(tmp_path / "near.npy", np.zeros((3, 2)))
    config = small_config(table, tmp_path / "runs", f"selector.neighbour_features={tmp_path / 'near.npy'}")
    with pytest.raises(ConfigError, match=rf"near.npy holds \(3, 2\), expected \({N_ROWS}, e\)"):
        fit(config)
    for wrong in (np.full((N_ROWS, 2), np.nan), np.zeros((N_ROWS, 2), complex), np.full((N_ROWS, 2), "x")):
        np.save(tmp_path / "near.npy", wrong)
        with pytest.raises(ConfigError, match=r"near.npy holds \S+, expected finite real numbers"):
            fit(config)
    with pytest.raises(DataError, match=r"is it a folder that"):
        fit(small_config(tmp_path / "nothing", tmp_path / "runs"))
    assert not (tmp_path / "runs").exists()


def test_a_disk_that_can_only_be_read_is_told_as_one(make_config, monkeypatch):
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_flag=os.ST_RDONLY))
    with pytest.raises(ConfigError, match=r"run\.storage=.*: the file system of .* can only be read now"):
        check_storage(make_config())


def test_a_gpu_for_training_in_this_process_is_refused_where_there_is_none(table, tmp_path, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ConfigError, match=r"run\.gpu=true with run\.workers=0 .* sees no GPU"):
        fit(small_config(table, tmp_path / "runs", "run.gpu=true"))


@pytest.mark.parametrize("name", selectors.names())
def test_every_method_passes_with_its_defaults_and_large_batches(name, table, tmp_path):
    reference = ["selector.options.reference=."] if name == "learnability" else []
    config = small_config(
        table, tmp_path, "selector.options={}", f"selector.name={name}", "train.batch_size=5000", *reference
    )
    check(config)


def test_the_network_is_made_without_its_memory(table, tmp_path):
    config = small_config(table, tmp_path, "model.options.hidden=[1000000, 1000000]")  # 4 TB of weights
    check(config)
    check_data(config, Manifest.load(table))


def test_a_study_is_checked_whole(table, tmp_path):
    methods = {"uniform": {"name": "uniform"}, "bad": {"name": "d2ace", "options": {"pressure": 0.5}}}
    study = Study.make(
        {"name": "s", "data": {"x": {"path": str(table)}}, "networks": {"net": {"name": "mlp"}}, "methods": methods}
    )
    with pytest.raises(ConfigError, match=r"s, x x net x bad: selector\.options of 'd2ace': pressure"):
        compare(study, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["selector.name=loss-rank", "selector.options={}"], "method 'loss-rank' has none"),
        (["selector.options.neighbours=0"], "selector.options.neighbours is 0"),
        (["selector.options.correlation=false"], "selector.options.correlation is false"),
    ],
)
def test_embeddings_that_no_neighbours_would_be_looked_for_in_are_refused(overrides, words, table, tmp_path):
    config = small_config(table, tmp_path, "selector.neighbour_features=embeddings", *overrides)
    with pytest.raises(ConfigError, match=f"would do nothing: {words}, so no neighbours are looked for; leave it out"):
        check(config)
    check(small_config(table, tmp_path, *overrides))
    with_neighbours = small_config(table, tmp_path, "selector.neighbour_features=embeddings")
    check(with_neighbours)
    assert without_idle_embeddings(with_neighbours) == with_neighbours
    assert without_idle_embeddings(config) == small_config(table, tmp_path, *overrides)  # of a point of a sweep


@pytest.mark.parametrize("given", [["optimizer.name=sgd", "optimizer.momentum=0.5"], ["optimizer.momentum=0.9"]])
def test_a_momentum_that_is_taken_or_the_default_is_no_fault(given, table, tmp_path):
    require_momentum(small_config(table, tmp_path, *given))


def test_a_sweep_over_optimizers_may_have_a_momentum_for_one_of_them(table, tmp_path):
    base = {"data": {"path": str(table)}, "optimizer": {"momentum": 0.5}}
    values = {"name": "s", "space": "none", "sampler": "grid", "config": base}
    with pytest.raises(ConfigError, match=r"optimizer\.momentum=0\.5 would do nothing"):
        tune(Sweep.make({**values, "knobs": {"optimizer.lr": {"choice": [0.1, 0.2]}}}), tmp_path / "out")
    several = Sweep.make({**values, "knobs": {"optimizer.name": {"choice": ["adam", "sgd"]}}})
    several.config["data"]["path"] = str(tmp_path / "nothing")  # what is found next
    with pytest.raises(DataError, match="nothing"):
        tune(several, tmp_path / "out")


def test_a_sweep_may_search_settings_without_neighbours_beside_embeddings(table):
    selector = {"name": "d2ace", "neighbour_features": "embeddings"}
    sweep = Sweep.make({"name": "s", "preset": "wide", "config": {"data": {"path": str(table)}, "selector": selector}})
    point = sweep.points()[0]
    found = [sweep.make_config({**point, "neighbours": k}).selector.neighbour_features for k in (0, 3)]
    assert found == ["inputs", "embeddings"]


def test_a_sweep_is_checked_with_all_points_that_are_known(table, tmp_path):
    values = {"name": "s", "space": "none", "sampler": "grid", "config": {"data": {"path": str(table)}}}
    sweep = Sweep.make({**values, "knobs": {"model.options.dropout": {"choice": [0.1, 1.5]}}})
    with pytest.raises(ConfigError, match="dropout of network 'mlp'"):
        tune(sweep, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_network_with_a_loss_of_its_own_has_no_entry_policy(make_config):
    config = make_config('selector.entries={"policy": "correct"}', "model.name=dela")
    with pytest.raises(ConfigError, match=r"selector\.entries .* network 'dela' has a loss of its own.*mlp"):
        check(config)
    with pytest.raises(ConfigError, match=r"no entry policy is called 'corect'.*did you mean 'correct'"):
        make_config('selector.entries={"policy": "corect"}').selector.require_known()
