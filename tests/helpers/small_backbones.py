"""Configurations of transformers' vision networks that run in milliseconds, and which networks can be tested here."""

from importlib.util import find_spec

import pytest

from d2ace.pipeline import models

RESNET = {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"}
_TRANSFORMER = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "patch_size": 4}
CONFIGS = {
    "resnet": RESNET,
    "convnext": {"hidden_sizes": [8, 16], "depths": [1, 1], "num_stages": 2, "patch_size": 2},
    "vit": {**_TRANSFORMER, "intermediate_size": 32},
    "swin": {"embed_dim": 8, "depths": [1, 1], "num_heads": [1, 2], "window_size": 2, "patch_size": 2},
    "dinov2": _TRANSFORMER,
}
QUERY = {"head": "query", "head_options": {"width": 16, "attention_heads": 2, "queries": 3, "dropout": 0.0}}
_LIBRARIES = {"huggingface": "transformers", "timm": "timm"}


def registered():
    """Names of all networks as test parameters; those whose library is missing are skipped."""
    missing = {name: library for name, library in _LIBRARIES.items() if find_spec(library) is None}
    return [
        pytest.param(name, marks=pytest.mark.skip(reason=f"{missing[name]} is not installed"))
        if name in missing
        else name
        for name in models.names()
    ]
