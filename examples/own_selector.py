"""A selection method of one's own, in a bare PyTorch loop. Run: ``python examples/own_selector.py``.

The class is all that a method needs. With ``PYTHONPATH=examples``, ``d2ace check-method own_selector:CrowdedLoss``
tries on it what every method must do, and ``selector.name=own_selector:CrowdedLoss`` trains with it. CONTRIBUTING.md
says how one becomes part of d2ace.
"""

from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.datasets import make_multilabel_classification
from torch.utils.data import DataLoader, TensorDataset

from d2ace.selectors.bases import FallingPressureSelector
from d2ace.selectors.common.label_matrix import Labels
from d2ace.selectors.common.settings import number
from d2ace.selectors.dataloader import SelectorBatchSampler, WithIndex
from d2ace.selectors.history.row_losses import RowLosses


class CrowdedLoss(FallingPressureSelector):
    """Prefers rows with a large loss and many labels: score = loss times log(1 + labels of the row) [own].

    The base class turns scores into a law under a falling selection pressure, draws the batches, and saves the state.
    A method adds what it keeps of the observations, and the score. State: two numbers a row.

    Args:
        labels: (N, L) relevance, dense or scipy sparse, entries 0 or 1.
        strength: exponent of the number of labels.
        **settings: warm-up, pressure and what else ``FallingPressureSelector`` takes.
    """

    name: ClassVar[str] = "crowded-loss"
    _seen: RowLosses

    def __init__(self, labels: Labels, *, strength: float = 1.0, **settings: Any) -> None:
        super().__init__(labels, **settings)
        self._crowd = np.log1p(np.diff(self.labels.indptr)) ** number("strength", strength)  # float64 (N,)
        self._begin(RowLosses(self.n_rows, self.n_labels, self.label_matrix))

    def _score_of(self, rows: slice) -> np.ndarray:
        return self._seen.row_loss[rows] * self._crowd[rows]


def main(epochs: int = 10) -> CrowdedLoss:
    """Train a small network on batches of the method; returns the method as training left it."""
    torch.manual_seed(0)
    X, Y = make_multilabel_classification(600, n_features=20, n_classes=8, random_state=0)
    selector = CrowdedLoss(Y, batch_size=32, epochs=epochs, warmup=2, pressure=16.0)
    sampler = SelectorBatchSampler(selector)
    data = WithIndex(TensorDataset(torch.tensor(X, dtype=torch.float32), torch.tensor(Y, dtype=torch.float32)))
    model = torch.nn.Sequential(torch.nn.Linear(20, 64), torch.nn.ReLU(), torch.nn.Linear(64, 8))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        for ids, (x, y) in DataLoader(data, batch_sampler=sampler):
            logits = model(x)
            optimizer.zero_grad()
            torch.nn.functional.binary_cross_entropy_with_logits(logits, y).backward()
            optimizer.step()
            sampler.observe_logits(ids, logits)
        sampler.end_epoch()
        print(f"epoch {epoch + 1}: {selector.summary()['effective_sample_size']:.3f} effective rows")
    return selector


if __name__ == "__main__":
    main()
