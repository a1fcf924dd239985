"""Optimisers by name, and a schedule that is a function of the step alone."""

import io
from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.nn import Parameter
from torch.optim.lr_scheduler import OneCycleLR

from d2ace.pipeline.common.errors import ConfigError
from d2ace.pipeline.models.api import ModelContext, MultiLabelModel, Output
from d2ace.pipeline.training.optim import OPTIMIZERS, build_optimizer, build_scheduler, parameter_groups


def rates(steps, **settings):
    optimizer = build_optimizer([Parameter(torch.zeros(1))], name="sgd", lr=2.0)
    scheduler = build_scheduler(optimizer, **settings)
    seen = []
    for _ in range(steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return seen


def test_warm_up_is_linear_and_then_constant():
    assert rates(6, warmup_steps=4, total_steps=6) == pytest.approx([0.5, 1.0, 1.5, 2.0, 2.0, 2.0])


def test_cosine_falls_to_zero_at_the_end_and_stays_there():
    seen = rates(12, kind="cosine", warmup_steps=2, total_steps=10)
    assert seen[:3] == pytest.approx([1.0, 2.0, 2.0])
    assert seen[6] == pytest.approx(1.0)
    assert seen[10:] == pytest.approx([0.0, 0.0], abs=1e-12)
    assert all(a >= b for a, b in pairwise(seen[2:]))


@pytest.mark.parametrize(("warmup", "total"), [(3, 10), (30, 100), (2, 7), (10, 10)])
def test_one_cycle_is_torchs(warmup, total):
    optimizer = torch.optim.SGD([Parameter(torch.zeros(1))], lr=2.0)
    theirs = OneCycleLR(optimizer, max_lr=2.0, total_steps=total, pct_start=warmup / total, cycle_momentum=False)
    expected = []
    for _ in range(total):
        expected.append(theirs.get_last_lr()[0])
        optimizer.step()
        if len(expected) < total:
            theirs.step()
    assert rates(total, kind="onecycle", warmup_steps=warmup, total_steps=total) == pytest.approx(expected)


@pytest.mark.parametrize("warmup", [0, 1])
def test_one_cycle_without_a_rise_falls_from_the_full_rate(warmup):
    seen = rates(12, kind="onecycle", warmup_steps=warmup, total_steps=10)
    assert seen[warmup - 1 if warmup else 0] == pytest.approx(2.0, rel=0.05)
    assert all(a > b for a, b in pairwise(seen[:10]))
    assert seen[9:] == pytest.approx([2.0 / 25e4] * 3), "and stays down"


def test_no_warm_up_starts_at_the_full_rate():
    assert rates(2, warmup_steps=0, total_steps=2) == [2.0, 2.0]


@pytest.mark.parametrize("kind", ["constant", "cosine", "onecycle"])
def test_resuming_from_a_saved_state_continues_the_same_rates(kind):
    whole = rates(10, kind=kind, warmup_steps=3, total_steps=10)
    optimizer = build_optimizer([Parameter(torch.zeros(1))], name="sgd", lr=2.0)
    scheduler = build_scheduler(optimizer, kind=kind, warmup_steps=3, total_steps=10)
    for _ in range(4):
        optimizer.step()
        scheduler.step()
    file = io.BytesIO()
    torch.save({"optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict()}, file)
    file.seek(0)
    state = torch.load(file, weights_only=True)
    optimizer = build_optimizer([Parameter(torch.zeros(1))], name="sgd", lr=2.0)
    scheduler = build_scheduler(optimizer, kind=kind, warmup_steps=3, total_steps=10)
    optimizer.load_state_dict(state["optimizer"])
    scheduler.load_state_dict(state["scheduler"])
    continued = []
    for _ in range(6):
        continued.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert continued == whole[4:]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimiser_goes_downhill(name):
    parameter = Parameter(torch.tensor([3.0]))
    optimizer = build_optimizer([parameter], name=name, lr=0.1, weight_decay=1e-4)
    for _ in range(100):
        optimizer.zero_grad()
        (parameter**2).sum().backward()
        optimizer.step()
    assert parameter.abs().item() < 0.5


def test_momentum_reaches_sgd_and_frozen_parameters_are_left_out():
    free, frozen = Parameter(torch.zeros(1)), Parameter(torch.zeros(1), requires_grad=False)
    optimizer = build_optimizer([free, frozen], name="sgd", lr=0.1, momentum=0.5)
    assert optimizer.param_groups[0]["momentum"] == 0.5
    assert optimizer.param_groups[0]["params"] == [free]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "adan"}, "did you mean 'adam'"),
        ({"lr": 0.0}, "lr must be a finite number above 0, got 0.0"),
        ({"weight_decay": -1.0}, "weight_decay"),
        ({"momentum": 1.0}, "momentum"),
    ],
)
def test_refuses_bad_optimiser_settings(settings, message):
    with pytest.raises(ConfigError, match=message):
        build_optimizer([Parameter(torch.zeros(1))], **settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "cosin", "total_steps": 3}, "did you mean 'cosine'"),
        ({"warmup_steps": -1, "total_steps": 3}, "warmup_steps >= 0"),
        ({"total_steps": 0}, "total_steps >= 1"),
    ],
)
def test_refuses_bad_schedule_settings(settings, message):
    with pytest.raises(ConfigError, match=message):
        build_scheduler(build_optimizer([Parameter(torch.zeros(1))]), **settings)


