"""Where the Hugging Face network comes from: the only file that talks to transformers, which is imported on use."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from ..common.errors import ConfigError, did_you_mean

NETWORK = "network 'huggingface'"
# Facts about a checkpoint, not about the network's structure.
_NOT_STRUCTURE = ("transformers_version", "architectures", "id2label", "label2id", "dtype", "_name_or_path")
_COMMIT = re.compile(r"\b[0-9a-f]{40}\b")
_SHOWN = 300  # characters of an error of transformers


def configuration(
    source: str | None, revision: str | None, architecture: str | None, settings: Mapping[str, Any]
) -> Any:
    """Return a transformers configuration; the source is asked only when no architecture is given.

    Args:
        source: folder or repository, or None.
        revision: of the repository.
        architecture: model type, or None to read the source's.
        settings: of the architecture.

    Raises:
        ConfigError: for names or settings that do not exist, or a source that cannot be read.
    """
    if source is None and architecture is None:
        raise ConfigError(f"{NETWORK} needs a source (pretrained weights) or an architecture (from scratch)")
    library = _library()
    if architecture is None:
        with _explained(f"source {source!r} of {NETWORK} cannot be read"):
            made = library.AutoConfig.from_pretrained(source, revision=revision, local_files_only=is_folder(source))
        architecture, settings = made.model_type, {**structure(made), **settings}
    elif architecture not in library.CONFIG_MAPPING:
        hint = did_you_mean(architecture, library.CONFIG_MAPPING)
        raise ConfigError(f"architecture of {NETWORK}: transformers has no model type {architecture!r}{hint}")
    _check_settings(library, architecture, settings)
    with _explained(f"config of {NETWORK}"):
        return library.AutoConfig.for_model(architecture, **settings)


def exact_revision(source: str, revision: str | None) -> str | None:
    """Return the commit of a repository on the hub that a revision (a branch, a tag) names now; None of a folder.

    Raises:
        ConfigError: when the repository cannot be reached, and is not in the local cache.
    """
    if is_folder(source) or (revision and _COMMIT.fullmatch(revision)):
        return revision
    library = _library()
    with _explained(f"source {source!r} of {NETWORK} cannot be read"):
        path = library.utils.cached_file(source, "config.json", revision=revision)
    found = _COMMIT.search(str(path))
    return found[0] if found else revision


def structure(made: Any) -> dict[str, Any]:
    """Return what differs from the architecture's defaults, as plain values, without the model type.

    Files of checkpoints also hold what their training program left there; that is left out.
    """
    known = type(made)().to_dict().keys() - {*_NOT_STRUCTURE, "model_type"}
    return {key: value for key, value in made.to_diff_dict().items() if key in known}


def backbone(made: Any) -> nn.Module:
    """Return the network of a configuration with weights from torch's global generator.

    A pooling layer with a dense layer is left out: classification checkpoints have no weights for it.

    Raises:
        ConfigError: when it takes no images, or transformers cannot make it.
    """
    library = _library()
    with _explained(f"{NETWORK} cannot make a {made.model_type!r} model"):
        model = library.AutoModel.from_config(made)
    if model.main_input_name != "pixel_values":
        raise ConfigError(f"{NETWORK}: a {made.model_type!r} model takes {model.main_input_name}, not images")
    pooler = getattr(model, "pooler", None)
    if pooler is not None and any(isinstance(layer, nn.Linear) for layer in pooler.modules()):
        model.pooler = None
    return model


def classifier(made: Any) -> nn.Module | None:
    """Return transformers' image classifier of a configuration with any weights, None where it has none."""
    library = _library()
    try:
        return library.AutoModelForImageClassification.from_config(made)
    except (ValueError, AttributeError):  # no such class, or no such model type
        return None


def load_weights(model: nn.Module, source: str, revision: str | None) -> None:
    """Put the weights of a source into a network of its configuration.

    Raises:
        ConfigError: when the source cannot be read, or lacks weights of the network.
    """
    library = _library()
    with _explained(f"source {source!r} of {NETWORK} cannot be loaded"), quiet():
        loaded, report = library.AutoModel.from_pretrained(
            source,
            config=model.config,
            revision=revision,
            local_files_only=is_folder(source),
            dtype=torch.float32,
            output_loading_info=True,
        )
    own, given = model.state_dict(), loaded.state_dict()
    missing = sorted(own.keys() & set(report["missing_keys"]))
    if missing:
        names = ", ".join(missing[:3])
        raise ConfigError(f"source {source!r} of {NETWORK} lacks {len(missing)} of {len(own)} weights: {names}, ...")
    # What the network has no place for are statistics of batch normalisation that it does without.
    model.load_state_dict({key: given[key] for key in own})


def is_folder(source: str | None) -> bool:
    """Return whether a source is a local folder: then nothing is looked for elsewhere."""
    return source is not None and Path(source).is_dir()


def _check_settings(library: ModuleType, architecture: str, settings: Mapping[str, Any]) -> None:
    known = set(library.CONFIG_MAPPING[architecture]().to_dict())
    for key in settings:
        if key not in known:
            raise ConfigError(f"config of {NETWORK}: {architecture!r} has no setting {key!r}{did_you_mean(key, known)}")


def _library() -> ModuleType:
    with _explained(f"{NETWORK} needs the package transformers (pip install 'd2ace[vision]'), which cannot be used"):
        import transformers

        transformers.AutoModel, transformers.CONFIG_MAPPING  # noqa: B018  loaded on first use, and may fail then
        return transformers


@contextmanager
def _explained(what: str) -> Iterator[None]:
    """Turn whatever transformers raises into a ConfigError of one line."""
    try:
        yield
    except ConfigError:
        raise
    except Exception as error:
        text = " ".join(str(error).split()) or type(error).__name__
        hint = "; this torchvision does not fit torch, without one it works" if "torchvision::nms" in text else ""
        raise ConfigError(f"{what}: {text[:_SHOWN]}{hint}") from error


@contextmanager
def plain_attention(model: Any) -> Iterator[None]:
    """Let a network compute attention step by step, in operators that every exporter knows, for the block's time.

    PyTorch's fused attention cannot be translated for batches of any size where a mask grows with the batch, as
    Swin's does (PyTorch 2.13).
    """
    before = model.config._attn_implementation
    model.set_attn_implementation("eager")
    try:
        yield
    finally:
        model.set_attn_implementation(before)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers' own reports and bars of loaded and written weights off the terminal."""
    logging = _library().utils.logging
    level, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()
