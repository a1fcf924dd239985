"""Every network under DistributedDataParallel: all parameters take part in each step, chunked or not."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
import torch.distributed as dist
from small_backbones import CONFIGS, QUERY, registered
from torch.nn.parallel import DistributedDataParallel

from d2ace.pipeline import models
from d2ace.pipeline.models import blocks
from d2ace.pipeline.models.api import ModelContext
from d2ace.pipeline.models.losses import entry_losses, row_losses

SMALL = {
    "clif": {"hidden": 16},
    "huggingface": {"architecture": "convnext", "config": CONFIGS["convnext"], **QUERY},
    "mpvae": {"samples": 8},
}


@pytest.fixture
def group() -> Iterator[None]:
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.parametrize("floats", [blocks.FLOATS_AT_ONCE, 1])
@pytest.mark.parametrize("name", registered())
def test_trains_under_ddp_with_the_gradients_it_has_alone(group, monkeypatch, name, floats):
    monkeypatch.setattr(blocks, "FLOATS_AT_ONCE", floats)
    shape = (6,) if models.get(name).inputs == "table" else (1, 8, 8)
    labels = (torch.rand(4, 3, generator=torch.Generator().manual_seed(0)) < 0.5).float()
    features = torch.rand(4, *shape, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(0)
    model = models.create(name, ModelContext(3, shape, (2, 2, 2), 4, np.eye(3) * 2), **SMALL.get(name, {}))

    def gradients(network):
        model.zero_grad()
        torch.manual_seed(2)
        output = network(features, labels)
        rows = output.row_loss
        loss = (row_losses(entry_losses(output.logits, labels)) if rows is None else rows).mean()
        (loss + (0.0 if output.penalty is None else output.penalty)).backward()
        return [p.grad.clone() for p in model.parameters() if p.requires_grad]

    expected = gradients(model)
    wrapped = DistributedDataParallel(model)
    for _ in range(2):  # a parameter left out of the first step is an error in the second
        got = gradients(wrapped)
        assert all(torch.allclose(a, b, rtol=1e-5, atol=1e-7) for a, b in zip(got, expected, strict=True))
