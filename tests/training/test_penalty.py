"""What a network adds to the loss of a batch by itself counts once for each row, and not for stand-ins."""

import numpy as np
import pytest
import torch
from small_config import small_config

from d2ace.pipeline.feeds.api import Part
from d2ace.pipeline.models.api import ModelContext
from d2ace.pipeline.training.learner import Learner
from d2ace.pipeline.training.micro_batch import STAND_IN, MicroBatch

ROWS, LABELS, FEATURES = 6, 4, 7


def trained(name, tmp_path, *, stand_ins):
    """The weights after a step on some rows, beside micro-batches that keep other ranks in step."""
    config = small_config(tmp_path, tmp_path, f"model.name={name}", "model.options={}", "train.reduction=ddp")
    context = ModelContext(LABELS, (FEATURES,), (3,) * LABELS, ROWS, np.eye(LABELS, dtype=np.float32))
    learner = Learner(config, context, torch.device("cpu"), 1, 2)
    rng = np.random.default_rng(0)
    features = torch.tensor(rng.normal(size=(ROWS, FEATURES)).astype(np.float32))
    labels = torch.tensor((rng.random((ROWS, LABELS)) < 0.5).astype(np.float32))
    real = MicroBatch(Part(np.arange(ROWS), features, labels))
    other = Part(np.arange(1), features[:1], labels[:1])
    extra = [MicroBatch(other, weights=torch.zeros(1), number=STAND_IN) for _ in range(stand_ins)]
    learner.step([real, *extra], ROWS)
    return learner.model.state_dict()


@pytest.mark.parametrize("name", ["c2ae", "clif"])
def test_stand_ins_move_no_weight(name, tmp_path):
    alone, beside = (trained(name, tmp_path, stand_ins=count) for count in (0, 2))
    assert alone.keys() == beside.keys()
    for key in alone:
        torch.testing.assert_close(beside[key], alone[key], rtol=0, atol=0, msg=key)
