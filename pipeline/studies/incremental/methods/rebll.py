"""RebLL: asymmetric distillation, and online relabelling of the memory.

Source: Rebalancing Multi-Label Class-Incremental Learning, AAAI 2025 (arXiv 2408.12161) [paper] for the two parts and
for which model fills which labels; forms and constants are [own], see ``akd.py`` and ``relabelling.py``.
"""

from typing import ClassVar

from .akd import AKD


class RebLL(AKD):
    """As ``akd``; after each task the past model fills old labels of new exemplars, the new one new labels of old ones.

    Args:
        loss: of the labels, see ``akd``.
        loss_options: its settings.
        form: of the distillation.
        decay: its constant a.
        weight: of an entry of the teacher against one of the labels.
    """

    name: ClassVar[str] = "rebll"
    relabels: ClassVar[bool] = True
