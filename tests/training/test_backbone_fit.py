"""A whole run of a pretrained backbone: the source is read once, and never needed again."""

import shutil

import pytest
import torch

transformers = pytest.importorskip("transformers")

from d2ace.pipeline import fit  # noqa: E402
from d2ace.pipeline.common.config.config import Config  # noqa: E402
from d2ace.pipeline.common.errors import ConfigError  # noqa: E402
from d2ace.pipeline.data import digit_scenes  # noqa: E402
from d2ace.pipeline.runs.trained_model import TrainedModel  # noqa: E402
from d2ace.pipeline.runs.trained_run import TrainedRun  # noqa: E402
from d2ace.pipeline.training.driver import resume  # noqa: E402

RESNET = {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"}


def configured(data, source, storage, name, **run):
    return {
        "data": {"path": str(data)},
        "model": {"name": "huggingface", "options": {"source": str(source), "batch_norm": "batch"}},
        "selector": {
            "name": "infobatch",  # row weights, and with the policy entry targets and weights: planted, then rejected
            "options": {"prune": 0.5},
            "entries": {"policy": "reject", "options": {"release": 2, "ramp": 1, "gate": 0, "skill": 0}},
        },
        "optimizer": {"lr": 0.003, "schedule": "onecycle", "backbone_lr_factor": 0.3, "layer_decay": 0.8},
        "train": {"epochs": 4, "batch_size": 40, "ema": 0.9},
        "run": {"name": name, "storage": str(storage), "keep_checkpoints": 2, **run},
    }


@pytest.mark.slow("two workers, and images")
@pytest.mark.usefixtures("ray_session")
def test_a_pretrained_run_is_equal_for_two_workers_resumes_and_scores_without_its_source(tmp_path):
    data = tmp_path / "scenes"
    digit_scenes.build(data, rows=200)
    source = tmp_path / "pretrained"
    torch.manual_seed(1)
    transformers.AutoModel.from_config(transformers.AutoConfig.for_model("resnet", **RESNET)).save_pretrained(source)
    one = fit(configured(data, source, tmp_path, "one", workers=0), quiet=True)
    two = fit(configured(data, source, tmp_path, "two", workers=2), quiet=True)
    shutil.rmtree(source)
    weights = [torch.load(result.folder / "model.pt", weights_only=True) for result in (one, two)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert [r["train_loss"] for r in one.history] == [r["train_loss"] for r in two.history]
    flagged = [[r["selection/entries_flagged"] for r in result.history] for result in (one, two)]
    assert flagged[0] == flagged[1] and flagged[0][0] == 0 < flagged[0][-1]
    kept = Config.load(one.folder / "config.yaml").model.options
    assert kept["architecture"] == "resnet" and kept["config"]["hidden_sizes"] == [8, 16]
    for newer in one.folder.glob("checkpoints/epoch-00004*"):
        shutil.rmtree(newer)
    again = resume(one.folder, quiet=True)
    assert [r["train_loss"] for r in again.history] == [r["train_loss"] for r in one.history]
    resumed = torch.load(again.folder / "model.pt", weights_only=True)
    assert all(torch.equal(resumed[name], weights[0][name]) for name in resumed)
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
