"""Many labels: chunks change neither numbers nor gradients, and bound what a training step keeps in memory."""

import numpy as np
import pytest
import torch

from d2ace.pipeline import models
from d2ace.pipeline.models import blocks
from d2ace.pipeline.models.api import ModelContext
from d2ace.pipeline.models.losses import entry_losses, row_losses

FEATURES = 6
CHUNKED = {"clif": {"hidden": 16, "dropout": 0.0}, "dela": {}, "mpvae": {"samples": 8}, "paca": {}}
TABLES = [name for name in models.names() if models.get(name).inputs == "table"]


def step(name, n_labels, rows):
    """One forward and backward pass; returns loss, gradients and the bytes kept in between."""
    torch.manual_seed(0)
    labels = (torch.rand(rows, n_labels) < 0.2).float()
    features = torch.rand(rows, FEATURES)
    context = ModelContext(n_labels, (FEATURES,), (3,) * n_labels, 20, np.eye(n_labels) * 3)
    model = models.create(name, context, **CHUNKED.get(name, {}))
    own = {p.data_ptr() for p in [*model.parameters(), *model.buffers()]}
    kept = {}

    def note(tensor):
        if tensor.data_ptr() not in own:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        output = model(features, labels)
        own_loss = output.row_loss
        loss = (row_losses(entry_losses(output.logits, labels)) if own_loss is None else own_loss).mean()
        if output.penalty is not None:
            loss = loss + output.penalty
    loss.backward()
    return loss.detach(), [p.grad for p in model.parameters() if p.requires_grad], sum(kept.values())


@pytest.mark.parametrize("name", CHUNKED)
def test_chunks_change_neither_loss_nor_gradients(name, monkeypatch):
    whole_loss, whole_gradients, whole_bytes = step(name, 9, rows=4)
    monkeypatch.setattr(blocks, "FLOATS_AT_ONCE", 1)
    loss, gradients, kept = step(name, 9, rows=4)
    torch.testing.assert_close(loss, whole_loss)
    for a, b in zip(gradients, whole_gradients, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)
    assert kept < 0.9 * whole_bytes


@pytest.mark.parametrize("name", TABLES)
def test_memory_of_a_step_stays_bounded_at_374_labels(name, monkeypatch):
    """No (rows, L, L) and no (rows, L, width) tensor is kept, 36 MB and more; the graph of CLIF has (L, L) ones."""
    monkeypatch.setattr(blocks, "FLOATS_AT_ONCE", 500_000)
    _, gradients, kept = step(name, 374, rows=64)
    parameters = sum(g.numel() for g in gradients) * 4
    assert kept < 14e6 + parameters
    assert all(torch.isfinite(g).all() for g in gradients)


def test_in_chunks_without_gradient_joins_along_the_dimension(monkeypatch):
    values = torch.arange(12.0).view(3, 4)
    monkeypatch.setattr(blocks, "FLOATS_AT_ONCE", 6)
    with torch.no_grad():
        assert torch.equal(blocks.in_chunks(lambda some: values[:, some], 4, 3, dim=1), values)
        assert torch.equal(blocks.in_chunks(lambda some: values[some], 3, 3, dim=0), values)