class Layered(MultiLabelModel):
    """Three layers and a head; parameter k holds k."""

    name = "layered"
    layered = True

    def __init__(self):
        super().__init__(ModelContext(2, (3,), (1, 1), 4))
        self.layers = nn.ModuleList(nn.Linear(3, 3) for _ in range(3))
        self.norm = nn.LayerNorm(3)
        self.head = nn.Linear(3, 2)

    def layer_groups(self):
        first, second, third = (list(layer.parameters()) for layer in self.layers)
        return [first, second, [*third, *self.norm.parameters()], list(self.head.parameters())]

    def forward(self, features, labels=None):
        return Output(self.head(self.norm(features)))


class Flat(Layered):
    name = "flat"
    layered = False
    layer_groups = MultiLabelModel.layer_groups


def rate_of(model, **settings):
    groups = parameter_groups(model, lr=0.1, **settings)
    names = {id(p): name for name, p in model.named_parameters()}
    return {names[id(p)]: group["lr"] for group in groups for p in group["params"]}


def test_every_layer_has_the_rate_of_its_depth():
    model = Layered()
    found = rate_of(model, backbone_lr_factor=0.5, layer_decay=0.1)
    assert found.keys() == {name for name, _ in model.named_parameters()}
    expected = {"layers.0": 0.5e-4, "layers.1": 0.5e-3, "layers.2": 0.5e-2, "norm": 0.5e-2, "head": 0.1}
    for name, rate in found.items():
        assert rate == pytest.approx(expected[name.rpartition(".")[0]]), name


def test_the_rates_of_layers_are_kept_through_the_schedule():
    groups = parameter_groups(Layered(), lr=0.1, layer_decay=0.5)
    optimizer = build_optimizer(groups, name="sgd", lr=0.1)
    scheduler = build_scheduler(optimizer, warmup_steps=2, total_steps=4)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.00625, 0.0125, 0.025, 0.05])
    optimizer.step()
    scheduler.step()
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.0125, 0.025, 0.05, 0.1])


def test_without_differences_there_is_one_group_in_the_models_order():
    for model in (Flat(), Layered()):
        model.head.bias.requires_grad_(False)
        (group,) = parameter_groups(model, lr=0.1)
        expected = [p for p in model.parameters() if p.requires_grad]
        assert all(a is b for a, b in zip(group["params"], expected, strict=True))


def test_biases_and_normalisation_can_be_spared_weight_decay():
    model = Flat()
    groups = parameter_groups(model, lr=0.1, decay_biases=False)
    optimizer = build_optimizer(groups, name="sgd", lr=0.1, weight_decay=0.5)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for name, parameter in model.named_parameters():
        shrinks = name.endswith("weight") and not name.startswith("norm")
        torch.testing.assert_close(parameter.detach(), before[name] * (0.95 if shrinks else 1.0))


def test_rates_of_layers_need_layers():
    with pytest.raises(ConfigError, match="need a network with a backbone, got network 'flat'"):
        parameter_groups(Flat(), lr=0.1, layer_decay=0.9)
