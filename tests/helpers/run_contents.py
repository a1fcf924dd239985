"""What must be the same of two runs, wherever they lie."""

from typing import Any

import torch

from d2ace.pipeline.common.storage.any_path import AnyPath, fetched, fetched_folder
from d2ace.pipeline.common.storage.json_files import read_json_lines


def run_contents(run: AnyPath) -> dict[str, Any]:
    """Return batches, weights and metrics of a run of two epochs or more, as plain values."""
    with fetched_folder(run / "order") as folder:
        batches = [path.read_bytes() for path in sorted(folder.iterdir())]
    with fetched(run / "model.pt") as file:
        weights = {name: value.tolist() for name, value in torch.load(file, weights_only=True).items()}
    lines = read_json_lines(run / "metrics.jsonl")
    metrics = [{name: value for name, value in line.items() if "loss" in name or "f1" in name} for line in lines]
    assert len(batches) == len(metrics) >= 2 and metrics[0]
    return {"batches": batches, "weights": weights, "metrics": metrics}
