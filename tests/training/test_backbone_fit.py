"""A whole run of a pretrained backbone: its workers change no bit, its source is read once and never needed again."""

import shutil

import numpy as np
import pytest
import torch
from small_table import orders

transformers = pytest.importorskip("transformers")

from d2ace.pipeline import fit  # noqa: E402
from d2ace.pipeline.common.config.config import Config  # noqa: E402
from d2ace.pipeline.common.errors import ConfigError  # noqa: E402
from d2ace.pipeline.data import digit_scenes  # noqa: E402
from d2ace.pipeline.runs.trained_model import TrainedModel  # noqa: E402
from d2ace.pipeline.runs.trained_run import TrainedRun  # noqa: E402
from d2ace.pipeline.selection.files import SelectionFiles  # noqa: E402
from d2ace.pipeline.selection.recording import read_recording  # noqa: E402
from d2ace.pipeline.training.driver import resume  # noqa: E402

RESNET = {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"}


def configured(data, source, storage, name, **run):
    head = {"head_options": {"dropout": 0.3}}
    return {
        "data": {"path": str(data)},
        "model": {"name": "huggingface", "options": {"source": str(source), "batch_norm": "batch", **head}},
        "selector": {
            "name": "infobatch",  # row weights, and with the policy entry weights
            "options": {"prune": 0.5},
            "entries": {"policy": "reject", "options": {"release": 2, "ramp": 1, "gate": 0, "skill": 0}},
        },
        "optimizer": {"lr": 0.003, "schedule": "onecycle", "backbone_lr_factor": 0.3, "layer_decay": 0.8},
        "train": {"epochs": 4, "batch_size": 40, "ema": 0.9, "grad_clip": 0.5},
        "run": {"name": name, "storage": str(storage), "keep_checkpoints": 2, "record_observations": True, **run},
    }


def assert_same_run(result, reference):
    """Batches, what the method was told, losses, metrics and weights agree to the last bit."""
    assert orders(result.folder) == orders(reference.folder)
    for epoch in range(4):
        seen, expected = (read_recording(SelectionFiles(r.folder), epoch) for r in (result, reference))
        for name in ("ids", "offsets", "probabilities", "losses"):
            np.testing.assert_array_equal(getattr(seen, name), getattr(expected, name))
    for name in ("train_loss", "selection/entries_flagged"):
        assert [r[name] for r in result.history] == [r[name] for r in reference.history]
    assert result.test == reference.test
    weights, expected = (torch.load(r.folder / "model.pt", weights_only=True) for r in (result, reference))
    assert all(torch.equal(weights[name], expected[name]) for name in expected)


@pytest.mark.slow("three workers, and images")
@pytest.mark.usefixtures("ray_session")
def test_a_pretrained_run_is_equal_for_three_workers_resumes_and_scores_without_its_source(tmp_path):
    """With dropout, clipping, row weights, entry policy and running statistics.

    One and two workers: ``test_resume``; embeddings: ``test_several_nodes``.
    """
    data = tmp_path / "scenes"
    digit_scenes.build(data, rows=200)
    source = tmp_path / "pretrained"
    torch.manual_seed(1)
    transformers.AutoModel.from_config(transformers.AutoConfig.for_model("resnet", **RESNET)).save_pretrained(source)
    one = fit(configured(data, source, tmp_path, "one", workers=0), quiet=True)
    three = fit(configured(data, source, tmp_path, "three", workers=3), quiet=True)
    shutil.rmtree(source)
    assert len(set(orders(one.folder))) == 4
    assert_same_run(three, one)
    flagged = [r["selection/entries_flagged"] for r in one.history]
    assert flagged[0] == 0 < flagged[-1]
    kept = Config.load(one.folder / "config.yaml").model.options
    assert kept["architecture"] == "resnet" and kept["config"]["hidden_sizes"] == [8, 16]
    for newer in one.folder.glob("checkpoints/epoch-00004*"):
        shutil.rmtree(newer)
    again = resume(one.folder, quiet=True)
    assert again.history[3]["train_s"] != one.history[3]["train_s"]  # it was trained again
    assert_same_run(again, three)
    model = TrainedModel(TrainedRun.open(one.folder), torch.device("cpu"))
    assert torch.isfinite(model.logits(torch.rand(2, *model.run.data.context.input_shape))).all()


def test_what_a_network_cannot_have_is_said_before_anything_starts(tmp_path):
    config = configured(tmp_path, tmp_path / "none", tmp_path, "a")
    with pytest.raises(ConfigError, match="cannot be read"):
        fit(config)
    flat = {**config, "model": {"name": "small-cnn"}}
    with pytest.raises(ConfigError, match=r"optimizer\.layer_decay need .* backbone, got network 'small-cnn'"):
        fit(flat)
    assert not (tmp_path / "a").exists()
