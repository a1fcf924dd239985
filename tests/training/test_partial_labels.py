"""Training where labels are unknown or soft: what nobody knows moves nothing, however the data says so."""

import numpy as np
import pytest
import torch
from partial_table import UNTRAINED, partial_labels, write_partial
from small_config import small_config

from d2ace.pipeline import fit, models
from d2ace.pipeline.common.errors import ConfigError
from d2ace.pipeline.data.manifest import Manifest
from d2ace.pipeline.data.shards import read_labels
from d2ace.pipeline.feeds.shard_rows import ShardRows
from d2ace.pipeline.models.api import ModelContext, prior_logits
from d2ace.pipeline.training.checks import check_data
from d2ace.pipeline.training.doctor.selection_stages import measure_selection
from d2ace.pipeline.training.local_run import LocalRun, Prepared
from d2ace.pipeline.training.metrics import evaluate_predictions
from d2ace.selectors.common.errors import SelectionError

COMPLETE_ONLY = ["c2ae", "dela", "mpvae", "paca"]


def run_of(folder, tmp_path, *overrides):
    manifest = Manifest.load(folder)
    config = small_config(folder, tmp_path, "train.epochs=3", *overrides)
    return LocalRun(config, Prepared(ShardRows(manifest), read_labels(manifest)))


@pytest.fixture(scope="module", params=[False, True], ids=["hard", "soft"])
def folders(request, tmp_path_factory):
    """The same labels said in both ways, and with unknown entries taken for 0."""
    place = tmp_path_factory.mktemp("partial")
    return (
        write_partial(place / "unknown", soft=request.param),
        write_partial(place / "negatives", soft=request.param, list_negatives=True),
        write_partial(place / "filled", soft=request.param, filled=True),
        request.param,
    )


def test_a_run_does_not_depend_on_how_unknown_entries_are_said(folders, tmp_path):
    """The weights after three epochs of D2ACE are equal to the bit; with unknown entries as 0 they are others."""
    unknown, negatives, filled, soft = folders
    found = []
    for folder in (unknown, negatives, filled):
        run = run_of(folder, tmp_path)
        for epoch in range(3):
            run.epoch(epoch)
        probabilities, labels = run.predict("validation")
        assert np.isfinite(probabilities).all()
        found.append((probabilities, labels, run.metrics(probabilities, labels)))
    truth = partial_labels(soft)[1][run.data.splits.validation]
    np.testing.assert_array_equal(found[0][1], truth)
    np.testing.assert_array_equal(found[1][1], truth)
    np.testing.assert_array_equal(found[0][0], found[1][0])
    assert found[0][2] == found[1][2] == evaluate_predictions(found[0][0], truth)
    assert not np.array_equal(found[0][0], found[2][0])


def test_a_label_that_no_training_row_knows_keeps_its_initial_weights(folders, tmp_path):
    unknown, _, filled, _ = folders
    settings = ("optimizer.weight_decay=0", "selector.name=uniform", "selector.options={}")
    moved = []
    for folder in (unknown, filled):
        run = run_of(folder, tmp_path, *settings)
        head = [layer for layer in run.training.learner.model.modules() if isinstance(layer, torch.nn.Linear)][-1]
        before = head.weight.detach().clone(), head.bias.detach().clone()
        run.epoch(0)
        changes = [(b - a).abs() for b, a in zip(before, (head.weight, head.bias), strict=True)]
        moved.append(changes[0][UNTRAINED].sum() + changes[1][UNTRAINED])
        assert changes[0][0].sum() > 0
    assert moved[0] == 0 and moved[1] > 0


def test_priors_are_over_known_rows():
    context = ModelContext(3, (2,), (2, 0, 3), 10, known_counts=(4, 0, 10))
    expected = [(2 + 1) / (4 + 2), (0 + 1) / (0 + 2), (3 + 1) / (10 + 2)]
    torch.testing.assert_close(torch.sigmoid(prior_logits(context)), torch.tensor(expected))


def test_the_network_is_built_for_known_rows(folders, tmp_path):
    unknown, _, filled, soft = folders
    run = run_of(unknown, tmp_path)
    labels = partial_labels(soft)[1][run.data.splits.train]
    assert run.data.context.known_counts == tuple((~np.isnan(labels)).sum(axis=0))
    assert run.data.context.label_counts == tuple((labels >= 0.5).sum(axis=0))
    assert run_of(filled, tmp_path).data.context.known_counts is None


def test_networks_that_need_complete_labels_are_refused_before_anything_starts(folders, tmp_path):
    unknown = folders[0]
    assert [name for name in models.names() if not models.get(name).entrywise] == COMPLETE_ONLY
    for name in COMPLETE_ONLY:
        config = small_config(unknown, tmp_path / "runs", "model.options={}", f"model.name={name}")
        with pytest.raises(ConfigError, match=f"unknown labels .* network '{name}' has .*: clif, .*mlp"):
            fit(config)
    assert not list(tmp_path.iterdir())
    check_data(small_config(unknown, tmp_path), Manifest.load(unknown))


def test_a_policy_that_could_do_nothing_with_unknown_entries_is_refused_before_training(folders, tmp_path):
    entries = 'selector.entries={"policy": "reject", "options": {"release": 1, "expected": 0.2}}'
    with pytest.raises(SelectionError, match=r"policy 'reject' weighs the losses of suspects, .* which have no loss"):
        run_of(folders[0], tmp_path, entries)
    run_of(folders[2], tmp_path, entries)


def test_the_label_graph_counts_known_rows(folders, tmp_path):
    """CLIF's graph holds P(i | j) among the rows with label j in which i is known; checked pair by pair."""
    unknown, _, _, soft = folders
    run = run_of(unknown, tmp_path, "model.name=clif", "model.options={}", "train.epochs=1")
    labels = partial_labels(soft)[1][run.data.splits.train]
    graph = run.training.learner.model.adjacency.numpy()

    def share(i, j):
        found = [row[i] >= 0.5 for row in labels if row[j] >= 0.5 and not np.isnan(row[i])]
        return np.mean(found) if found else 0.0

    for i in range(labels.shape[1]):
        for j in range(i):
            assert graph[i, j] == pytest.approx((share(i, j) + share(j, i)) / 2, rel=1e-5)
    run.epoch(0)
    probabilities, truth = run.predict("validation")
    assert np.isfinite(probabilities).all() and np.isfinite(list(run.metrics(probabilities, truth).values())).any()


def test_the_doctor_measures_selection_on_them(folders, tmp_path):
    unknown = folders[0]
    labels = read_labels(Manifest.load(unknown))
    cost = measure_selection(small_config(unknown, tmp_path), labels)
    assert cost.rates["observe"].rows >= labels.shape[0] / 2 and cost.state_bytes > 0
