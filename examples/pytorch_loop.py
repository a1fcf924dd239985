"""D2ACE batches in a bare PyTorch loop. Run: ``python examples/pytorch_loop.py``."""

import torch
from sklearn.datasets import make_multilabel_classification
from torch.utils.data import DataLoader, TensorDataset

from d2ace.selectors.d2ace import D2ACE
from d2ace.selectors.dataloader import SelectorBatchSampler, WithIndex


def main(epochs: int = 10, loader_processes: int = 0) -> list[float]:
    """Train a small network; returns the mean loss of each epoch."""
    torch.manual_seed(0)
    X, Y = make_multilabel_classification(600, n_features=20, n_classes=8, random_state=0)
    data = WithIndex(TensorDataset(torch.tensor(X, dtype=torch.float32), torch.tensor(Y, dtype=torch.float32)))
    selector = D2ACE(labels=Y, features=X, batch_size=32, epochs=epochs, warmup=2)
    sampler = SelectorBatchSampler(selector)  # DDP: rank=dist.get_rank(), world_size=dist.get_world_size()
    loader = DataLoader(data, batch_sampler=sampler, num_workers=loader_processes)
    model = torch.nn.Sequential(torch.nn.Linear(20, 64), torch.nn.ReLU(), torch.nn.Linear(64, 8))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    history = []
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        total = 0.0
        for ids, (x, y) in loader:
            logits = model(x)
            losses = torch.nn.functional.binary_cross_entropy_with_logits(logits, y, reduction="none")
            loss = losses.mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            sampler.observe(ids, logits.sigmoid(), losses)
            total += loss.item() / len(loader)
        sampler.end_epoch()
        history.append(total)
        print(f"epoch {epoch + 1}: loss {total:.4f}, {selector.summary()['effective_sample_size']:.3f} effective rows")
    return history


if __name__ == "__main__":
    main()
