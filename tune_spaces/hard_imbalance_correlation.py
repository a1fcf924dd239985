"""What to search in the variant of hard-imbalance that builds batches as sequences."""

from typing import ClassVar

from .hard_imbalance import HardImbalanceSpace


class HardImbalanceCorrelationSpace(HardImbalanceSpace):
    """Hard and imbalanced, each batch a sequence guided by label correlation: the knobs of hard-imbalance."""

    method: ClassVar[str] = "hard-imbalance-correlation"
