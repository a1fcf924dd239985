"""What every registered network must do: learn, reach every parameter, not look at labels or at other rows."""

import numpy as np
import pytest
import torch
from small_backbones import RESNET, registered
from torch.optim import Adam

from d2ace.pipeline import models
from d2ace.pipeline.common.errors import ConfigError
from d2ace.pipeline.models.api import ModelContext
from d2ace.pipeline.models.losses import entry_losses, row_losses
from d2ace.pipeline.results.export.formats import trace

LABELS = 5
# Small, and without dropout or the like where that would hide what a test looks for.
SMALL = {
    "c2ae": {"hidden": (32, 32)},
    "clif": {"hidden": 32},
    "dela": {},
    "huggingface": {"architecture": "resnet", "config": RESNET},
    "mlp": {"hidden": (32, 32)},
    "mpvae": {"samples": 20, "ranking_weight": 5.0},
    "paca": {},
    "small-cnn": {"widths": (8, 16, 16)},
    # By default timm starts the last normalisation of a block at 0: no gradient reaches the block at first.
    "timm": {"architecture": "resnet10t", "config": {"zero_init_last": False}},
}
RATE = {"mpvae": 3e-3, "paca": 3e-3}
NAMES = registered()


def data(name, rows=24, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shape = (12,) if models.get(name).inputs == "table" else (1, 16, 16)
    labels = (torch.rand(rows, LABELS, generator=generator) < 0.4).float()
    labels[:, 1] = labels[:, 0]  # a correlated pair
    features = torch.rand(rows, *shape, generator=generator)
    joint = (labels.T @ labels).numpy()
    counts = tuple(int(c) for c in labels.sum(0))
    context = ModelContext(LABELS, shape, counts, rows, joint.astype(np.float64))
    return features, labels, context


def build(name, seed=0):
    torch.manual_seed(seed)
    return models.create(name, data(name)[2], **SMALL[name])


def training_loss(model, features, labels):
    output = model(features, labels)
    rows = output.row_loss
    if rows is None:
        rows = row_losses(entry_losses(output.logits, labels))
    assert rows.shape == (len(features),)
    return rows.mean() + (0.0 if output.penalty is None else output.penalty)


def test_every_registered_network_is_in_this_suite():
    assert set(SMALL) == set(models.names())


def wrong_entries(model, features, labels):
    model.eval()
    with torch.no_grad():
        predicted = model(features).logits > 0
    model.train()
    return (predicted != labels.bool()).float().mean().item()


@pytest.mark.parametrize("name", NAMES)
def test_overfits_a_tiny_set(name):
    features, labels, _ = data(name)
    model = build(name)
    optimizer = Adam([p for p in model.parameters() if p.requires_grad], lr=RATE.get(name, 1e-2))
    for step in range(1000):
        torch.manual_seed(step)
        optimizer.zero_grad()
        training_loss(model, features, labels).backward()
        optimizer.step()
        if step % 25 == 24 and wrong_entries(model, features, labels) <= 0.01:
            return
    pytest.fail(f"{wrong_entries(model, features, labels):.1%} of the entries are still wrong")


@pytest.mark.parametrize("name", NAMES)
def test_the_gradient_reaches_every_parameter(name):
    features, labels, _ = data(name)
    model = build(name)
    training_loss(model, features, labels).backward()
    for key, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, f"no gradient reaches {key}"
            assert torch.isfinite(parameter.grad).all(), f"the gradient of {key} is not finite"
            assert parameter.grad.abs().max() > 0, f"the gradient of {key} is zero"


@pytest.mark.parametrize("name", NAMES)
def test_logits_have_a_gradient_free_of_labels(name):
    """The logits in training are those of the branch that does not see the labels."""
    features, labels, _ = data(name)
    model = build(name)
    torch.manual_seed(5)
    with_labels = model(features, labels).logits
    torch.manual_seed(5)
    with_others = model(features, 1 - labels).logits
    assert with_labels.shape == labels.shape
    assert torch.equal(with_labels, with_others)


@pytest.mark.parametrize("name", NAMES)
def test_a_rows_evaluation_does_not_depend_on_the_other_rows(name):
    features, _, _ = data(name)
    model = build(name).eval()
    with torch.no_grad():
        whole = model(features).logits
        alone = torch.cat([model(part).logits for part in features.split(7)])
    torch.testing.assert_close(whole, alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_a_forward_pass_changes_no_state(name):
    features, labels, _ = data(name)
    model = build(name)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    model(features, labels)
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key]), f"{key} changed"


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_network_and_the_same_step(name):
    features, labels, _ = data(name)
    results = []
    for _ in range(2):
        model = build(name, seed=3)
        torch.manual_seed(4)
        loss = training_loss(model, features, labels)
        loss.backward()
        gradients = [p.grad.clone() for p in model.parameters() if p.requires_grad]
        results.append((loss.detach(), gradients))
    assert torch.equal(results[0][0], results[1][0])
    assert all(torch.equal(a, b) for a, b in zip(results[0][1], results[1][1], strict=True))
    different = build(name, seed=8).state_dict()
    assert any(not torch.equal(value, different[key]) for key, value in build(name, seed=3).state_dict().items())


@pytest.mark.parametrize("name", NAMES)
def test_the_mean_loss_does_not_depend_on_how_a_batch_is_cut(name):
    """In evaluation mode: the loss of a batch is the row-weighted mean of its parts', so no row sees another."""
    features, labels, _ = data(name)
    model = build(name).eval()
    losses = []
    for size in (24, 8):
        total = torch.zeros(())
        for part, truth in zip(features.split(size), labels.split(size), strict=True):
            torch.manual_seed(0)
            total = total + training_loss(model, part, truth).detach() * len(part) / len(features)
        losses.append(total)
    sampled = name == "mpvae"  # its likelihood is an average over draws, other draws for another cut
    torch.testing.assert_close(losses[0], losses[1], rtol=1e-2 if sampled else 1e-4, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_works_under_autocast(name):
    features, labels, _ = data(name)
    model = build(name)
    with torch.autocast("cpu", torch.bfloat16):
        loss = training_loss(model, features, labels)
    loss.float().backward()
    assert torch.isfinite(loss)


@pytest.mark.parametrize("name", NAMES)
def test_refuses_settings_it_does_not_have_and_inputs_of_the_wrong_kind(name):
    context = data(name)[2]
    with pytest.raises(ConfigError, match=f"network '{name}' has no setting 'widht'"):
        models.create(name, context, widht=3)
    other = (1, 8, 8) if models.get(name).inputs == "table" else (12,)
    with pytest.raises(ConfigError, match="the data has rows of shape"):
        models.create(name, ModelContext(LABELS, other, context.label_counts, context.n_rows, context.cooccurrence))


@pytest.mark.parametrize("name", NAMES)
def test_can_be_exported_for_batches_of_any_size(name):
    features, _, _ = data(name)
    model = build(name).eval()

    class Logits(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, inputs):
            return self.model(inputs).logits

    program = trace(Logits().eval(), features[:3], name).module()
    with torch.no_grad():
        for rows in (1, 24):
            torch.testing.assert_close(program(features[:rows]), model(features[:rows]).logits, rtol=1e-4, atol=1e-5)
