"""What training on a GPU costs beside the bare step: a ResNet-50 in bf16 on images from memory, D2ACE selecting.

Claims: rows/s of whole training epochs at least 0.95 of the same steps on tensors that lie on the GPU already, where
the CPUs decode fast enough, and the selection actor busy at most 1 % of an epoch. Printed beside them: what decoding
alone supplies, and how long the worker waited for data. Where a step's time goes is written to
``benchmarks/results/gpu_step_profile.txt``. The parts of each comparison alternate.

Needs a GPU and the extra "vision" (transformers). ``--try-on-cpu`` runs a few tiny steps on the CPU instead and records
nothing: it shows that the script works, not how fast anything is.

Run: python benchmarks/gpu_step.py [--rows 25600] [--repeats 3] [--try-on-cpu]
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _common import ROOT, left_out, record, shown, spread
from decode import photograph
from stream_memory import prepare

from d2ace.pipeline import fit
from d2ace.pipeline.common.cluster.session import ray_session
from d2ace.pipeline.common.config.config import Config
from d2ace.pipeline.data.manifest import Manifest
from d2ace.pipeline.data.scaler import Scaler
from d2ace.pipeline.feeds.api import Part
from d2ace.pipeline.feeds.gather import GatherFeed
from d2ace.pipeline.feeds.inputs import Inputs, input_shape, make_inputs
from d2ace.pipeline.feeds.request import Request
from d2ace.pipeline.feeds.shard_rows import ShardRows
from d2ace.pipeline.models.api import ModelContext
from d2ace.pipeline.training.learner import Learner
from d2ace.pipeline.training.micro_batch import MicroBatch

PROFILE = ROOT / "benchmarks" / "results" / "gpu_step_profile.txt"
WARM_UP, PROFILED = 20, 10
"""Steps before the clock starts (kernels are chosen, clocks rise), and steps that are profiled."""
EPOCHS = 3
"""Of a run; the first is left out."""
TINY = {"embedding_size": 8, "hidden_sizes": [8, 8], "depths": [1, 1], "layer_type": "basic"}


def main() -> None:
    """Parse, measure, print, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=25_600)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--try-on-cpu", action="store_true")
    options = parser.parse_args()
    tiny = options.try_on_cpu
    if not tiny and not torch.cuda.is_available():
        left_out("no GPU here; --try-on-cpu shows that the script works")
    with tempfile.TemporaryDirectory() as folder:
        rows = 256 if tiny else options.rows
        manifest = prepare(Path(folder) / "data", rows * len(photograph(0)))
        config = configuration(manifest, Path(folder) / "runs", tiny=tiny)
        steps = 4 if tiny else manifest.rows // config.train.batch_size
        results = measured(config, manifest, steps, 1 if tiny else options.repeats)
        profile = profiled(config, manifest)
    if not tiny:
        PROFILE.write_text(profile)
        record("gpu_step", {"gpu": torch.cuda.get_device_name(), "rows": manifest.rows, **results})


def configuration(manifest: Manifest, runs: Path, *, tiny: bool) -> Config:
    """Return the run: ResNet-50 of transformers at 224 pixels, batches of 128; or next to nothing."""
    options = {"architecture": "resnet", **({"config": TINY} if tiny else {})}
    return Config.make(
        {
            "data": {"path": str(manifest.folder), "validation_fraction": 0.0, "test_fraction": 0.0},
            "images": {"size": 32 if tiny else 224, "random_crop_scale": [0.35, 1.0], "flip": 0.5},
            "model": {"name": "huggingface", "options": options},
            "selector": {"name": "d2ace", "options": {"warmup": 1}, "neighbour_features": "embeddings"},
            "optimizer": {"name": "adamw", "lr": 1e-3},
            "train": {
                "epochs": EPOCHS,
                "batch_size": 16 if tiny else 128,
                "precision": "bf16",
                "channels_last": True,
                "reduction": "ddp",
            },
            "run": {"storage": str(runs), "workers": 1, "feed": "gather", "gpu": not tiny},
        }
    )


