"""From a configuration and its data to the blueprint of a selector, on the driver."""

from pathlib import Path
from typing import Any

import numpy as np

from ...selectors import api as selectors
from ...selectors.common.label_matrix import LabelMatrix
from ...selectors.common.reference import reference_losses
from ...selectors.entries import api as policies
from ...selectors.plans.schedules import warm_up
from .. import models
from ..common.config.config import Config
from ..common.errors import ConfigError
from ..common.storage.any_path import address_of, fetched, place_of
from ..common.storage.reading import reading
from ..feeds.all_rows import AllRows
from ..feeds.inputs import make_inputs
from ..feeds.neighbour_features import selection_features
from ..runs.run_data import RunData
from ..runs.run_folder import RunFolder
from ..runs.trained_model import TrainedModel
from ..runs.trained_run import TrainedRun
from ..selection.blueprint import Blueprint
from ..selection.conversation import Messages
from ..selection.inherited import Inherited
from .idle_neighbours import why_no_neighbours

_BLOCK_ROWS = 65_536


def check_neighbour_features(config: Config) -> None:
    """Raise ConfigError unless the run's ``selector.neighbour_features`` can work."""
    wanted = config.selector.neighbour_features
    if wanted == "embeddings":
        if not models.get(config.model.name).embeds:
            able = models.names_with(lambda network: network.embeds)
            raise ConfigError(
                f"selector.neighbour_features='embeddings' needs a network that gives them ({able}), "
                f"but model.name is {config.model.name!r}"
            )
        if warmup_of(config) < 1:
            raise ConfigError("selector.neighbour_features='embeddings' needs a warm-up of at least 1 epoch")
        if idle := why_no_neighbours(config.selector):
            raise ConfigError(
                f"selector.neighbour_features='embeddings' would do nothing: {idle}, so no neighbours are looked for; "
                "leave it out"
            )
    elif wanted != "inputs" and not Path(wanted).is_file():
        raise ConfigError(
            f"selector.neighbour_features must be 'inputs', 'embeddings' or a .npy file, got {wanted!r}, no such file"
        )


def selection_blueprint(
    config: Config, folder: RunFolder | None, labels: LabelMatrix, rows: AllRows, data: RunData
) -> Blueprint:
    """Return what the run's selector is made from; ``labels`` are those of all rows; no folder keeps nothing."""
    ids, entries = data.splits.train, config.selector.entries
    arguments: dict[str, Any] = {
        "labels": labels.take(ids),
        "batch_size": config.train.batch_size,
        "epochs": config.train.epochs,
        "seed": config.run.seed,
        **config.selector.settings,
    }
    if isinstance(arguments.get("reference"), str):
        arguments["reference"] = _reference(arguments["reference"], rows, labels, ids)
    embed_after = None
    if selectors.get(config.selector.name).uses_neighbours:
        wanted = config.selector.neighbour_features
        if wanted == "embeddings":  # until these are there, every row is its only neighbour
            embed_after, arguments["neighbour_ids"] = warmup_of(config) - 1, np.arange(len(ids))[:, None]
        elif wanted == "inputs":
            arguments["features"] = selection_features(rows, make_inputs(config, rows.manifest, data.scaler), ids)
        else:
            arguments["features"] = features_from_file(Path(wanted), rows.manifest.rows)[ids]
    return Blueprint(
        method=config.selector.name,
        arguments=arguments,
        row_ids=ids,
        files=folder.selection if folder else None,
        record=config.run.record_observations,
        embed_after=embed_after,
        held_out_after=_held_out_after(config, data),
        ranges=config.selector.ranges,
        neighbour_cache=address_of(folder.neighbour_cache) if folder else None,
        entries=None if entries is None else (entries.policy, entries.options),
        inherited=inherited(config),
    )


def inherited(config: Config) -> Inherited | None:
    """Return what the run's method takes over from earlier runs; None without ``selector.inherit``.

    Raises:
        ConfigError: when the file cannot be read, or another method saw it.
    """
    if config.selector.inherit is None:
        return None
    found = Inherited.load(config.selector.inherit)
    if found.seen.get("method") != config.selector.name:
        raise ConfigError(
            f"selector.inherit: {config.selector.inherit} is what method {found.seen.get('method')!r} saw, "
            f"selector.name is {config.selector.name!r}"
        )
    return found


def held_out_after(config: Config) -> int | None:
    """Return the epoch at whose end the run's policy for entries wants to see validation rows; None for none."""
    entries = config.selector.entries
    if entries is None:
        return None
    nothing = LabelMatrix.of(np.zeros((1, 1), np.float32))
    return policies.create(entries.policy, nothing, epochs=config.train.epochs, **entries.options).held_out_after


def _held_out_after(config: Config, data: RunData) -> int | None:
    """Return ``held_out_after``; raises ConfigError when there are no such rows."""
    after, entries = held_out_after(config), config.selector.entries
    if entries is not None and after is not None and not len(data.splits.validation):
        raise ConfigError(
            f"selector.entries: policy {entries.policy!r} counts wrong labels on validation rows, and this run has "
            "none: raise data.validation_fraction, or say in selector.entries.options.expected which share is wrong"
        )
    return after


def messages_of(config: Config, n_labels: int) -> Messages:
    """Return how the run's observations travel: without values where nobody looks at them."""
    method = selectors.get(config.selector.name)
    looked_at = method.uses_observations or config.run.record_observations or config.selector.entries is not None
    return Messages(n_labels, config.run.message_steps, looked_at)


def warmup_of(config: Config) -> int:
    """Return the warm-up in epochs; 0 for a method that has none."""
    setting = selectors.options(config.selector.name).get("warmup")
    if setting is None:
        return 0
    return warm_up(config.selector.settings.get("warmup", setting.default), config.train.epochs)


def features_from_file(path: Path, rows: int) -> np.ndarray:
    """Return the neighbour features of all rows, (rows, e), mapped; raises ConfigError for others."""
    with reading(f"selector.neighbour_features: {path}", ConfigError, "expected a .npy file of numbers"):
        features = np.load(path, mmap_mode="r", allow_pickle=False)
    if features.ndim != 2 or len(features) != rows:
        raise ConfigError(f"selector.neighbour_features: {path} holds {features.shape}, expected ({rows}, e)")
    return features


def check_features_file(path: Path, rows: int) -> None:
    """Raise ConfigError unless a file has finite neighbour features of all rows; reads it, some rows at a time."""
    features = features_from_file(path, rows)
    blocks = (features[start : start + _BLOCK_ROWS] for start in range(0, rows, _BLOCK_ROWS))
    if features.dtype.kind not in "fiub" or not all(np.isfinite(block).all() for block in blocks):
        raise ConfigError(f"selector.neighbour_features: {path} holds {features.dtype}, expected finite real numbers")


def _reference(source: str, rows: AllRows, labels: LabelMatrix, ids: np.ndarray) -> np.ndarray:
    """Return the reference losses of the training rows, float32 (N, L), from a run folder or a Parquet file."""
    place = place_of(source)
    if not place.is_file():
        return TrainedModel(TrainedRun.open(place)).losses(rows, ids)
    with fetched(place) as file:
        return reference_losses(file, ids, labels.shape[1], others=True)
