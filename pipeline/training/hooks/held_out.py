"""Held-out rows for selection: what the network predicts for the validation rows, at the one epoch that wants it."""

from ..loop import Epoch, Hook, Training


class HeldOut(Hook):
    """Shows a policy for entries the validation rows at the end of the epoch for which it waits for them."""

    def after_steps(self, training: Training, epoch: Epoch) -> None:
        """Predict the validation rows on all workers together, and tell selection on the first."""
        if epoch.number != training.selection.held_out_after:
            return
        shown = training.predict(training.data.splits.validation)
        if training.ranks.first:
            training.selection.show_held_out(*shown)
