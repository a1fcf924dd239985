"""The batch sampler for a plain DataLoader: batches, ranks, mistakes, resumption."""

import subprocess
import sys
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch.utils.data import DataLoader, TensorDataset

from d2ace.selectors.api import Plan
from d2ace.selectors.common.errors import SelectionError
from d2ace.selectors.contract.inputs import require_same
from d2ace.selectors.d2ace import D2ACE
from d2ace.selectors.dataloader import SelectorBatchSampler, WithIndex
from d2ace.selectors.uniform import Uniform

N, L, B = 45, 4, 8  # batches of 8, the last one of 5
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(N, 3)), (RNG.random((N, L)) < 0.4).astype(np.int8)


def selector(batch_size=B):
    return D2ACE(labels=Y, features=X, batch_size=batch_size, epochs=8, seed=1, warmup=1, neighbours=2, pressure=30)


def seen(ids, epoch):
    """What a network that needs no training would show: a function of row and epoch."""
    p = np.stack([np.random.default_rng([epoch, int(i)]).random(L) for i in ids]) * 0.98 + 0.01
    return p, -np.log(np.where(Y[np.asarray(ids, int)] == 1, p, 1 - p))


def run_epoch(sampler, epoch, stop=None):
    """Feed an epoch, or its batches up to ``stop``; returns the batches."""
    sampler.set_epoch(epoch)
    batches = []
    for ids in sampler:
        sampler.observe(ids, *seen(ids, epoch))
        batches.append(ids)
        if len(batches) == stop:
            return batches
    sampler.end_epoch()
    return batches


def expected_batches(epochs):
    """The same run with the selector alone."""
    mine, found = selector(), []
    for epoch in range(epochs):
        plan = mine.plan(epoch)
        for ids in plan.batches:
            mine.observe(ids, *(a.astype(np.float32) for a in seen(ids, epoch)))
        mine.end_epoch(epoch)
        found.append([ids.tolist() for ids in plan.batches])
    return found


def test_batches_are_the_selectors_own():
    sampler = SelectorBatchSampler(selector())
    assert len(sampler) == 6
    assert [run_epoch(sampler, epoch) for epoch in range(4)] == expected_batches(4)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_gives_index_and_item_of_every_batch(workers):
    data = WithIndex(TensorDataset(torch.tensor(X), torch.tensor(Y)))
    assert len(data) == N
    sampler = SelectorBatchSampler(selector())
    loader = DataLoader(data, batch_sampler=sampler, num_workers=workers, persistent_workers=workers > 0)
    for epoch, expected in enumerate(expected_batches(2)):
        sampler.set_epoch(epoch)
        batches = []
        for ids, (x, y) in loader:
            np.testing.assert_array_equal(x, X[ids])
            np.testing.assert_array_equal(y, Y[ids])
            sampler.observe(ids, *(torch.tensor(a, requires_grad=True) for a in seen(ids, epoch)))
            batches.append(ids.tolist())
        sampler.end_epoch()
        assert batches == expected
        assert len(loader) == 6


@pytest.mark.parametrize("world", [2, 3])
def test_ranks_cut_every_batch_into_its_rows_once(world):
    samplers = [SelectorBatchSampler(selector(), rank=r, world_size=world) for r in range(world)]
    parts = []
    for sampler in samplers:
        sampler.set_epoch(0)
        parts.append(list(sampler))
    whole = [list(chain(*batch)) for batch in zip(*parts, strict=True)]
    assert whole == expected_batches(1)[0]
    sizes = np.array([[len(batch) for batch in rank] for rank in parts])
    assert (np.ptp(sizes, axis=0) <= 1).all()


def test_ranks_need_a_process_group():
    sampler = SelectorBatchSampler(selector(), rank=0, world_size=2)
    sampler.set_epoch(0)
    ids = next(iter(sampler))
    with pytest.raises(SelectionError, match="has 1 ranks, the sampler has world_size=2"):
        sampler.observe(ids, *seen(ids, 0))


def _ddp_rank(rank, world, folder):
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=world)
    sampler = SelectorBatchSampler(selector(batch_size=11), rank=rank, world_size=world)
    fed, weights = [], []
    for epoch in range(3):
        sampler.set_epoch(epoch)
        for ids in sampler:
            weights.extend(sampler.weights_of(ids))
            sampler.observe(ids, *seen(ids, epoch))
            fed.extend(ids)
        sampler.end_epoch()
    np.savez(folder / f"rank{rank}.npz", fed=fed, weights=weights, losses=sampler.state_dict()["selector"]["last_loss"])
    dist.destroy_process_group()


