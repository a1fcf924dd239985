"""Transformers' networks: features equal theirs, weights from a folder, batch normalisation, no hub."""

import builtins
import json
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from small_backbones import CONFIGS, QUERY, RESNET

transformers = pytest.importorskip("transformers")
hub_constants = pytest.importorskip("huggingface_hub.constants")

from d2ace.pipeline import models  # noqa: E402
from d2ace.pipeline.common.errors import ConfigError  # noqa: E402
from d2ace.pipeline.models.api import ModelContext  # noqa: E402
from d2ace.pipeline.models.batch_norm import FrozenBatchNorm, MicroBatchNorm  # noqa: E402


def context(size=16, channels=3, labels=4):
    return ModelContext(labels, (channels, size, size), (5,) * labels, 20)


def images(size=16, channels=3, rows=4):
    return torch.rand(rows, channels, size, size, generator=torch.Generator().manual_seed(2))


def scratch(architecture, **settings):
    torch.manual_seed(0)
    return models.create("huggingface", context(), architecture=architecture, config=CONFIGS[architecture], **settings)


@pytest.fixture(scope="module", params=sorted(CONFIGS))
def checkpoint(request, tmp_path_factory) -> Path:
    """A classification checkpoint of three other labels, as a hub holds them."""
    folder = tmp_path_factory.mktemp("hub") / request.param
    torch.manual_seed(7)
    settings = {**CONFIGS[request.param], "image_size": 16, "num_labels": 3}
    config = transformers.AutoConfig.for_model(request.param, **settings)
    model = transformers.AutoModelForImageClassification.from_config(config)
    for layer in model.modules():  # as if trained: statistics that are not 0 and 1
        if isinstance(layer, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(layer.running_mean, -1, 1)
            torch.nn.init.uniform_(layer.running_var, 0.5, 2)
    model.save_pretrained(folder)
    return folder


def theirs(folder, pixels):
    """What the body of transformers' own classifier gives it."""
    model = transformers.AutoModelForImageClassification.from_pretrained(folder).eval()
    body = getattr(model, model.base_model_prefix)
    output = body(pixels)
    pooled = getattr(output, "pooler_output", None)
    if pooled is None:
        pooled = output.last_hidden_state[:, 0]
    return pooled.flatten(1)


def test_a_folder_gives_transformers_own_features_bit_for_bit(checkpoint):
    model = models.create("huggingface", context(), source=str(checkpoint)).eval()
    with torch.no_grad():
        before = model.embed(images())
        model.load_pretrained()
        got, expected = model.embed(images()), theirs(checkpoint, images())
    assert torch.equal(got, expected)
    assert not torch.allclose(before, expected), "creation alone must not load weights"


def test_settings_that_a_run_keeps_make_the_network_again_without_the_folder(checkpoint, tmp_path):
    moved = tmp_path / "gone"
    shutil.copytree(checkpoint, moved)
    options = {"source": str(moved), **QUERY}
    model = models.create("huggingface", context(), **options)
    model.load_pretrained()
    kept = yaml.safe_load(yaml.safe_dump(json.loads(json.dumps(models.resolve("huggingface", options)))))
    assert models.resolve("huggingface", kept) == kept, "resolving twice must change nothing"
    shutil.rmtree(moved)
    again = models.create("huggingface", context(), **kept)
    again.load_state_dict(model.state_dict())
    assert torch.equal(again.eval()(images()).logits, model.eval()(images()).logits)
    with pytest.raises(ConfigError, match="cannot be loaded"):
        again.load_pretrained()


def test_a_repository_of_the_hub_is_pinned_and_comes_from_the_local_cache(tmp_path, monkeypatch):
    """A cache as the hub's library lays it out, and no network."""
    monkeypatch.setattr(hub_constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(hub_constants, "HF_HUB_OFFLINE", True)
    commit = "0123456789abcdef0123456789abcdef01234567"
    repository = tmp_path / "models--org--tiny"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    config = transformers.AutoConfig.for_model("resnet", **RESNET)
    transformers.AutoModelForImageClassification.from_config(config).save_pretrained(repository / "snapshots" / commit)
    kept = models.resolve("huggingface", {"source": "org/tiny"})
    assert kept["revision"] == commit
    assert models.resolve("huggingface", kept) == kept
    model = models.create("huggingface", context(16), **kept).eval()
    model.load_pretrained()
    body = transformers.AutoModel.from_pretrained("org/tiny").eval()
    with torch.no_grad():
        assert torch.equal(model.embed(images(16)), body(images(16)).pooler_output.flatten(1))


@pytest.mark.parametrize("architecture", sorted(CONFIGS))
def test_another_image_size_and_grey_images_work(architecture, tmp_path):
    scratch(architecture, batch_norm="batch").backbone.save_pretrained(tmp_path)
    for size, channels in ((24, 3), (16, 1)):
        model = models.create("huggingface", context(size, channels), source=str(tmp_path)).eval()
        model.load_pretrained()
        logits = model(images(size, channels)).logits
        assert logits.shape == (4, 4)
        assert torch.isfinite(logits).all()
    grey = images(channels=1)
    colour = models.create("huggingface", context(), source=str(tmp_path)).eval()
    colour.load_state_dict(model.state_dict())
    assert torch.equal(model.embed(grey), colour.embed(grey.repeat(1, 3, 1, 1)))


@pytest.mark.parametrize("head", ["linear", "query"])
@pytest.mark.parametrize("architecture", sorted(CONFIGS))
def test_every_architecture_trains_from_scratch_with_both_heads(architecture, head):
    model = scratch(architecture, **(QUERY if head == "query" else {}))
    model(images()).logits.square().sum().backward()
    for name, parameter in model.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name
    names = [name for name, p in model.named_parameters() if not p.requires_grad]
    assert all("mask_token" in name or "layernorm" in name for name in names), names


@pytest.mark.parametrize("architecture", sorted(CONFIGS))
def test_layer_groups_go_from_the_input_to_the_head_block_by_block(architecture):
    model = scratch(architecture)
    groups = model.layer_groups()
    names = {id(p): name for name, p in model.named_parameters()}
    flat = [id(p) for group in groups for p in group]
    assert sorted(flat) == sorted(names), "each parameter once"
    assert all(names[id(p)].startswith("head.") for p in groups[-1])
    assert all("embed" in names[id(p)] for p in groups[0])
    blocks = {"resnet": 2, "convnext": 2, "vit": 2, "swin": 2, "dinov2": 2}[architecture]
    transitions = {"convnext": 1, "swin": 1}.get(architecture, 0)  # down-sampling between stages
    assert len(groups) == 1 + blocks + transitions + 1


def test_batch_normalisation_is_frozen_when_pretrained_and_by_groups_from_scratch(tmp_path):
    plain = scratch("resnet")
    kinds = {type(m) for m in plain.modules() if "Norm" in type(m).__name__}
    assert kinds == {torch.nn.GroupNorm}
    transformers.AutoModel.from_config(plain.backbone.config).save_pretrained(tmp_path)
    loaded = models.create("huggingface", context(), source=str(tmp_path))
    assert {type(m) for m in loaded.modules() if "Norm" in type(m).__name__} == {FrozenBatchNorm}
    batch = scratch("resnet", batch_norm="batch")
    assert {type(m) for m in batch.modules() if "Norm" in type(m).__name__} == {MicroBatchNorm}
    grouped = models.create("huggingface", context(), source=str(tmp_path), batch_norm="group")
    grouped.load_pretrained()
    assert torch.isfinite(grouped(images()).logits).all()


def test_a_checkpoint_that_lacks_weights_is_refused(tmp_path):
    model = scratch("vit").backbone
    state = {key: value for key, value in model.state_dict().items() if "layers.1.mlp" not in key}
    model.save_pretrained(tmp_path, state_dict=state)
    made = models.create("huggingface", context(), source=str(tmp_path))
    with pytest.raises(ConfigError, match=r"lacks 4 of \d+ weights: layers.1.mlp"):
        made.load_pretrained()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "needs a source .* or an architecture"),
        ({"architecture": "resnt"}, "no model type 'resnt'; did you mean 'resnet"),
        ({"architecture": "resnet", "config": {"hidden_size": [8]}}, "'resnet' has no setting 'hidden_size'; did you"),
        ({"architecture": "resnet", "config": {"layer_type": "plain"}}, "config of network 'huggingface'.*plain"),
        ({"architecture": "bert", "config": {"num_hidden_layers": 1}}, "takes input_ids, not images"),
        ({"source": "./no-such-folder"}, "source './no-such-folder' of network 'huggingface' cannot be read"),
        ({"architecture": "resnet", "config": RESNET, "head": "querry"}, "did you mean 'query'"),
        ({"architecture": "resnet", "config": RESNET, "batch_norm": "froze"}, "did you mean 'frozen'"),
        ({"architecture": "resnet", "config": RESNET, "head_options": {"width": 8}}, "head_options .*'width'; known"),
        ({"architecture": "resnet", "config": {**RESNET, "num_channels": 4}}, "4 channels here, but the data has 3"),
        ({"architecture": "swin", "config": {"patch_size": 32}}, r"cannot take images of shape \(3, 16, 16\)"),
    ],
)
def test_refuses_what_cannot_be_made(settings, message):
    with pytest.raises(ConfigError, match=message):
        models.create("huggingface", context(), **settings)


def test_a_missing_library_is_named_with_what_to_install(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.partition(".")[0] in ("transformers", "timm"):
            raise ImportError(f"No module named {name!r}")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError, match=r"pip install 'd2ace\[vision\]'"):
        models.create("huggingface", context(), architecture="resnet")
    with pytest.raises(ConfigError, match="network 'timm' needs the package timm"):
        models.create("timm", context())


def test_a_broken_torchvision_is_named(monkeypatch):
    def broken(*_):
        raise RuntimeError("Failed to import torchvision\noperator torchvision::nms does not exist")

    monkeypatch.setattr(transformers.AutoModel, "from_config", broken)
    with pytest.raises(ConfigError, match="without one it works"):
        scratch("resnet")
