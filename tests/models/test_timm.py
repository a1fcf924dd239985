"""How timm's networks lay out their features. A stand-in has timm's interface: timm itself needs a torchvision."""

import sys
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from d2ace.pipeline import models
from d2ace.pipeline.models.api import ModelContext

WIDTH, POOLED = 6, 10
LAYOUTS = {"NCHW": (0, 3, 1, 2), "NHWC": (0, 1, 2, 3), "tokens": None}


class StandIn(nn.Module):
    """Features of 2 x 2 pixels as timm's networks return them, and a wider layer after pooling."""

    def __init__(self, layout, channels):
        super().__init__()
        self.num_features, self.layout = WIDTH, LAYOUTS[layout]
        self.linear, self.wide = nn.Linear(channels, WIDTH), nn.Linear(WIDTH, POOLED)

    def forward_features(self, images):
        seen = self.linear(images[:, :, :2, :4].permute(0, 2, 3, 1))
        return seen.flatten(1, 2) if self.layout is None else seen.permute(self.layout)

    def forward_head(self, features, pre_logits):
        assert pre_logits
        width = features.shape.index(WIDTH, 1)
        return self.wide(features.movedim(width, 1).flatten(2).mean(2))


@pytest.fixture
def timm(monkeypatch):
    made = SimpleNamespace(list_models=lambda: list(LAYOUTS), asked=[])

    def create_model(architecture, pretrained, **options):
        made.asked.append((architecture, pretrained, options))
        model = StandIn(architecture.partition(".")[0], options["in_chans"])
        if pretrained:
            nn.init.constant_(model.linear.weight, 0.5)
        return model

    made.create_model = create_model
    monkeypatch.setitem(sys.modules, "timm", made)
    return made


def create(layout, **options):
    context = ModelContext(4, (3, 8, 8), (3, 2, 5, 1), 20)
    return models.create("timm", context, architecture=layout, **options)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_positions_are_rows_whatever_the_layout(timm, layout):
    model, images = create(layout), torch.rand(5, 3, 8, 8)
    seen = model.backbone.linear(images[:, :, :2, :4].permute(0, 2, 3, 1)).flatten(1, 2)
    features = model.features(images)
    torch.testing.assert_close(features.positions, seen)
    torch.testing.assert_close(features.pooled, model.backbone.wide(seen.mean(1)))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_head_takes_the_width_that_it_sees(timm, layout):
    settings = {"width": 8, "attention_heads": 2}
    query, linear = create(layout, head="query", head_options=settings), create(layout)
    assert query.head.project.in_features == WIDTH
    assert linear.head.linear.in_features == POOLED
    for model in (query, linear):
        assert model(torch.rand(5, 3, 8, 8)).logits.shape == (5, 4)


def test_pretrained_weights_are_asked_for_once_the_network_is_made(timm):
    model = create("NCHW.a1_in1k", pretrained=True, config={"drop_path_rate": 0.1})
    assert not (model.backbone.linear.weight == 0.5).all()
    model.load_pretrained()
    assert (model.backbone.linear.weight == 0.5).all()
    options = {"num_classes": 0, "in_chans": 3, "drop_path_rate": 0.1}
    assert timm.asked == [("NCHW.a1_in1k", False, options), ("NCHW.a1_in1k", True, options)]
