"""Optimisers by name, and a schedule that is a function of the step alone."""

import io
from itertools import pairwise

import pytest
import torch
from torch.nn import Parameter

from d2ace.pipeline.errors import ConfigError
from d2ace.pipeline.optim import OPTIMIZERS, build_optimizer, build_scheduler


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


def test_no_warm_up_starts_at_the_full_rate():
    assert rates(2, warmup_steps=0, total_steps=2) == [2.0, 2.0]


@pytest.mark.parametrize("kind", ["constant", "cosine"])
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
