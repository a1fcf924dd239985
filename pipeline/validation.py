"""Predictions of the training workers on held-out rows, every row once."""

import numpy as np
import torch
import torch.distributed as dist

from .feed import GatherFeed, prefetch
from .learner import Learner, chunks


def predict_split(
    learner: Learner, feed: GatherFeed, ids: np.ndarray, chunk_rows: int, rank: int, world: int
) -> tuple[np.ndarray, np.ndarray]:
    """Predict ``ids`` on all ranks together and return the whole result on each.

    The rows are cut into chunks of a fixed size and chunk c is computed by rank c mod world: no row is counted
    twice, and each chunk's arithmetic is the same for any number of workers. The ranks' results are joined by
    adding arrays that are zero elsewhere, which is exact.

    Returns:
        probabilities float32 (n, L) and labels float32 (n, L), in the order of ``ids``.
    """
    was_training = learner.model.training
    learner.model.eval()
    mine = list(chunks(len(ids), chunk_rows))[rank::world]
    result: torch.Tensor | None = None
    for rows, part in zip(mine, prefetch(lambda piece: feed.part(ids[piece]), mine), strict=True):
        predicted = learner.probabilities(part.features)
        if result is None:
            result = torch.zeros(2, len(ids), predicted.shape[1], device=predicted.device)
        result[0, rows], result[1, rows] = predicted, part.labels
    if result is None:  # fewer chunks than ranks
        shape = (2, len(ids), feed.n_labels)
        result = torch.zeros(shape, device=feed.device)
    if world > 1:
        dist.all_reduce(result)
    learner.model.train(was_training)
    probabilities, labels = result.cpu().numpy()
    return probabilities, labels
