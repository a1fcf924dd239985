"""Embeddings for selection: what the network makes of all training rows, at the one epoch when they are due."""

from ..loop import Epoch, Hook, Training
from ..validation import on_all_ranks


class Embedding(Hook):
    """Gives selection the embeddings of all training rows at the end of the epoch for which it waits for them."""

    def after_steps(self, training: Training, epoch: Epoch) -> None:
        """Embed the training rows on all workers together, and tell selection on the first."""
        if epoch.number != training.selection.embed_after:
            return
        ids, chunk_rows = training.data.splits.train, training.config.train.batch_size
        compute = training.learner.embeddings
        embeddings = on_all_ranks(training.learner, compute, training.feed, ids, chunk_rows, training.ranks)
        if training.ranks.first:
            training.selection.embed(embeddings)
