"""Entry losses against their definitions, where those are stable, and far outside."""

import math

import pytest
import torch

from d2ace.pipeline.common.errors import ConfigError
from d2ace.pipeline.models import losses
from d2ace.pipeline.models.losses import Criterion, check_options, entry_losses, row_losses


def draw(seed=0, shape=(6, 4)):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator) * 2, (torch.rand(shape, generator=generator) < 0.4).float()


def slow_asl(z, y, gamma_neg, gamma_pos, clip):
    p = 1 / (1 + math.exp(-z))
    if y:
        return -((1 - p) ** gamma_pos) * math.log(p)
    q = max(p - clip, 0)
    return -(q**gamma_neg) * math.log(1 - q)


def test_bce_is_minus_the_log_probability_of_the_truth():
    logits, labels = draw()
    p = logits.double().sigmoid()
    expected = -torch.where(labels == 1, p, 1 - p).log()
    torch.testing.assert_close(entry_losses(logits, labels).double(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("gammas", [(4, 1, 0.05), (2, 0, 0.2), (0, 0, 0.0), (3, 2, 0.0)])
def test_asl_is_the_papers_formula(gammas):
    logits, labels = draw()
    got = Criterion("asl", {"gamma_neg": gammas[0], "gamma_pos": gammas[1], "clip": gammas[2]})(logits, labels)
    expected = [
        [slow_asl(z, y, *gammas) for z, y in zip(*row, strict=True)] for row in zip(logits, labels, strict=True)
    ]
    torch.testing.assert_close(got, torch.tensor(expected), rtol=1e-4, atol=1e-6)


def test_asl_is_what_the_authors_program_computes():
    """Their form: the probability of a negative is shifted, and one weight (1 - p_t) ** gamma covers both cases."""
    logits, y = draw(seed=3, shape=(50, 8))
    p = torch.sigmoid(logits.double())
    q = (1 - p + 0.05).clamp(max=1)
    weight = (1 - p * y - q * (1 - y)) ** (1.0 * y + 4.0 * (1 - y))
    expected = -weight * (y * torch.log(p) + (1 - y) * torch.log(q))
    torch.testing.assert_close(Criterion("asl")(logits, y).double(), expected, rtol=1e-4, atol=1e-6)


def test_negative_weight_multiplies_the_loss_of_negatives():
    logits, labels = draw()
    expected = entry_losses(logits, labels) * torch.where(labels == 1, 1.0, 3.0)
    torch.testing.assert_close(Criterion("negative-weight", {"eta": 3})(logits, labels), expected)


def test_positive_focus_takes_positives_that_are_predicted_well_out():
    logits, labels = draw()
    expected = entry_losses(logits, labels) * torch.where(labels == 1, (1 - logits.sigmoid()) ** 1.5, 1.0)
    torch.testing.assert_close(Criterion("positive-focus", {"gamma": 1.5})(logits, labels), expected)


@pytest.mark.parametrize(("kind", "options"), [("negative-weight", {"eta": 1}), ("positive-focus", {"gamma": 0})])
def test_a_loss_that_stresses_negatives_without_stress_is_bce(kind, options):
    logits, labels = draw()
    torch.testing.assert_close(Criterion(kind, options)(logits, labels), entry_losses(logits, labels))


def test_asl_without_focus_is_bce():
    logits, labels = draw()
    plain = Criterion("asl", {"gamma_neg": 0, "gamma_pos": 0, "clip": 0})(logits, labels)
    torch.testing.assert_close(plain, entry_losses(logits, labels))


@pytest.mark.parametrize(
    ("kind", "options"),
    [("bce", {}), ("asl", {}), ("asl", {"gamma_neg": 0.5, "gamma_pos": 0.5}), ("asl", {"clip": 0, "gamma_neg": 0.5})],
)
def test_stays_finite_with_a_finite_gradient_for_huge_logits(kind, options):
    logits = torch.tensor([[-1e4, -100.0, 0.0, 100.0, 1e4]] * 2, requires_grad=True)
    labels = torch.tensor([[0.0] * 5, [1.0] * 5])
    entry = Criterion(kind, options)(logits, labels)
    entry.sum().backward()
    assert torch.isfinite(entry).all()
    assert torch.isfinite(logits.grad).all()
    assert entry[1, 0].item() == pytest.approx(1e4)


def test_bce_of_a_confident_mistake_is_its_logit():
    assert entry_losses(torch.tensor([[80.0]]), torch.tensor([[0.0]])).item() == pytest.approx(80.0)


@pytest.mark.parametrize("kind", losses.names())
def test_computes_in_float32_under_autocast_and_for_half_logits(kind):
    logits, labels = draw()
    logits = logits.bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        got = Criterion(kind)(logits, labels.bool())
    assert got.dtype == torch.float32
    assert torch.equal(got, Criterion(kind)(logits.float(), labels))


def test_row_loss_is_the_mean_over_labels():
    assert row_losses(torch.tensor([[1.0, 2.0], [0.0, 5.0]])).tolist() == [1.5, 2.5]


def test_refuses_shapes_that_differ():
    with pytest.raises(ValueError, match=r"\(3, 2\) but labels are \(3, 1\)"):
        entry_losses(torch.zeros(3, 2), torch.zeros(3, 1))


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("bec", {}, "no loss is called 'bec'; did you mean 'bce'"),
        ("asl", {"gama_neg": 1}, "did you mean 'gamma_neg'"),
        ("bce", {"clip": 0.1}, "loss 'bce' has no setting 'clip'; known: none"),
        ("asl", {"clip": 1.0}, "at least 0 and below 1, got 1.0"),
        ("asl", {"gamma_neg": -1}, "at least 0, got -1"),
        ("asl", {"gamma_pos": "2"}, "must be a number"),
    ],
)
def test_refuses_unknown_names_and_values_out_of_range(kind, options, message):
    with pytest.raises(ConfigError, match=message):
        check_options(kind, options)
    with pytest.raises(ConfigError, match=message):
        Criterion(kind, options)


