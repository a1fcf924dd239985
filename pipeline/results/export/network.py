"""What is exported: a network that takes unscaled inputs and gives probabilities and labels.

B rows of a batch   L labels   d features   C, H, W channels, height and width of an image
"""

import numpy as np
import torch
from torch import Tensor, nn

from ...data.scaler import Scaler
from ...models.api import MultiLabelModel


class Deployed(nn.Module):
    """Scaling, network, thresholds and calibration in one, so that whoever uses it can get none of them wrong.

    Args:
        network: in evaluation mode.
        scaler: the run's.
        thresholds: float64 (L,), on the network's own probabilities.
        coefficients: float64 (L, 3), the calibration of ``runs/decisions.py``; None for none.
    """

    offset: Tensor
    factor: Tensor
    thresholds: Tensor
    coefficients: Tensor

    def __init__(
        self, network: MultiLabelModel, scaler: Scaler, thresholds: np.ndarray, coefficients: np.ndarray | None = None
    ) -> None:
        super().__init__()
        self.network = network
        offset, factor = scaler.offset, scaler.factor
        if scaler.image:  # one number a channel, for levels 0 to 255, as ``Scaler.scale_levels`` has it
            offset, factor = (offset * 255.0)[:, None, None], (factor / 255.0)[:, None, None]
        self.register_buffer("offset", torch.from_numpy(offset.astype(np.float32)))
        self.register_buffer("factor", torch.from_numpy(factor.astype(np.float32)))
        self.register_buffer("thresholds", torch.from_numpy(not_above(thresholds)))
        self._calibrates = coefficients is not None
        if coefficients is not None:
            self.register_buffer("coefficients", torch.from_numpy(coefficients.T.astype(np.float32)))
        self.eval()

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return calibrated probabilities, float32 (B, L), and labels, bool (B, L).

        Args:
            inputs: float32 (B, d) features as they are in the data, or uint8 (B, C, H, W) pixels.
        """
        scaled = (inputs.float() - self.offset) * self.factor
        own = torch.sigmoid(self.network(scaled).logits.float())
        return (self._calibrated(own) if self._calibrates else own), own > self.thresholds

    def _calibrated(self, own: Tensor) -> Tensor:
        """Return what ``runs.decisions.calibrated`` makes of the network's own probabilities, in float32."""
        a, b, c = self.coefficients
        low = own.clamp_min(torch.finfo(torch.float32).tiny).log()
        high = -(1 - own).clamp_min(torch.finfo(torch.float32).eps / 4).log()  # NumPy's epsneg is half of eps
        return torch.sigmoid(a * low + b * high + c)


def not_above(thresholds: np.ndarray) -> np.ndarray:
    """Return the largest float32 numbers that are not above float64 ones.

    A float32 probability is above such a number exactly when it is above the one that it stands for.
    """
    near = thresholds.astype(np.float32)
    return np.where(near > thresholds, np.nextafter(near, np.float32(-np.inf)), near)
