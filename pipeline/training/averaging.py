"""A moving average of the weights, which is what a run evaluates and keeps when it has one."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


class WeightAverage(AveragedModel):
    """Exponential moving average of a network's parameters; buffers (running statistics) are copied.

    After n updates the average moves by ``1 - min(decay, (1 + n) / (10 + n))`` of the way to the weights: a short
    history at first, so that the initial weights are soon forgotten. The first update takes the weights as they are.
    Costs one more copy of the weights, and two passes over them a step.

    Source: Polyak & Juditsky 1992 for averaging [paper]; TensorFlow's ``ExponentialMovingAverage`` for the ramp.

    Args:
        model: the network, on its device; it is copied.
        decay: 0 < decay < 1.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        super().__init__(model, multi_avg_fn=self._move)
        self._decay = decay
        self.module.eval()  # only ever evaluated

    def train(self, mode: bool = True) -> "WeightAverage":
        """Stay in evaluation mode."""
        return super().train(False)

    @torch.no_grad()
    def _move(self, average: Any, weights: Any, _: Tensor | int) -> None:
        count = int(self.n_averaged)  # on the CPU: no wait for a GPU
        torch._foreach_lerp_(average, weights, 1 - min(self._decay, (1 + count) / (10 + count)))
