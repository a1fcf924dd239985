"""A run of a comparison is the run that ``fit`` makes, only without Ray."""

from dataclasses import replace

import numpy as np
import pytest
from small_table import orders, write_table

from d2ace.pipeline import fit
from d2ace.pipeline.data import digit_scenes
from d2ace.pipeline.studies.compare.study import Study
from d2ace.pipeline.studies.compare.study_run import all_epochs, load_prepared, train_run
from d2ace.pipeline.training.local_run import LocalRun
from d2ace.pipeline.training.loop import Hook
from d2ace.pipeline.training.metrics import METRICS
from d2ace.selectors import api as selectors


def first_run(study, method="d2ace"):
    return next(run for run in study.runs() if run.method == method)


def local_run(run, prepared, *hooks):
    return LocalRun(run.config, prepared, released=run.study.protocol == "papers", hooks=hooks)


class Draws(Hook):
    """Keeps the row ids of each epoch's draws."""

    def __init__(self):
        self.of_epochs = []

    def before_epoch(self, training, epoch):
        self.of_epochs.append(epoch.batches.ids)


class WithoutWeights(Hook):
    """Drops the loss weights of every batch."""

    def before_batch(self, training, epoch, share):
        plain = tuple(replace(micro, weights=None) for micro in share.micro_batches)
        return replace(share, micro_batches=plain)


def recorded_orders(run):
    """Train a run and return its columns and the row ids of each epoch's draws."""
    draws = Draws()
    return all_epochs(local_run(run, load_prepared(run.config.data.path, run.fingerprint), draws), run), draws.of_epochs


@pytest.mark.parametrize("reduction", ["exact", "ddp"])
@pytest.mark.parametrize("method", ["uniform", "d2ace"])
def test_it_has_the_batches_and_metrics_of_a_full_run(make_study, tmp_path, method, reduction):
    config = {"optimizer": {"lr": 0.03}, "train": {"epochs": 4, "batch_size": 32, "reduction": reduction}}
    run = first_run(make_study(config=config), method)
    columns, drawn = recorded_orders(run)
    full = fit(run.config.with_overrides([f"run.storage={tmp_path}", "run.name=full", "run.workers=0"]), quiet=True)
    expected = [np.load(path) for path in sorted((full.folder / "order").iterdir())]
    assert len(drawn) == len(expected) == 4
    for mine, whole in zip(drawn, expected, strict=True):
        np.testing.assert_array_equal(mine, whole)
    for metric in METRICS:
        assert columns[f"validation/{metric}"] == [record[metric] for record in full.history]
    assert columns["best_epoch"] == full.best_epoch
    assert {m: columns[f"test/{m}"][full.best_epoch] for m in METRICS} == full.test


def test_images_and_embeddings_give_the_batches_of_a_full_run_too(tmp_path):
    digit_scenes.build(tmp_path / "digits", rows=160)
    study = Study.make(
        {
            "name": "images",
            "data": {"digits": {"path": str(tmp_path / "digits")}},
            "networks": {"cnn": {"name": "small-cnn"}},
            "methods": {
                "uniform": {"name": "uniform"},
                "d2ace": {"options": {"warmup": 1, "pressure": 20}, "neighbour_features": "embeddings"},
            },
            "folds": None,
            "config": {"train": {"epochs": 3, "batch_size": 32}},
        }
    )
    run = first_run(study)
    columns, drawn = recorded_orders(run)
    full = fit(run.config.with_overrides([f"run.storage={tmp_path}", "run.name=full", "run.workers=0"]), quiet=True)
    assert [ids.tobytes() for ids in drawn] == [np.load(p).tobytes() for p in sorted((full.folder / "order").iterdir())]
    assert len(orders(full.folder)) == 3
    assert columns["validation/macro_auc"] == [record["macro_auc"] for record in full.history]


def test_data_in_a_bucket_gives_what_it_gives_on_a_disk(bucket, make_study):
    place = write_table(bucket.address("b/table"))
    bucket.fail("GetObject", "busy", 3)
    there = train_run(first_run(make_study(data={"table": {"path": place}})))
    here = train_run(first_run(make_study()))
    measured = [name for name in here if name.startswith(("validation/", "test/"))]
    assert measured and all(there[name] == here[name] for name in measured)


def test_columns_have_an_entry_for_each_epoch_or_label(make_study):
    columns = train_run(first_run(make_study()))
    for name in ("train_s", "selection_s", "effective_sample_size", "test/map", "validation/ranking_loss"):
        assert len(columns[name]) == 4
    assert all(0 < part < whole for part, whole in zip(columns["selection_s"], columns["train_s"], strict=True))
    assert columns["label_names"] == [f"label{j}" for j in range(5)]
    assert len(columns["test_label_ap"]) == len(columns["label_positives"]) == 5
    mean_ap = np.nanmean(columns["test_label_ap"])
    assert mean_ap == pytest.approx(columns["test/map"][columns["best_epoch"]])


def test_folds_cover_every_row_once_and_seeds_change_them(make_study):
    prepared, tested = None, []
    for run in make_study(folds=3).runs():
        prepared = load_prepared(run.config.data.path, run.fingerprint)
        if run.method == "uniform":
            tested.append(local_run(run, prepared).data.splits.test)
    assert prepared is not None
    assert sorted(np.concatenate(tested).tolist()) == list(range(prepared.rows.manifest.rows))
    other = local_run(first_run(make_study(folds=3, seeds=[7])), prepared).data.splits.test
    assert not np.array_equal(other, tested[0])


def test_the_papers_protocol_does_what_the_released_programs_do(make_study):
    clean, papers = (first_run(make_study(protocol=protocol)) for protocol in ("clean", "papers"))
    assert clean.key != papers.key
    prepared = load_prepared(papers.config.data.path, papers.fingerprint)
    scalers = [local_run(run, prepared).data.scaler.to_dict() for run in (clean, papers)]
    everything = prepared.features
    assert scalers[0] != scalers[1]
    scaled = local_run(papers, prepared).data.scaler.transform(everything)
    np.testing.assert_allclose([scaled.min(axis=0), scaled.max(axis=0)], np.array([[0] * 7, [1] * 7]), atol=1e-6)
    _, drawn = recorded_orders(papers)
    assert (np.diff(drawn[0]) > 0).all()  # file order in the warm-up
    assert not (np.diff(drawn[1]) > 0).all()
    _, shuffled = recorded_orders(clean)
    assert not (np.diff(shuffled[0]) > 0).all()


def test_loss_weights_reach_the_loss(make_study):
    """InfoBatch hands out weights; with those dropped the training would end elsewhere."""
    study = make_study(methods={"uniform": {"name": "uniform"}, "infobatch": {"name": "infobatch"}})
    assert selectors.get("infobatch")
    run = first_run(study, "infobatch")
    prepared = load_prepared(run.config.data.path, run.fingerprint)
    with_weights, without = local_run(run, prepared), local_run(run, prepared, WithoutWeights())
    assert all_epochs(with_weights, run)["test/map"] != all_epochs(without, run)["test/map"]
