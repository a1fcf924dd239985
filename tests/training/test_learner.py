"""The step of a worker with backbones: worker counts, accumulation, averages, layouts, resuming."""

import copy
from contextlib import nullcontext

import numpy as np
import pytest
import torch
import torch.distributed as dist

pytest.importorskip("transformers")

from d2ace.pipeline.common.config.config import Config
from d2ace.pipeline.common.errors import RunError
from d2ace.pipeline.feeds.in_memory import TensorFeed
from d2ace.pipeline.models.api import ModelContext
from d2ace.pipeline.selection.batches import Batches
from d2ace.pipeline.training.learner import Learner
from d2ace.pipeline.training.ranks import Ranks
from d2ace.pipeline.training.steps import StepRunner

ROWS, BATCH, STEPS = 40, 12, 3
CONTEXT = ModelContext(3, (3, 12, 12), (20, 10, 5), ROWS)
CPU = torch.device("cpu")
RESNET = {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"}
SWIN = {"embed_dim": 8, "depths": [1, 1], "num_heads": [1, 2], "window_size": 3, "patch_size": 2, "drop_path_rate": 0.3}


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def configured(train=None, optimizer=None, **options):
    options = options or {"architecture": "resnet", "config": RESNET, "batch_norm": "batch"}
    return Config.make(
        {
            "data": {"path": "nowhere"},
            "model": {"name": "huggingface", "options": {"head_options": {"dropout": 0.2}, **options}},
            "optimizer": {"lr": 0.01, **(optimizer or {})},
            "train": {"batch_size": BATCH, "epochs": 2, **(train or {})},
        }
    )


def feed():
    generator = np.random.default_rng(0)
    images = generator.random((ROWS, 3, 12, 12), dtype=np.float32)
    return TensorFeed(images, (generator.random((ROWS, 3)) < 0.4).astype(np.float32), CPU)


def batches(epoch, sizes=(BATCH, BATCH, BATCH)):
    ids = np.random.default_rng(epoch).integers(ROWS, size=sum(sizes))
    return Batches(ids, np.concatenate([[0], np.cumsum(sizes)]))


def train(learner, config, epochs=range(2), rank=0, world=1, sizes=(BATCH, BATCH, BATCH)):
    runner = StepRunner(config, learner, feed(), Ranks(rank, world))
    for epoch in epochs:
        learner.model.train()
        for share in runner.shares(epoch, batches(epoch, sizes)):
            runner.train(share)
    return learner


def trained(config, **settings):
    return train(Learner(config, CONTEXT, CPU, 1, STEPS), config, **settings)


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


MANY = {
    "exact": {"ema": 0.5},
    "accumulated": {"reduction": "ddp", "accumulate": True, "ema": 0.5},
    "one pass": {"reduction": "ddp"},
}
SIZES = (BATCH, 2, 7)  # two rows for three workers: one of them has none


def _workers(rank, folder, options):
    torch.set_num_threads(1)
    for world in (1, 2, 3):
        if rank >= world:
            continue
        dist.init_process_group("gloo", init_method=f"file://{folder}/store{world}", rank=rank, world_size=world)
        for name, settings in MANY.items():
            here = copy.deepcopy(options)
            if rank:
                here["source"] = f"{folder}/not-on-this-node"
            config = configured(settings, **here)
            learner = Learner(config, CONTEXT, CPU, world, STEPS)
            train(learner, config, rank=rank, world=world, sizes=SIZES)
            torch.save((learner.model.state_dict(), learner.weights()), f"{folder}/{name}-{world}-{rank}.pt")
        dist.destroy_process_group()


def test_worker_counts_change_no_bit_and_only_the_first_worker_reads_pretrained_weights(tmp_path, run_ranks):
    from d2ace.pipeline import models

    source = tmp_path / "pretrained"
    torch.manual_seed(5)
    model = models.create("huggingface", CONTEXT, architecture="resnet", config=RESNET, batch_norm="batch")
    model.backbone.save_pretrained(source)
    options = models.resolve("huggingface", {"source": str(source), "batch_norm": "batch"})
    options["head_options"] = {"dropout": 0.2}
    run_ranks(_workers, (str(tmp_path), options), 3)
    results = {path.stem: torch.load(path) for path in tmp_path.glob("*.pt")}
    assert len(results) == 18
    for kind in MANY:
        for world in (2, 3):
            for rank in range(1, world):
                first, other = results[f"{kind}-{world}-0"], results[f"{kind}-{world}-{rank}"]
                assert same(first[0], other[0]) and same(first[1], other[1]), (kind, world, rank)
    reference = results["exact-1-0"]
    for world in (2, 3):
        assert same(results[f"exact-{world}-0"][0], reference[0]), "weights and running statistics"
        assert same(results[f"exact-{world}-0"][1], reference[1]), "their average"
    for world in (1, 2, 3):
        for got, expected in zip(results[f"accumulated-{world}-0"], reference, strict=True):
            for name, tensor in got.items():
                torch.testing.assert_close(tensor, expected[name], rtol=1e-3, atol=1e-4, msg=f"{world} {name}")
    assert reference[0]["backbone.embedder.embedder.normalization.num_batches_tracked"] == 2 * (4 + 2 + 4)


@pytest.mark.parametrize("architecture", [("resnet", RESNET, "group"), ("swin", SWIN, None)])
def test_accumulation_gives_the_gradients_of_the_exact_reduction(architecture):
    """In the memory of a micro-batch; dropout and stochastic depth draw the same noise."""
    name, settings, norm = architecture
    options = {"architecture": name, "config": settings, "batch_norm": norm}
    sgd = {"name": "sgd"}  # Adam would blow up the rounding of gradients that are zero, as of the keys' biases
    exact = trained(configured({"reduction": "exact"}, sgd, **options)).model.state_dict()
    sums = trained(configured({"reduction": "ddp", "accumulate": True}, sgd, **options)).model.state_dict()
    for key, tensor in sums.items():
        torch.testing.assert_close(tensor, exact[key], rtol=1e-4, atol=1e-6, msg=key)


def test_accumulation_never_holds_more_than_a_micro_batch(monkeypatch):
    config, rows = configured({"reduction": "ddp", "accumulate": True, "micro_batches": 6}), []
    learner = Learner(config, CONTEXT, CPU, 1, STEPS)
    learner.model.register_forward_pre_hook(lambda _, inputs: rows.append(len(inputs[0])))
    train(learner, config, epochs=[0])
    assert rows == [2] * 6 * STEPS


def test_the_average_is_evaluated_and_kept_and_survives_a_checkpoint():
    config = configured({"ema": 0.9})
    whole = trained(config)
    half = trained(config, epochs=[0])
    state = copy.deepcopy(half.state_dict())
    again = Learner(config, CONTEXT, CPU, 1, STEPS, fresh=False)
    again.load_state_dict(state)
    train(again, config, epochs=[1])
    assert same(again.weights(), whole.weights())
    assert same(again.model.state_dict(), whole.model.state_dict())
    assert not same(whole.weights(), whole.model.state_dict())
    images = torch.rand(2, 3, 12, 12)
    expected = torch.sigmoid(whole.evaluated(images).logits).detach()
    assert torch.equal(whole.probabilities(images), expected)
    whole.model.eval()
    assert not torch.equal(torch.sigmoid(whole.model(images).logits), expected)
    whole.load_weights(whole.model.state_dict())
    assert torch.equal(whole.probabilities(images), torch.sigmoid(whole.model(images).logits))


@pytest.mark.parametrize("schedule", ["onecycle", "cosine"])
def test_resuming_in_the_middle_changes_nothing(schedule):
    config = configured(
        {"ema": 0.5}, {"schedule": schedule, "layer_decay": 0.8, "backbone_lr_factor": 0.5, "decay_biases": False}
    )
    whole, half = trained(config), trained(config, epochs=[0])
    again = Learner(config, CONTEXT, CPU, 1, STEPS)
    again.load_state_dict(copy.deepcopy(half.state_dict()))
    assert same(train(again, config, epochs=[1]).model.state_dict(), whole.model.state_dict())


def test_channels_last_agrees_up_to_rounding():
    plain, laid = trained(configured()), trained(configured({"channels_last": True}))
    weight = laid.model.backbone.embedder.embedder.convolution.weight
    assert weight.is_contiguous(memory_format=torch.channels_last)
    for name, tensor in laid.weights().items():
        torch.testing.assert_close(tensor, plain.weights()[name], rtol=1e-2, atol=1e-3, msg=name)


def test_a_compiled_network_trains_the_same_and_keeps_its_names(monkeypatch):
    """With the backend that changes no arithmetic; what is tested is what we do around it."""
    made, real = [], torch.nn.Module.compile
    monkeypatch.setattr(torch.nn.Module, "compile", lambda m: (made.append(m), real(m, backend="aot_eager"))[1])
    compiled, plain = trained(configured({"compile": True, "ema": 0.5})), trained(configured({"ema": 0.5}))
    assert made == [compiled.model, compiled.evaluated] or made == [compiled.evaluated, compiled.model]
    weights = plain.weights()
    assert compiled.weights().keys() == weights.keys()
    for name, tensor in compiled.weights().items():
        torch.testing.assert_close(tensor, weights[name], rtol=1e-3, atol=1e-4, msg=name)


@pytest.mark.parametrize("architecture", ["resnet", "swin"])
@pytest.mark.parametrize("loss", ["bce", "asl"])
def test_bf16_trains_near_float32(architecture, loss):
    options = {"architecture": architecture, "config": {"resnet": RESNET, "swin": SWIN}[architecture]}
    half = trained(configured({"precision": "bf16", "loss": loss}, {"lr": 1e-3}, **options))
    full = trained(configured({"loss": loss}, {"lr": 1e-3}, **options))
    images = torch.rand(4, 3, 12, 12)
    half.model.eval(), full.model.eval()
    assert half.probabilities(images).dtype == torch.float32
    torch.testing.assert_close(half.probabilities(images), full.probabilities(images), rtol=0.1, atol=0.05)
    assert all(t.dtype in (torch.float32, torch.int64) for t in half.weights().values())


@pytest.mark.parametrize(("value", "finite"), [(1e30, True), (float("inf"), False), (float("nan"), False)])
def test_weights_whose_squares_overflow_are_finite(value, finite):
    learner = Learner(configured(), CONTEXT, CPU, 1, STEPS)
    with torch.no_grad():
        next(learner.model.parameters()).view(-1)[0] = value
    with nullcontext() if finite else pytest.raises(RunError, match="the weights are not finite"):
        learner.require_finite_weights()
