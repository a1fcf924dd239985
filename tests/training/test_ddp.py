"""DistributedDataParallel's reduction agrees with the exact one up to rounding, however uneven the slices are."""

import numpy as np
import torch
import torch.distributed as dist

from d2ace.pipeline.common.config.config import Config
from d2ace.pipeline.feeds.in_memory import TensorFeed
from d2ace.pipeline.models.api import ModelContext
from d2ace.pipeline.selection.batches import Batches
from d2ace.pipeline.training.learner import Learner
from d2ace.pipeline.training.ranks import Ranks
from d2ace.pipeline.training.steps import StepRunner

ROWS, BATCH, EPOCHS, WORLD = 167, 32, 5, 3
CONTEXT = ModelContext(5, (7,), (60,) * 5, ROWS)
CPU = torch.device("cpu")


def curve(reduction, ranks):
    """Train a small network, in batches of which the last is the smallest; return the loss of every epoch."""
    settings = {"batch_size": BATCH, "epochs": EPOCHS, "reduction": reduction}
    config = Config.make(
        {
            "data": {"path": "nowhere"},
            "model": {"options": {"hidden": [16]}},
            "optimizer": {"lr": 0.03},
            "train": settings,
        }
    )
    random = np.random.default_rng(0)
    features = random.normal(size=(ROWS, 7)).astype(np.float32)
    labels = (features[:, :5] + features[:, 2:] > 0.5).astype(np.float32)
    starts = np.arange(0, ROWS, BATCH)
    learner = Learner(config, CONTEXT, CPU, ranks.world, len(starts))
    runner = StepRunner(config, learner, TensorFeed(features, labels, CPU), ranks)
    losses = []
    for epoch in range(EPOCHS):
        batches = Batches(random.permutation(ROWS), np.append(starts, ROWS))
        steps = [runner.train(share) for share in runner.shares(epoch, batches)]
        losses.append(float(ranks.total(torch.stack([step.losses.sum() for step in steps]).sum())) / ROWS)
    return losses


def _rank(rank, folder):
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=WORLD)
    losses = curve("ddp", Ranks(rank, WORLD))
    torch.save(losses, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


def test_its_curve_is_that_of_the_exact_reduction(tmp_path, run_ranks):
    assert ROWS % BATCH == 7 and BATCH % WORLD
    run_ranks(_rank, (str(tmp_path),), WORLD)
    expected = curve("exact", Ranks())
    assert expected[-1] < 0.8 * expected[0]
    for rank in range(WORLD):
        np.testing.assert_allclose(torch.load(tmp_path / f"{rank}.pt"), expected, rtol=0, atol=1e-5)
