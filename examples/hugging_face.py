"""D2ACE batches under a Hugging Face ``Trainer``. Run: ``python examples/hugging_face.py``."""

from typing import Any

import torch
from sklearn.datasets import make_multilabel_classification
from torch.utils.data import DataLoader
from transformers import Trainer, TrainerCallback, TrainingArguments

from d2ace.selectors.d2ace import D2ACE
from d2ace.selectors.dataloader import SelectorBatchSampler


class Epochs(TrainerCallback):
    """Opens and closes the sampler's epochs."""

    def __init__(self, sampler: SelectorBatchSampler) -> None:
        self.sampler, self.epoch = sampler, 0

    def on_epoch_begin(self, *_: Any, **__: Any) -> None:
        """Make the plan of the epoch."""
        self.sampler.set_epoch(self.epoch)

    def on_epoch_end(self, *_: Any, **__: Any) -> None:
        """Let the selector recompute its law."""
        self.sampler.end_epoch()
        self.epoch += 1


class SelectingTrainer(Trainer):
    """A ``Trainer`` whose batches the sampler decides; items of the data set carry their index as ``row``."""

    def __init__(self, *arguments: Any, sampler: SelectorBatchSampler, **more: Any) -> None:
        super().__init__(*arguments, callbacks=[Epochs(sampler)], **more)
        self.sampler = sampler

    def get_train_dataloader(self) -> DataLoader:
        """Return the loader as it is: Accelerate must not cut the batches a second time."""
        return DataLoader(self.train_dataset, batch_sampler=self.sampler, collate_fn=self.data_collator)

    def compute_loss(self, model: torch.nn.Module, inputs: dict, *_: Any, **__: Any) -> torch.Tensor:
        """Return the loss of a batch and let the sampler see it."""
        logits = model(inputs["x"])
        losses = torch.nn.functional.binary_cross_entropy_with_logits(logits, inputs["labels"], reduction="none")
        if model.training:  # evaluation comes here too
            self.sampler.observe(inputs["row"], logits.sigmoid(), losses)
        return losses.mean()


def main(folder: str = "runs/hugging-face", epochs: int = 10) -> D2ACE:
    """Train; returns the selector, whose ``summary`` tells the state of the selection."""
    X, Y = make_multilabel_classification(600, n_features=20, n_classes=8, random_state=0)
    x, y = torch.tensor(X, dtype=torch.float32), torch.tensor(Y, dtype=torch.float32)
    data: Any = [{"row": i, "x": x[i], "labels": y[i]} for i in range(len(x))]
    selector = D2ACE(labels=Y, features=X, batch_size=32, epochs=epochs, warmup=2)
    # On several devices: SelectorBatchSampler(selector, rank=arguments.process_index, world_size=arguments.world_size)
    sampler = SelectorBatchSampler(selector)
    arguments = TrainingArguments(
        folder,
        num_train_epochs=epochs,
        learning_rate=0.01,
        remove_unused_columns=False,  # keeps "row"
        save_strategy="no",
        report_to="none",
        use_cpu=True,
    )
    model = torch.nn.Sequential(torch.nn.Linear(20, 64), torch.nn.ReLU(), torch.nn.Linear(64, 8))
    SelectingTrainer(model, arguments, train_dataset=data, sampler=sampler).train()
    return selector


if __name__ == "__main__":
    print(main().summary())
