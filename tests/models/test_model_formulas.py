"""Formulas of the networks against slow or independent computations."""

import numpy as np
import pytest
import torch
from torch.distributions import Normal
from torch.distributions import kl_divergence as torch_kl

from d2ace.pipeline import models
from d2ace.pipeline.common.errors import ConfigError
from d2ace.pipeline.models.api import ModelContext
from d2ace.pipeline.models.blocks import kl_divergence, sample
from d2ace.pipeline.models.c2ae import calibrated_ranking_loss
from d2ace.pipeline.models.clif import LabelNorm, label_graph
from d2ace.pipeline.models.dela import _gated, _noise_divergence, concrete_gates
from d2ace.pipeline.models.flows import LabelDensity, autoregressive_masks
from d2ace.pipeline.models.mpvae import ranking_loss

LABELS = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
CONTEXT = ModelContext(3, (6,), (3, 3, 0), 4, (LABELS.T @ LABELS).astype(float))


def draws(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_kl_divergence_is_that_of_torch():
    parameters = [draws(5, 4, seed=i) for i in range(4)]
    mean, log_variance, other_mean, other_log_variance = parameters
    expected = torch_kl(Normal(mean, (log_variance / 2).exp()), Normal(other_mean, (other_log_variance / 2).exp())).sum(
        1
    )
    torch.testing.assert_close(kl_divergence(*parameters), expected)


def test_samples_have_the_mean_and_variance_asked_for():
    torch.manual_seed(0)
    values = sample(torch.full((20000, 1), 3.0), torch.full((20000, 1), -1.0))
    assert values.mean().item() == pytest.approx(3.0, abs=0.02)
    assert values.var().item() == pytest.approx(np.exp(-1.0), rel=0.05)


def test_clif_graph_is_the_mean_conditional_frequency():
    expected = torch.tensor([[0, 2 / 3, 0], [2 / 3, 0, 0], [0, 0, 0]])
    torch.testing.assert_close(label_graph(CONTEXT, "cooccurrence"), expected)
    assert torch.equal(label_graph(CONTEXT, "identity"), torch.eye(3))
    with pytest.raises(ConfigError, match="needs the training labels' co-occurrence"):
        models.create("clif", ModelContext(3, (6,), (3, 3, 0), 4))
    models.create("clif", ModelContext(3, (6,), (3, 3, 0), 4), graph="identity", hidden=8)


def test_clif_graph_loss_pulls_embeddings_of_related_labels_together():
    torch.manual_seed(0)
    model = models.create("clif", CONTEXT, hidden=8)
    together = torch.tensor([[1.0, 0, 0], [1, 0.1, 0], [0, 0, 1]])
    apart = torch.tensor([[1.0, 0, 0], [-1, 0.1, 0], [0, 0, 1]])
    assert model._graph_loss(together) < model._graph_loss(apart)
    unit = torch.tensor([[1.0, 0, 0], [2 / 3, (5 / 9) ** 0.5, 0], [0, 0, 2.0]])
    assert model._graph_loss(unit).item() == pytest.approx(0.0, abs=1e-12)


def test_clif_normalises_over_labels_as_batch_normalisation_in_training():
    values = draws(7, 3)
    expected = torch.nn.BatchNorm1d(3)(values)
    norm = LabelNorm(3)
    torch.testing.assert_close(norm(values), expected)
    torch.testing.assert_close(norm.eval()(values), expected)
    assert torch.equal(norm(values[:1]), values[:1])


def test_concrete_gates_are_hard_open_as_often_as_they_say_and_pass_a_gradient():
    torch.manual_seed(0)
    logits = torch.full((20000, 1), 1.0, requires_grad=True)
    gates = concrete_gates(logits)
    assert set(gates.unique().tolist()) == {0.0, 1.0}
    assert gates.mean().item() == pytest.approx(torch.sigmoid(torch.tensor(1.0)).item(), abs=0.01)
    gates.sum().backward()
    assert (logits.grad > 0).all()


def test_dela_divergence_is_the_mean_over_labels_of_a_gaussian_kl():
    code, log_variance = draws(4, 5), draws(4, 5, seed=1)
    gates = torch.rand(3, 5, generator=torch.Generator().manual_seed(2)) + 0.1
    slow = []
    for row in range(4):
        terms = [torch_kl(Normal(code[row], (log_variance[row] / 2).exp() * g), Normal(0.0, 1.0)).sum() for g in gates]
        slow.append(torch.stack(terms).mean())
    torch.testing.assert_close(_noise_divergence(code, log_variance, gates), torch.stack(slow), rtol=1e-4, atol=1e-4)


def test_dela_with_closed_gates_predicts_as_in_evaluation():
    torch.manual_seed(0)
    model = models.create("dela", CONTEXT, dropout=0.0)
    features = torch.rand(4, 6)
    code, log_variance = model.encoder(features)
    noise = torch.exp(0.5 * log_variance)
    closed = model._noisy_logits(features, code, torch.zeros(3, code.shape[1]), noise)
    torch.testing.assert_close(closed, model.eval()(features).logits)
    opened = model._noisy_logits(features, code, torch.eye(3), noise)
    assert (opened - closed).abs().max() > 1e-3


def test_dela_gates_noise_or_weights_with_the_same_result():
    noise, gates, weight = draws(7, 4), draws(3, 4, seed=1), draws(5, 4, seed=2).requires_grad_()
    expected = torch.einsum("bd,ld,hd->blh", noise, gates, weight)
    for rows in (2, 7):  # fewer and more than the 5 units
        torch.testing.assert_close(_gated(noise[:rows], gates, weight), expected[:rows])
        (gradient,) = torch.autograd.grad(_gated(noise[:rows], gates, weight).square().sum(), weight)
        (known,) = torch.autograd.grad(expected[:rows].square().sum(), weight, retain_graph=True)
        torch.testing.assert_close(gradient, known)


def test_the_width_of_dela_is_that_of_its_layers_and_must_be_possible():
    model = models.create("dela", CONTEXT, hidden=16)
    shapes = {name: tuple(weights.shape) for name, weights in model.named_parameters()}
    assert [shapes[f"encoder.body.{layer}.weight"] for layer in (0, 3, 6)] == [(16, 6), (32, 16), (16, 32)]
    assert shapes["decoder_first.0.weight"] == (16, 9) and shapes["decoder_second.0.weight"] == (32, 16)
    assert shapes["heads"] == (3, 32)
    assert models.create("dela", CONTEXT).heads.shape == (3, 512)
    with pytest.raises(ConfigError, match=r"hidden.*0"):
        models.create("dela", CONTEXT, hidden=0)


def test_flow_densities_integrate_to_one():
    torch.manual_seed(0)
    density = LabelDensity(2, 2, hidden=16, units=4)
    with torch.no_grad():
        density.log_scale.normal_(0, 0.3)
        density.shift.normal_()
    edge = torch.linspace(-30, 30, 601)
    points = torch.cartesian_prod(edge, edge)
    with torch.no_grad():
        mass = density(points, slice(0, 2)).double().exp().sum(0) * 0.1**2
    torch.testing.assert_close(mass, torch.ones(2, dtype=torch.float64), rtol=0, atol=0.02)


def test_flow_densities_differ_by_label_and_slices_agree_with_the_whole():
    torch.manual_seed(0)
    density = LabelDensity(5, 3)
    code = draws(4, 3)
    whole = density(code, slice(0, 5))
    torch.testing.assert_close(density(code, slice(2, 4)), whole[:, 2:4])
    assert whole.std(dim=1).min() > 1e-4


def test_flow_stays_finite_far_out():
    torch.manual_seed(0)
    code = torch.tensor([[1e3, -1e3, 0.0]], requires_grad=True)
    value = LabelDensity(2, 3)(code, slice(0, 2))
    value.sum().backward()
    assert torch.isfinite(value).all()
    assert torch.isfinite(code.grad).all()


@pytest.mark.parametrize(("latent", "hidden"), [(1, 4), (3, 7), (9, 4)])
def test_masks_let_a_dimension_see_only_those_before_it(latent, hidden):
    inner, outer = autoregressive_masks(latent, hidden, 2)
    assert outer.shape == (latent * 2, hidden)
    paths = (outer @ inner).view(latent, 2, latent).sum(1)
    assert torch.equal(paths, paths.tril(-1))
    assert outer.sum(1).min() > 0, "every dimension sees the label at least"


def test_mpvae_prediction_is_the_limit_of_the_probit_samples():
    torch.manual_seed(0)
    model = models.create("mpvae", CONTEXT, rank=2).eval()
    with torch.no_grad():
        model.residual.copy_(draws(3, 2))
        features = torch.rand(4, 6)
        latent = model.decoder(torch.cat([features, model.encoder(features)[0]], dim=1))
        noise = torch.randn(200_000, 2)
        sampled = torch.stack([torch.special.ndtr(row + noise @ model.residual.T).mean(0) for row in latent])
        torch.testing.assert_close(model(features).logits.sigmoid(), sampled, rtol=0, atol=5e-3)


def slow_pairs(probabilities, labels):
    pairs = [
        (a, b)
        for a, x in zip(probabilities, labels, strict=True)
        if x
        for b, y in zip(probabilities, labels, strict=True)
        if not y
    ]
    return np.mean([np.exp(-5 * (a - b)) / 5 for a, b in pairs]) if pairs else 0.0


def test_ranking_loss_is_the_mean_over_pairs():
    probabilities = torch.sigmoid(draws(5, 4))
    labels = torch.tensor([[1, 0, 0, 1], [1, 1, 1, 1], [0, 0, 0, 0], [0, 1, 0, 0], [1, 1, 1, 0.0]])
    expected = torch.tensor([slow_pairs(p.tolist(), y.tolist()) for p, y in zip(probabilities, labels, strict=True)])
    torch.testing.assert_close(ranking_loss(probabilities, labels), expected.float())


def test_c2ae_calibration_tells_which_side_of_a_half_is_right():
    labels = torch.tensor([[1.0, 0.0]])
    around_half = calibrated_ranking_loss(torch.tensor([[0.7, 0.3]]), labels)
    above_half = calibrated_ranking_loss(torch.tensor([[0.95, 0.55]]), labels)
    assert around_half < above_half, "the same difference, but one side of 0.5"
    nothing = torch.zeros(1, 2)
    low = calibrated_ranking_loss(torch.tensor([[0.1, 0.1]]), nothing)
    assert low < calibrated_ranking_loss(torch.tensor([[0.9, 0.9]]), nothing), "rows without labels count too"


def test_c2ae_features_learn_only_to_agree_with_the_label_code():
    torch.manual_seed(0)
    model = models.create("c2ae", CONTEXT, hidden=[8], correlation_weight=0.0)
    features, labels = torch.rand(4, 6), torch.tensor(LABELS).float()
    output = model(features, labels)
    agreement = ((model.encoder(features) - model.label_encoder(labels)) ** 2).mean(1)
    wanted = torch.autograd.grad(agreement.sum(), list(model.encoder.parameters()))
    got = torch.autograd.grad(output.row_loss.sum(), list(model.encoder.parameters()))
    assert all(torch.equal(a, b) for a, b in zip(wanted, got, strict=True))
