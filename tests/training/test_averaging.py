"""The moving average of weights against the formula, number by number."""

import io

import torch
from torch import nn

from d2ace.pipeline.training.averaging import WeightAverage


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(3))
        self.register_buffer("count", torch.zeros(()))


def moved(model, step):
    with torch.no_grad():
        model.weight.copy_(torch.tensor([1.0, -2.0, 0.5]) * (step + 1) ** 2)
        model.count.fill_(step)


def test_follows_the_formula_and_copies_buffers():
    model = Network()
    average = WeightAverage(model, 0.6)
    expected = None
    for step in range(12):
        moved(model, step)
        average.update_parameters(model)
        if expected is None:
            expected = model.weight.detach().clone()
        else:
            decay = min(0.6, (1 + step) / (10 + step))
            expected = decay * expected + (1 - decay) * model.weight.detach()
        torch.testing.assert_close(average.module.weight.detach(), expected)
        assert average.module.count == step
    assert not torch.allclose(average.module.weight, model.weight)


def test_goes_on_from_its_state_with_the_same_numbers():
    model, whole = Network(), []
    average = WeightAverage(model, 0.9)
    for step in range(8):
        moved(model, step)
        average.update_parameters(model)
        whole.append(average.module.weight.detach().clone())
        if step == 3:
            file = io.BytesIO()
            torch.save(average.state_dict(), file)
    file.seek(0)
    again = WeightAverage(model, 0.9)
    again.load_state_dict(torch.load(file, weights_only=True))
    for step in range(4, 8):
        moved(model, step)
        again.update_parameters(model)
        assert torch.equal(again.module.weight, whole[step])


def test_only_evaluates():
    average = WeightAverage(nn.Sequential(nn.Dropout(0.5)), 0.5)
    average.train()
    assert not average.module[0].training
