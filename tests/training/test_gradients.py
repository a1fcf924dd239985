"""The exact reduction: same bits for every number of workers, and the gradient autograd gives."""

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import nn

from d2ace.pipeline.training.gradients import ExactReducer, flat_gradient, micro_batch_bounds, rank_parts

PARTS, ROWS = 6, 50


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(9, 33), nn.ReLU(), nn.Linear(33, 5))


def batch():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(ROWS, 9, generator=generator), torch.rand(ROWS, 5, generator=generator).round()


def part_loss(model, features, labels, part, scale=1.0):
    low, high = micro_batch_bounds(ROWS, PARTS)[part : part + 2]
    entry = nn.functional.binary_cross_entropy_with_logits(
        model(features[low:high].clone()), labels[low:high], reduction="none"
    )
    return scale * entry.mean(dim=1).sum() / ROWS


def reduced(parts, group=None, scale=1.0):
    torch.set_num_threads(1)
    model = network()
    reducer = ExactReducer(model.parameters(), group)
    reducer.reset()
    for part in parts:
        part_loss(model, *batch(), part, scale).backward()
        reducer.add()
    assert reducer.reduce()
    return flat_gradient(model.parameters())


@pytest.mark.parametrize(("n", "parts"), [(10, 3), (3, 5), (0, 2), (128, 4), (7, 7)])
def test_bounds_cut_all_rows_into_contiguous_even_parts(n, parts):
    bounds = micro_batch_bounds(n, parts)
    sizes = np.diff(bounds)
    assert bounds.dtype == np.int64
    assert len(bounds) == parts + 1
    assert (bounds[0], bounds[-1]) == (0, n)
    assert sizes.max() - sizes.min() <= 1


@pytest.mark.parametrize(("parts", "world"), [(6, 1), (6, 4), (5, 5), (7, 3)])
def test_every_part_belongs_to_one_rank(parts, world):
    shares = [rank_parts(parts, rank, world) for rank in range(world)]
    assert [part for share in shares for part in share] == list(range(parts))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert min(map(len, shares)) >= 1


def test_refuses_impossible_cuts():
    with pytest.raises(ValueError, match="2 micro-batches cannot occupy 3 workers"):
        rank_parts(2, 0, 3)
    with pytest.raises(ValueError, match=r"rank must be 0\.\.1, got 2"):
        rank_parts(4, 2, 2)
    with pytest.raises(ValueError, match="parts >= 1"):
        micro_batch_bounds(4, 0)


def test_agrees_with_autograd_on_the_whole_batch():
    model = network()
    nn.functional.binary_cross_entropy_with_logits(model(batch()[0]), batch()[1]).backward()
    torch.testing.assert_close(reduced(range(PARTS)), flat_gradient(model.parameters()), rtol=0, atol=1e-6)


def test_the_order_of_micro_batches_does_not_change_a_bit():
    assert torch.equal(reduced(range(PARTS)), reduced([4, 0, 5, 2, 1, 3]))


def test_a_power_of_two_loss_scale_only_scales():
    plain, scaled = reduced(range(PARTS)), reduced(range(PARTS), scale=1024.0)
    torch.testing.assert_close(scaled / 1024, plain, rtol=1e-6, atol=1e-11)


def test_plain_float_sums_would_depend_on_the_order():
    """The reason for all this: if it ever holds for floats too, the test above shows nothing."""
    model, sums = network(), []
    for order in (range(PARTS), [4, 0, 5, 2, 1, 3]):
        model.zero_grad()
        for part in order:
            part_loss(model, *batch(), part).backward()
        sums.append(flat_gradient(model.parameters()))
    assert not torch.equal(*sums)


def _worker(rank, folder):
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=3)
    groups = {1: dist.new_group([0]), 2: dist.new_group([0, 1]), 3: dist.new_group([0, 1, 2])}
    for world, group in groups.items():
        if rank < world:
            torch.save(reduced(rank_parts(PARTS, rank, world), group), f"{folder}/{world}-{rank}.pt")
    model = network()
    reducer = ExactReducer(model.parameters())
    reducer.reset()
    (part_loss(model, *batch(), rank) * (torch.inf if rank == 1 else 1.0)).backward()
    reducer.add()
    usable = reducer.reduce()
    torch.save((usable, bool(flat_gradient(model.parameters()).isnan().all())), f"{folder}/flag-{rank}.pt")
    dist.destroy_process_group()


def test_one_two_and_three_processes_get_the_same_bits(tmp_path, run_ranks):
    run_ranks(_worker, (str(tmp_path),), 3)
    expected = reduced(range(PARTS))
    results = {path.name: torch.load(path) for path in tmp_path.glob("[123]-*.pt")}
    assert len(results) == 6
    for name, gradient in results.items():
        assert torch.equal(gradient, expected), name
    flags = [torch.load(tmp_path / f"flag-{rank}.pt") for rank in range(3)]
    assert flags == [(False, True)] * 3, "one rank's infinite gradient must reach all"


@pytest.mark.parametrize("values", [[torch.nan], [torch.inf], [-torch.inf], [2.0**22], [-5e6], [3e6, 2e6]])
def test_refuses_gradients_that_fixed_point_cannot_hold(values):
    parameters = [nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(2))]
    reducer = ExactReducer(parameters)
    reducer.reset()
    for value in values:
        parameters[0].grad = torch.tensor([0.0, value, 1.0])
        reducer.add()
    assert not reducer.reduce()
    assert flat_gradient(parameters).isnan().all()
    reducer.reset()
    parameters[0].grad = torch.tensor([1.0, 2.0, 3.0])
    reducer.add()
    assert reducer.reduce(), "one bad step must not spoil the next"
    assert flat_gradient(parameters).tolist() == [1.0, 2.0, 3.0, 0.0, 0.0]


def test_the_sum_of_large_gradients_does_not_overflow():
    parameter = nn.Parameter(torch.zeros(1))
    reducer = ExactReducer([parameter])
    reducer.reset()
    for _ in range(4):
        parameter.grad = torch.tensor([-1e6])
        reducer.add()
    assert reducer.reduce()
    assert parameter.grad.item() == -4e6


def test_small_gradients_keep_their_absolute_precision():
    parameter = nn.Parameter(torch.zeros(3))
    reducer = ExactReducer([parameter])
    parameter.grad = torch.tensor([1.2345678e-7, -1e-13, 0.1])
    reducer.add()
    assert reducer.reduce()
    torch.testing.assert_close(parameter.grad, torch.tensor([1.2345678e-7, 0.0, 0.1]), rtol=1e-7, atol=2**-41)


def test_add_drops_the_gradient_and_keeps_the_parameters_dtype():
    parameter = nn.Parameter(torch.zeros(2, dtype=torch.bfloat16))
    frozen = nn.Parameter(torch.zeros(2), requires_grad=False)
    reducer = ExactReducer([parameter, frozen])
    parameter.grad = torch.ones(2, dtype=torch.bfloat16)
    reducer.add()
    assert parameter.grad is None
    assert reducer.reduce()
    assert parameter.grad.dtype == torch.bfloat16
    assert parameter.grad.tolist() == [1.0, 1.0]
    assert frozen.grad is None


def test_refuses_a_network_with_nothing_to_train():
    with pytest.raises(ValueError, match="got parameters on: none"):
        ExactReducer([nn.Parameter(torch.zeros(2), requires_grad=False)])
