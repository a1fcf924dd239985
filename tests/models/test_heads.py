"""The query head against torch's own decoder layer and the paper's formula for groups."""

import pytest
import torch
from torch import nn

from d2ace.pipeline.common.errors import ConfigError
from d2ace.pipeline.models.heads import Features, LinearHead, QueryHead

WIDTH, HEADS = 16, 4


def made(labels=7, queries=3, features=12):
    torch.manual_seed(0)
    return QueryHead(features, torch.linspace(-1, 1, labels), 0.0, width=WIDTH, queries=queries, attention_heads=HEADS)


def seen(rows=5, features=12, positions=9):
    generator = torch.Generator().manual_seed(1)
    return Features(
        torch.randn(rows, features, generator=generator), torch.randn(rows, positions, features, generator=generator)
    )


def torch_decoder(head):
    """torch's decoder layer, its self-attention switched off by weights of zero."""
    layer = nn.TransformerDecoderLayer(WIDTH, HEADS, 4 * WIDTH, dropout=0.0, batch_first=True)
    nn.init.zeros_(layer.self_attn.out_proj.weight)
    nn.init.zeros_(layer.self_attn.out_proj.bias)
    layer.multihead_attn.load_state_dict(head.attention.state_dict())
    for ours, theirs in zip(head.norms, (layer.norm1, layer.norm2, layer.norm3), strict=True):
        nn.init.uniform_(ours.weight, 0.5, 1.5)
        theirs.load_state_dict(ours.state_dict())
    layer.linear1.load_state_dict(head.widen.state_dict())
    layer.linear2.load_state_dict(head.narrow.state_dict())
    return layer


def test_is_torchs_decoder_layer_without_self_attention_and_the_papers_groups():
    head, features = made(), seen()
    memory = torch.relu(head.project(features.positions))
    answers = torch_decoder(head)(head.queries.expand(5, -1, -1), memory)
    group = 3  # ceil(7 / 3)
    expected = torch.empty(5, 7)
    for label in range(7):
        k, j = divmod(label, group)
        expected[:, label] = answers[:, k] @ head.group_weights[k, :, j] + head.bias[label]
    torch.testing.assert_close(head(features), expected)


@pytest.mark.parametrize(("labels", "queries", "count"), [(7, 3, 3), (5, 100, 5), (10, 4, 4), (9, 4, 3), (1, 100, 1)])
def test_every_query_has_labels_and_every_label_a_query(labels, queries, count):
    head = made(labels, queries)
    assert head.queries.shape == (count, WIDTH)
    logits = head(seen())
    assert logits.shape == (5, labels)
    logits.sum(0).prod().backward()
    assert head.queries.grad.abs().sum(1).min() > 0


def test_looks_at_all_positions_and_not_at_their_order():
    head, features = made().eval(), seen()
    mixed = Features(features.pooled, features.positions[:, torch.randperm(9)])
    torch.testing.assert_close(head(mixed), head(features))
    fewer = Features(features.pooled, features.positions[:, 1:])
    assert not torch.allclose(head(fewer), head(features))


def test_logits_start_near_the_bias():
    """From label frequencies: the first epochs are not spent on learning that most labels are rare."""
    torch.manual_seed(0)
    bias = torch.linspace(-4, 0, 40)
    for head in (QueryHead(64, bias, width=64), LinearHead(64, bias)):
        logits = head.eval()(seen(16, 64))
        assert torch.corrcoef(torch.stack([logits.mean(0), bias]))[0, 1] > 0.95


def test_refuses_a_width_that_the_attention_heads_do_not_divide():
    with pytest.raises(ConfigError, match="multiple of attention_heads=3, got 16"):
        QueryHead(8, torch.zeros(4), width=16, attention_heads=3)
