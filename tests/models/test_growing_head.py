"""A network that grows by labels: the old ones keep weights and logits, the order of the new ones does not matter."""

import pytest
import torch

from d2ace.pipeline import models
from d2ace.pipeline.common.errors import ConfigError
from d2ace.pipeline.models.api import ModelContext
from d2ace.pipeline.models.growing_head import grow

TABLE, IMAGE = (5,), (1, 16, 16)


def network(name, labels, seed=0, shape=None, **options):
    torch.manual_seed(seed)
    shape = shape or (IMAGE if name == "small-cnn" else TABLE)
    return models.create(name, ModelContext(labels, shape, (3,) * labels, 10), **options).eval()


NETWORKS = [("mlp", {"hidden": (8,)}), ("mlp", {"hidden": ()}), ("small-cnn", {"widths": (8, 8, 8)})]


@pytest.mark.parametrize(("name", "options"), NETWORKS)
def test_old_labels_keep_their_logits_and_new_ones_their_own_start(name, options):
    old, new = network(name, 3, **options), network(name, 7, seed=1, **options)
    fresh = {key: value.clone() for key, value in new.state_dict().items()}
    grow(new, old.state_dict())
    rows = torch.rand(4, *(IMAGE if name == "small-cnn" else TABLE))
    with torch.no_grad():
        torch.testing.assert_close(new(rows).logits[:, :3], old(rows).logits, rtol=1e-6, atol=1e-6)
    for tensor, value in new.state_dict().items():
        before = old.state_dict()[tensor]
        assert torch.equal(value[: len(before)], before)
        assert torch.equal(value[len(before) :], fresh[tensor][len(before) :])


def test_in_which_steps_a_network_grows_does_not_matter_to_old_labels():
    options = {"hidden": (8,)}
    start = network("mlp", 2, **options)
    at_once, slowly, between = (network("mlp", labels, seed=1, **options) for labels in (7, 7, 4))
    grow(at_once, start.state_dict())
    grow(between, start.state_dict())
    grow(slowly, between.state_dict())
    for tensor, value in start.state_dict().items():
        assert torch.equal(at_once.state_dict()[tensor][: len(value)], slowly.state_dict()[tensor][: len(value)])


def test_a_query_head_grows_while_each_label_has_a_query():
    pytest.importorskip("transformers")
    resnet = {"embedding_size": 8, "hidden_sizes": [8], "depths": [1], "layer_type": "basic"}
    options = {"architecture": "resnet", "config": resnet, "head": "query", "batch_norm": "group"}

    def made(labels, queries):
        head = {"width": 8, "attention_heads": 2, "queries": queries}
        return network("huggingface", labels, shape=(1, 8, 8), **options, head_options=head)

    old, new = made(3, 6), made(6, 6)
    grow(new, old.state_dict())
    rows = torch.rand(2, 1, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(new(rows).logits[:, :3], old(rows).logits, rtol=1e-5, atol=1e-6)
    with pytest.raises(ConfigError, match=r"head_options\.queries of at least the number of all labels"):
        grow(made(6, 3), made(3, 3).state_dict())


@pytest.mark.parametrize(
    ("old", "message"),
    [
        (("mlp", 3, {"hidden": (9,)}), "cannot grow by labels: 'layers.0.weight' has shape"),
        (("mlp", 8, {"hidden": (8,)}), r"'layers.3.weight' has shape \(8, 8\) and would have \(7, 8\)"),
        (("mlp", 3, {"hidden": ()}), "are of another network: 'layers.3.bias' is in one of them only"),
        (("clif", 3, {"hidden": 8}), "are of another network"),
    ],
)
def test_weights_that_do_not_fit_are_refused(old, message):
    name, labels, options = old
    options = {**options, "graph": "identity"} if name == "clif" else options
    with pytest.raises(ConfigError, match=message):
        grow(network("mlp", 7, hidden=(8,)), network(name, labels, **options).state_dict())


def test_a_network_whose_body_knows_the_number_of_labels_cannot_grow():
    options = {"hidden": 8, "graph": "identity"}
    with pytest.raises(ConfigError, match="network 'clif' cannot grow by labels"):
        grow(network("clif", 5, **options), network("clif", 3, **options).state_dict())