def measured(config: Config, manifest: Manifest, steps: int, repeats: int) -> dict[str, Any]:
    """Return rows/s of bare steps, of whole epochs and of decoding alone, and the selection actor's share."""
    rates: dict[str, list[float]] = {"bare step": [], "training": [], "decode": []}
    ratios, shares, waits = [], [], []
    with ray_session(config.run):
        for number in range(repeats):
            rates["bare step"].append(bare(config, manifest, steps))
            rates["decode"].append(decoding(config, manifest, steps))
            run = fit(config.with_overrides([f"run.name=run-{number}"]), quiet=True)
            epochs = run.history[1:]
            rates["training"] += [manifest.rows / epoch["train_s"] for epoch in epochs]
            ratios += [manifest.rows / epoch["train_s"] / rates["bare step"][-1] for epoch in epochs]
            shares += [epoch["selection/share"] for epoch in epochs]
            waits += [epoch["feed_wait_s"] / epoch["train_s"] for epoch in epochs]
    for name, values in rates.items():
        print(f"{name}: {shown(values, 1, 'rows/s')}")
    print(f"training / bare step {shown(ratios, 1, 'x')}, claim at least 0.95 where decoding supplies it")
    print(f"selection actor busy {shown(shares, 100, '%')} of an epoch, claim at most 1 %")
    print(f"waiting for data {shown(waits, 100, '%')} of training", flush=True)
    return {
        "rows_per_second": {name: spread(values) for name, values in rates.items()},
        "training_to_bare": spread(ratios),
        "selection_share": spread(shares),
        "feed_wait_share": spread(waits),
    }


def device_of(config: Config) -> torch.device:
    return torch.device("cuda" if config.run.gpu else "cpu")


def learner(config: Config, manifest: Manifest) -> Learner:
    """Return the run's own learner: model, optimiser, autocast."""
    shape = input_shape(config.images, manifest)
    context = ModelContext(manifest.n_labels, shape, manifest.label_counts, manifest.rows)
    made = Learner(config, context, device_of(config), 1, 1000)
    made.model.train()
    return made


def bare(config: Config, manifest: Manifest, steps: int) -> float:
    """Return rows/s of training steps on one synthetic batch that lies on the device."""
    device, batch = device_of(config), config.train.batch_size
    trained = learner(config, manifest)
    features = torch.randn(batch, *input_shape(config.images, manifest), device=device)
    labels = (torch.rand(batch, manifest.n_labels, device=device) < 0.3).float()
    part = Part(np.arange(batch), features, labels)
    for number in range(WARM_UP + steps):
        if number == WARM_UP:
            finish(device)
            started = time.perf_counter()
        trained.step([MicroBatch(part, seed=number)], batch)
    finish(device)
    return steps * batch / (time.perf_counter() - started)


def finish(device: torch.device) -> None:
    """Wait for what the device still has to do."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def requests(manifest: Manifest, batch: int, steps: int) -> list[Request]:
    """Return batches of an epoch in random order."""
    ids = np.random.default_rng(0).permutation(manifest.rows)
    places = [(at * batch) % (manifest.rows - batch + 1) for at in range(steps)]
    return [Request(ids[at : at + batch], 0, number * batch) for number, at in enumerate(places)]


def inputs_of(config: Config, manifest: Manifest) -> Inputs:
    return make_inputs(config, manifest, Scaler.of_images("imagenet", 3))


def decoding(config: Config, manifest: Manifest, steps: int) -> float:
    """Return rows/s of reading, decoding and cropping alone, on all threads of the worker."""
    reader, inputs, batch = ShardRows(manifest).open(), inputs_of(config, manifest), config.train.batch_size
    started = time.perf_counter()
    for request in requests(manifest, batch, steps):
        inputs.stored(reader.gather(request.ids), request)
    return steps * batch / (time.perf_counter() - started)


def feed_steps(config: Config, manifest: Manifest, trained: Learner) -> Iterator[None]:
    """Train on what the gather feed gives, a step at a time."""
    batch = config.train.batch_size
    feed = GatherFeed(ShardRows(manifest).open(), inputs_of(config, manifest), device_of(config))
    for number, part in enumerate(feed.parts(requests(manifest, batch, WARM_UP + PROFILED))):
        trained.step([MicroBatch(part, seed=number)], batch)
        yield


def profiled(config: Config, manifest: Manifest) -> str:
    """Return where the time of a step with its feed goes, the largest first."""
    from torch.profiler import ProfilerActivity, profile

    trained = learner(config, manifest)
    steps = feed_steps(config, manifest, trained)
    for _ in range(WARM_UP):
        next(steps)
    finish(device_of(config))
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if config.run.gpu else [])]
    with profile(activities=activities) as seen:
        for _ in steps:
            pass
        finish(device_of(config))
    order = "self_device_time_total" if config.run.gpu else "self_cpu_time_total"
    return str(seen.key_averages().table(sort_by=order, row_limit=30))


if __name__ == "__main__":
    main()
