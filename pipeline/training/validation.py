"""What the training workers compute together on given rows, every row once."""

from collections.abc import Callable

import numpy as np
import torch

from ..feeds.api import Feed, Part
from ..feeds.request import Request, chunks
from .learner import Learner
from .ranks import ALONE, Ranks


def predict_split(
    learner: Learner, feed: Feed, ids: np.ndarray, chunk_rows: int, ranks: Ranks = ALONE
) -> tuple[np.ndarray, np.ndarray]:
    """Predict ``ids`` on all ranks together and return the whole result on each.

    Returns:
        probabilities and labels (NaN where unknown), float32 (n, L) each, in the order of ``ids``.
    """

    def compute(part: Part) -> torch.Tensor:
        return torch.cat([learner.probabilities(part.features), part.labels], dim=1)

    both = on_all_ranks(learner, compute, feed, ids, chunk_rows, ranks)
    probabilities, labels = np.split(both, 2, axis=1)
    return probabilities, labels


def on_all_ranks(
    learner: Learner,
    compute: Callable[[Part], torch.Tensor],
    feed: Feed,
    ids: np.ndarray,
    chunk_rows: int,
    ranks: Ranks = ALONE,
) -> np.ndarray:
    """Compute float32 (n, w), a line for each of ``ids``, on all ranks together, in evaluation mode.

    The rows are cut into chunks of a fixed size and chunk c is computed by rank c mod world: no row is counted
    twice, and each chunk's arithmetic is the same for any number of workers. The ranks' results are joined by
    adding arrays that are zero elsewhere, which is exact.
    """
    was_training = learner.model.training
    learner.model.eval()
    mine = list(chunks(len(ids), chunk_rows))[ranks.rank :: ranks.world]
    pieces = [compute(part) for part in feed.parts([Request(ids[piece]) for piece in mine])]
    learner.model.train(was_training)
    width = ranks.largest(pieces[0].shape[1] if pieces else 0)  # a rank without a chunk learns it from the others
    result = torch.zeros(len(ids), width, device=feed.device)
    for rows, piece in zip(mine, pieces, strict=True):
        result[rows] = piece
    return ranks.total(result).cpu().numpy()
