"""D2ACE batches in a Lightning ``Trainer``, on several devices too. Run: ``python examples/lightning_trainer.py``."""

import lightning
import torch
from sklearn.datasets import make_multilabel_classification
from torch.utils.data import DataLoader, TensorDataset

from d2ace.selectors.d2ace import D2ACE
from d2ace.selectors.dataloader import SelectorBatchSampler, WithIndex


class Tagger(lightning.LightningModule):
    """A small network that tells the sampler what it predicts and loses."""

    def __init__(self, data: WithIndex, selector: D2ACE) -> None:
        super().__init__()
        self.data, self.selector = data, selector
        self.model = torch.nn.Sequential(torch.nn.Linear(20, 64), torch.nn.ReLU(), torch.nn.Linear(64, 8))

    def train_dataloader(self) -> DataLoader:
        """Return the loader of this device's part of every batch."""
        rank, world_size = self.trainer.global_rank, self.trainer.world_size
        self.sampler = SelectorBatchSampler(self.selector, rank=rank, world_size=world_size)
        self.sampler.set_epoch(0)  # Lightning begins to read before its first epoch starts
        return DataLoader(self.data, batch_sampler=self.sampler)

    def on_train_epoch_start(self) -> None:
        """Make the plan of the epoch."""
        self.sampler.set_epoch(self.current_epoch)

    def training_step(self, batch: tuple, _: int) -> torch.Tensor:
        """Return the loss of a batch."""
        ids, (x, y) = batch
        logits = self.model(x)
        losses = torch.nn.functional.binary_cross_entropy_with_logits(logits, y, reduction="none")
        self.sampler.observe(ids, logits.sigmoid(), losses)
        return losses.mean()

    def on_train_epoch_end(self) -> None:
        """Let the selector recompute its law."""
        self.sampler.end_epoch()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return Adam."""
        return torch.optim.Adam(self.parameters(), lr=0.01)


def main(epochs: int = 10, devices: int = 1) -> D2ACE:
    """Train; returns the selector, whose ``summary`` tells the state of the selection."""
    lightning.seed_everything(0)
    X, Y = make_multilabel_classification(600, n_features=20, n_classes=8, random_state=0)
    data = WithIndex(TensorDataset(torch.tensor(X, dtype=torch.float32), torch.tensor(Y, dtype=torch.float32)))
    selector = D2ACE(labels=Y, features=X, batch_size=32, epochs=epochs, warmup=2)
    trainer = lightning.Trainer(
        max_epochs=epochs,
        use_distributed_sampler=False,  # the sampler cuts the batches itself
        accelerator="cpu",
        devices=devices,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Tagger(data, selector))
    return selector


if __name__ == "__main__":
    print(main().summary())