@pytest.mark.parametrize("kind", losses.names())
def test_an_unknown_entry_has_no_loss_and_no_gradient_and_moves_no_other(kind):
    logits, labels = draw(shape=(8, 5))
    unknown = torch.zeros_like(labels, dtype=torch.bool)
    unknown[torch.arange(8), torch.arange(8) % 5] = True
    given = labels.masked_fill(unknown, torch.nan)
    planted = logits.masked_fill(unknown, 50.0)  # the largest losses, and the surest positives, of all
    for epoch in (100, 400):  # LL-R takes a fifth of the batch for wrong, as much as is unknown, and then all negatives
        for scores in (logits, planted):
            scores.grad = None
            scores.requires_grad_()
            found = Criterion(kind)(scores, given, epoch)
            found.sum().backward()
            assert (found[unknown] == 0).all() and (scores.grad[unknown] == 0).all()
            assert (scores.grad[~unknown] != 0).any() and found.isfinite().all()
        assert torch.equal(Criterion(kind)(logits, given, epoch), Criterion(kind)(planted, given, epoch))


def test_a_soft_label_lies_between_the_two():
    logits, _ = draw()
    no, half, yes = (entry_losses(logits, torch.full_like(logits, value)) for value in (0.0, 0.25, 1.0))
    torch.testing.assert_close(half, 0.75 * no + 0.25 * yes)


def test_hill_is_the_papers_formula():
    logits, labels = draw()
    got = Criterion("hill")(logits, labels)
    for z, y, loss in zip(logits.flatten().tolist(), labels.flatten().tolist(), got.flatten().tolist(), strict=True):
        p, q = 1 / (1 + math.exp(-z)), 1 / (1 + math.exp(1 - z))
        assert loss == pytest.approx(-((1 - q) ** 2) * math.log(q) if y else (1.5 - p) * p**2, rel=1e-4)


@pytest.mark.parametrize("epoch", [0, 1])
def test_splc_corrects_what_the_network_is_sure_of_from_the_second_epoch_on(epoch):
    logits, labels = draw()
    got = Criterion("splc")(logits, labels, epoch)
    corrected = 0
    for z, y, loss in zip(logits.flatten().tolist(), labels.flatten().tolist(), got.flatten().tolist(), strict=True):
        p, q = 1 / (1 + math.exp(-z)), 1 / (1 + math.exp(1 - z))
        sure = epoch >= 1 and not y and p > 0.6
        corrected += sure
        negative = -(p**2) * math.log(1 - p)
        positive = -((1 - q) ** 2) * math.log(q) if y else -((1 - p) ** 2) * math.log(p)  # a margin for given ones only
        assert loss == pytest.approx(positive if y or sure else negative, rel=1e-4)
    assert (corrected > 0) == (epoch == 1)


@pytest.mark.parametrize("kind", ["ll-r", "ll-ct"])
def test_the_share_of_large_losses_is_one_of_the_known_entries(kind):
    logits = torch.randn(32, 20, generator=torch.Generator().manual_seed(0))
    negative = torch.zeros(32, 20)
    for known in (20, 10, 6):
        given = negative.clone()
        given[:, known:] = torch.nan
        found = Criterion(kind, {"rise": 0.1})(logits, given, 3)
        changed = (found != entry_losses(logits, negative))[:, :known]
        assert changed.float().mean() == pytest.approx(0.3, abs=1 / (32 * known))


@pytest.mark.parametrize(
    ("kind", "epoch", "count"), [("ll-r", 0, 0), ("ll-r", 5, 3), ("ll-ct", 5, 3), ("ll-ct", 999, 15)]
)
def test_large_losses_of_negatives_are_left_out_or_turned_round(kind, epoch, count):
    logits, labels = draw()
    plain = entry_losses(logits, labels)
    got = Criterion(kind, {"rise": 0.02})(logits, labels, epoch)
    changed = got != plain
    negatives = plain[labels == 0]
    assert int(changed.sum()) == min(count, len(negatives)) and not labels[changed].any()
    if 0 < count < len(negatives):
        assert plain[changed].min() >= negatives.sort(descending=True).values[count - 1]
    turned = entry_losses(logits, torch.ones_like(labels)) if kind == "ll-ct" else torch.zeros_like(got)
    torch.testing.assert_close(got[changed], turned[changed])