def test_under_ddp_every_rank_keeps_the_single_process_state(tmp_path, run_ranks):
    """The last batch has one row, so rank 0 stands in for it with weight 0."""
    run_ranks(_ddp_rank, (2, tmp_path), 2)
    alone = SelectorBatchSampler(selector(batch_size=11))
    batches = [batch for epoch in range(3) for batch in run_epoch(alone, epoch)]
    first, second = (np.load(tmp_path / f"rank{rank}.npz") for rank in range(2))
    np.testing.assert_array_equal(first["fed"], np.concatenate([b[: max(len(b) // 2, 1)] for b in batches]))
    np.testing.assert_array_equal(second["fed"], np.concatenate([b[len(b) // 2 :] for b in batches]))
    assert np.flatnonzero(first["weights"] == 0).tolist() == [20, 41, 62]
    assert second["weights"].all()
    for rank in (first, second):
        np.testing.assert_array_equal(rank["losses"], alone.state_dict()["selector"]["last_loss"])


def test_logits_say_the_same_as_probabilities_and_losses():
    logits = np.random.default_rng(5).normal(size=(N, L)) * 20
    by_logits, by_values = SelectorBatchSampler(selector()), SelectorBatchSampler(selector())
    for sampler in (by_logits, by_values):
        sampler.set_epoch(0)
    for ids, _ in zip(by_logits, by_values, strict=True):
        z = torch.tensor(logits[ids])
        losses = torch.nn.functional.binary_cross_entropy_with_logits(
            z, torch.tensor(Y[ids]).double(), reduction="none"
        )
        by_logits.observe_logits(ids, z.float())
        by_values.observe(torch.tensor(ids), z.sigmoid(), losses)
    a, b = (s.state_dict()["selector"] for s in (by_logits, by_values))
    np.testing.assert_allclose(a["last_loss"], b["last_loss"], atol=1e-5)
    np.testing.assert_allclose(a["predictions"], b["predictions"], atol=1e-6)


class Weighted(Uniform):
    """Weights each draw by its row."""

    def plan(self, epoch):
        plan = super().plan(epoch)
        return Plan(epoch, plan.ids, plan.offsets, draw_weights=plan.ids.astype(np.float32))


def test_weights_belong_to_the_rows_of_the_next_batch():
    sampler = SelectorBatchSampler(Weighted(Y, batch_size=B, epochs=2))
    sampler.set_epoch(0)
    for ids in sampler:
        assert sampler.weights_of(ids).tolist() == ids
        as_tensor = sampler.weights_of(torch.tensor(ids))
        assert as_tensor.dtype == torch.float32 and as_tensor.tolist() == ids
        with pytest.raises(SelectionError, match="has rows"):
            sampler.weights_of(ids[::-1])
        sampler.observe(ids, *seen(ids, 0))
    plain = SelectorBatchSampler(selector())
    plain.set_epoch(0)
    assert plain.weights_of(next(iter(plain))).tolist() == [1.0] * B


@pytest.mark.parametrize("stop", [2, 6])
def test_a_saved_state_goes_on_with_the_very_next_batch(stop):
    first = SelectorBatchSampler(selector())
    run_epoch(first, 0)
    done = run_epoch(first, 1, stop=stop)
    second = SelectorBatchSampler(selector())
    second.load_state_dict(first.state_dict())
    with pytest.raises(SelectionError, match=r"needs set_epoch\(1\)"):
        iter(second)
    second.set_epoch(1)
    assert len(second) == 6 - stop
    done += run_epoch(second, 1)
    assert [done, run_epoch(second, 2)] == expected_batches(3)[1:]
    assert len(second) == 6


def test_fetching_ahead_does_not_count_as_done():
    sampler = SelectorBatchSampler(selector())
    sampler.set_epoch(0)
    batches = list(sampler)
    sampler.observe(batches[0], *seen(batches[0], 0))
    assert sampler.state_dict()["observed_batches"] == 1


def test_a_state_of_another_kind_is_refused():
    with pytest.raises(SelectionError, match="schema None, expected 1"):
        SelectorBatchSampler(selector()).load_state_dict({})
    other = SelectorBatchSampler(Uniform(Y, batch_size=B, epochs=2))
    with pytest.raises(SelectionError, match="saved by method 'uniform'"):
        SelectorBatchSampler(selector()).load_state_dict(other.state_dict())


def opened(iterate=True):
    sampler = SelectorBatchSampler(selector())
    sampler.set_epoch(0)
    return (sampler, list(sampler)) if iterate else sampler


def test_forgotten_calls_are_named():
    with pytest.raises(SelectionError, match=r"iterating needs set_epoch\(0\) first"):
        iter(SelectorBatchSampler(selector()))
    with pytest.raises(SelectionError, match=r"expected set_epoch\(0\), got 1"):
        SelectorBatchSampler(selector()).set_epoch(1)
    with pytest.raises(SelectionError, match=r"end_epoch\(\) before epoch 0 was iterated"):
        opened(iterate=False).end_epoch()
    sampler, _ = opened()
    sampler.set_epoch(0)  # frameworks call it twice
    with pytest.raises(SelectionError, match=r"epoch 0 was iterated already: call end_epoch\(\)"):
        iter(sampler)
    with pytest.raises(SelectionError, match=r"epoch 0 is still open: call end_epoch\(\)"):
        sampler.set_epoch(1)
    with pytest.raises(SelectionError, match=r"0 of the 6 batches of epoch 0 were observed: call observe"):
        sampler.end_epoch()


def test_uniform_needs_no_observations():
    sampler = SelectorBatchSampler(Uniform(Y, batch_size=B, epochs=2))
    for epoch in range(2):
        sampler.set_epoch(epoch)
        assert sorted(chain(*sampler)) == list(range(N))
        sampler.end_epoch()


def test_an_epoch_cut_short_is_told():
    sampler = SelectorBatchSampler(selector())
    run_epoch(sampler, 0, stop=4)
    with pytest.warns(UserWarning, match="4 of the 6 batches"):
        sampler.end_epoch()
    sampler.set_epoch(1)


def test_wrong_observations_are_refused():
    sampler, batches = opened()
    p, losses = seen(batches[0], 0)
    with pytest.raises(SelectionError, match="batch 0 of epoch 0 has rows"):
        sampler.observe(batches[1], p, losses)
    with pytest.raises(SelectionError, match=r"losses must be .* = \(8, 4\), got \(8, 3\)"):
        sampler.observe(batches[0], p, losses[:, :3])
    for ids in batches:
        sampler.observe(ids, *seen(ids, 0))
    with pytest.raises(SelectionError, match="all 6 batches of epoch 0 were observed already"):
        sampler.observe(batches[-1], *seen(batches[-1], 0))


def test_a_rank_outside_the_world_is_refused():
    with pytest.raises(SelectionError, match=r"rank must be 0\.\.1 for world_size=2, got 2"):
        SelectorBatchSampler(selector(), rank=2, world_size=2)


def test_importing_it_imports_neither_torch_nor_ray():
    code = "import sys, d2ace.selectors.dataloader; assert not {'torch', 'ray'} & set(sys.modules), 'imported'"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).resolve().parents[2])


def test_logits_of_a_network_that_diverged_are_no_losses_of_0():
    sampler, plain = (SelectorBatchSampler(selector()) for _ in range(2))
    for each in (sampler, plain):
        each.set_epoch(0)
    ids = next(iter(sampler))
    next(iter(plain))
    sampler.observe_logits(ids, np.full((len(ids), L), np.nan))
    plain.observe(ids, np.full((len(ids), L), np.nan), np.full((len(ids), L), np.nan))
    require_same(sampler.selector.state_dict(), plain.selector.state_dict())
    assert sampler.selector.summary()["unusable_losses"] == len(ids) * L


def test_logits_of_other_rows_or_another_shape_are_refused_before_their_labels_are_looked_up():
    sampler = SelectorBatchSampler(selector())
    sampler.set_epoch(0)
    ids = next(iter(sampler))
    with pytest.raises(SelectionError, match="batch 0 of epoch 0 has rows"):
        sampler.observe_logits([99] * len(ids), np.zeros((len(ids), L)))
    with pytest.raises(SelectionError, match=r"logits must be \(rows of the batch, labels\) = \(8, 4\), got \(8, 3\)"):
        sampler.observe_logits(ids, np.zeros((len(ids), L - 1)))


@pytest.mark.parametrize(
    "wrong", [{"batch_size": "x"}, {"batch_size": None}, {"batch_size": np.nan}, {"epochs": 0}, {"seed": None}]
)
def test_sizes_and_seeds_that_are_no_numbers_are_refused_in_words(wrong):
    with pytest.raises(SelectionError, match=f"{next(iter(wrong))} must be a whole number of at least"):
        Uniform(labels=Y, **{"batch_size": 4, "epochs": 2, **wrong})
    with pytest.raises(SelectionError, match=r"row must be a position 0\.\.44, got 'a'"):
        selector().explain("a")
