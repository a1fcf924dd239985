"""What a user might write outside of d2ace: a method with its space, a network, a loss, a policy for entries."""

from typing import ClassVar

from torch.nn.functional import binary_cross_entropy_with_logits

from d2ace.pipeline.models.mlp import MLP
from d2ace.selectors.entries.correct import Correct
from d2ace.selectors.loss_rank import LossRank
from d2ace.tune_spaces.api import Space
from d2ace.tune_spaces.knobs import Real


class OwnRank(LossRank):
    """Rows with a large loss first."""

    name = "own-rank"


class OwnNetwork(MLP):
    """A multilayer perceptron."""

    name = "own-network"


class OwnPolicy(Correct):
    """Corrects what it flags."""

    name = "own-policy"


class OwnSpace(Space):
    """The pressure alone."""

    method = "own-rank"
    presets: ClassVar = {key: {"pressure": Real(10, 50)} for key in ("quick", "paper", "wide")}

    def settings(self, point, epochs):
        return dict(point)


def scaled(logits, labels, *, scale: float = 1.0):
    """Return the binary cross-entropy of each entry, scaled."""
    return scale * binary_cross_entropy_with_logits(logits, labels, reduction="none")
