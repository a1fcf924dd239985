"""Forms of distillation against their definitions, and where each is least."""

import math

import pytest
import torch

from d2ace.pipeline.models.old_class_losses import FORMS, Confidence


def slow(form: str, p: float, q: float, a: float, share: float) -> float:
    a = a * share if form == "task-adaptive" else a
    w = math.exp(-a * q)
    positive, negative = {"kd": (1, 1), "full-decay": (w, w)}.get(form, (w, 1))
    return -(positive * q * math.log(p) + negative * (1 - q) * math.log(1 - p))


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_its_formula(form):
    q, p = (torch.rand(6, 4, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    got = FORMS[form](torch.logit(p), q, Confidence(1.5, 0.6))
    expected = [
        [slow(form, *pair, 1.5, 0.6) for pair in zip(*rows, strict=True)]
        for rows in zip(p.tolist(), q.tolist(), strict=True)
    ]
    torch.testing.assert_close(got, torch.tensor(expected), rtol=1e-4, atol=1e-5)


OPTIMA = [
    ("kd", 1.0, 1.0, 0.9),
    ("full-decay", 1.0, 1.0, 0.9),
    ("full-decay", 2.0, 1.0, 0.9),
    ("positive-decay", 0.0, 1.0, 0.9),
    ("positive-decay", 1.0, 1.0, 0.785),
    ("positive-decay", 2.0, 1.0, 0.598),
    ("task-adaptive", 2.0, 0.5, 0.785),
    ("task-adaptive", 2.0, 1.0, 0.598),
]


@pytest.mark.parametrize(("form", "a", "share", "expected"), OPTIMA)
def test_a_form_is_least_where_its_formula_says(form, a, share, expected):
    """The optimum of a positive weight w against a negative weight v is w q / (w q + v (1 - q)); q is 0.9."""
    p = torch.linspace(0.001, 0.999, 9_981, dtype=torch.float64)
    loss = FORMS[form](torch.logit(p), torch.full_like(p, 0.9), Confidence(a, share))
    assert float(p[loss.argmin()]) == pytest.approx(expected, abs=6e-4)


@pytest.mark.parametrize("form", FORMS)
def test_a_form_stays_finite_with_a_finite_gradient(form):
    logits = torch.tensor([[-1e4, -50.0, 0.0, 50.0, 1e4]] * 3, requires_grad=True)
    loss = FORMS[form](logits, torch.tensor([[0.0], [0.5], [1.0]]).expand(3, 5), Confidence())
    loss.sum().backward()
    assert torch.isfinite(loss).all()
    assert torch.isfinite(logits.grad).all()
