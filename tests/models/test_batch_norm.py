"""Batch normalisation against torch's own, and its running statistics over micro-batches."""

import copy

import pytest
import torch
from torch import nn

from d2ace.pipeline.common.errors import ConfigError
from d2ace.pipeline.models.batch_norm import (
    KINDS,
    FrozenBatchNorm,
    MicroBatchNorm,
    RunningStatistics,
    micro_batch_layers,
    replace_batch_norm,
)


def network():
    torch.manual_seed(0)
    layers = nn.Sequential(
        nn.Conv2d(3, 6, 3),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.Sequential(nn.Conv2d(6, 4, 3), nn.BatchNorm2d(4, 1e-3, 0.3)),
    )
    for layer in layers.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for tensor in (layer.weight, layer.bias, layer.running_mean, layer.running_var):
                nn.init.uniform_(tensor, 0.5, 1.5)
    return layers


def replaced(kind):
    layers = network()
    replace_batch_norm(layers, kind)
    return layers


def images(rows=12, seed=1):
    return torch.rand(rows, 3, 8, 8, generator=torch.Generator().manual_seed(seed))


def test_micro_batches_move_the_statistics_as_torch_does_one_after_the_other():
    ours, theirs = replaced("batch"), network()
    statistics = RunningStatistics(ours, 3)
    for seed in (1, 2):
        for number, part in enumerate(images(seed=seed).split(4)):
            torch.testing.assert_close(ours(part), theirs(part))
            statistics.take(number)
        statistics.apply()
    state = theirs.state_dict()
    assert ours.state_dict().keys() == state.keys()
    for name, tensor in ours.state_dict().items():
        torch.testing.assert_close(tensor, state[name], msg=name)
    ours.eval(), theirs.eval()
    torch.testing.assert_close(ours(images(seed=3)), theirs(images(seed=3)))


def test_a_forward_pass_alone_changes_no_state_and_gradients_are_torchs():
    ours, theirs = replaced("batch"), network()
    before = {name: tensor.clone() for name, tensor in ours.state_dict().items()}
    for layers in (ours, theirs):
        layers(images()).square().sum().backward()
    assert all(torch.equal(tensor, before[name]) for name, tensor in ours.state_dict().items())
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad)


def test_the_order_is_that_of_the_numbers_and_missing_ones_do_not_count():
    results = []
    for order in ([0, 1, 3], [3, 0, 1]):
        layers = replaced("batch")
        statistics = RunningStatistics(layers, 4)
        for number in order:
            layers(images(seed=number))
            statistics.take(number)
        statistics.apply()
        results.append(layers.state_dict())
    assert all(torch.equal(tensor, results[1][name]) for name, tensor in results[0].items())
    assert results[0]["1.num_batches_tracked"] == 3
    before = {name: tensor.clone() for name, tensor in results[1].items()}
    statistics.apply()
    assert all(torch.equal(tensor, before[name]) for name, tensor in layers.state_dict().items()), "applied twice"


def test_a_step_that_overflows_does_not_spoil_the_statistics():
    layers = replaced("batch")
    statistics = RunningStatistics(layers, 1)
    before = {name: tensor.clone() for name, tensor in layers.state_dict().items() if "running" in name}
    layers(torch.full((4, 3, 8, 8), torch.inf))
    statistics.take(0)
    statistics.apply()
    assert all(torch.equal(layers.state_dict()[name], tensor) for name, tensor in before.items())


def test_frozen_uses_the_running_statistics_in_training_and_trains_scale_and_shift():
    frozen, plain = replaced("frozen"), network().eval()
    torch.testing.assert_close(frozen.train()(images()), plain(images()))
    frozen(images()).sum().backward()
    assert frozen[1].weight.grad is not None
    assert all(isinstance(frozen[i], FrozenBatchNorm) for i in (1,))
    assert frozen.state_dict().keys() == plain.state_dict().keys()


def test_group_normalises_each_image_alone():
    layers = replaced("group")
    assert not [m for m in layers.modules() if isinstance(m, nn.BatchNorm2d)]
    assert layers[1].num_groups == 2, "the most of 32 groups that 6 channels can be cut into"
    torch.testing.assert_close(layers(images())[:3], layers(images()[:3]))
    torch.testing.assert_close(layers[1].weight, network()[1].weight)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_statistics_are_float32_under_autocast(dtype):
    layers = replaced("batch")
    with torch.autocast("cpu", dtype):
        layers(images())
    seen = [layer.seen for layer in micro_batch_layers(layers)]
    assert all(isinstance(layer, MicroBatchNorm) for layer in micro_batch_layers(layers))
    assert [s.dtype for s in seen] == [torch.float32] * 2
    assert all(torch.isfinite(s).all() for s in seen)


class Activated(nn.BatchNorm2d):
    """What timm calls BatchNormAct2d."""

    def __init__(self, features):
        super().__init__(features)
        self.drop, self.act = nn.Identity(), nn.PReLU(features)
        nn.init.uniform_(self.running_mean, 0.2, 0.8)

    def forward(self, maps):
        return self.act(self.drop(super().forward(maps)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_with_an_activation_keeps_it(kind):
    torch.manual_seed(0)
    theirs = nn.Sequential(nn.Conv2d(3, 6, 3), Activated(6)).eval()
    ours = copy.deepcopy(theirs)
    replace_batch_norm(ours, kind)
    statistics = {"running_mean", "running_var", "num_batches_tracked"} if kind == "group" else set()
    assert ours.state_dict().keys() == {k for k in theirs.state_dict() if k.rpartition(".")[2] not in statistics}
    maps = ours.eval()(images())
    assert (maps < 0).any()
    if kind != "group":
        torch.testing.assert_close(maps, theirs(images()))
    else:
        normalised = nn.functional.group_norm(ours[0](images()), 2, ours[1].weight, ours[1].bias)
        torch.testing.assert_close(maps, theirs[1].act(normalised))


@pytest.mark.parametrize("kind", ["frozen", "batch"])
def test_layers_of_one_dimension_are_replaced_too(kind):
    theirs, values = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6)), torch.rand(8, 4)
    ours = copy.deepcopy(theirs)
    replace_batch_norm(ours, kind)
    ours.train()(values)
    assert torch.equal(ours[1].running_mean, torch.zeros(6))  # no forward pass moves it
    torch.testing.assert_close(ours.eval()(values), theirs.eval()(values))
    assert type(ours[1]).__name__ in ("FrozenBatchNorm", "MicroBatchNorm")


def test_a_layer_that_does_something_unknown_is_refused():
    class Odd(nn.BatchNorm2d):
        def forward(self, maps):
            return 2 * super().forward(maps)

    with pytest.raises(ConfigError, match="normalises by a Odd, for which no batch_norm is known"):
        replace_batch_norm(nn.Sequential(Odd(3)), "frozen")
