"""Checks of a configuration before anything is started: what would fail in a worker minutes later fails here.

``check`` needs the configuration alone, ``check_data`` the manifest of its data too; neither needs Ray or a run folder.

N rows, L labels.
"""

import os
from pathlib import Path

import torch

from .. import models
from ..common.config.config import Config
from ..common.config.paths import NEIGHBOUR_WORDS
from ..common.errors import ConfigError
from ..common.storage.any_path import any_path, in_bucket, is_there, place_of
from ..data.manifest import Manifest
from ..feeds.choice import check_feed
from ..feeds.image_transform import ImageTransform
from ..feeds.inputs import image_hint, input_shape
from ..models import losses
from ..models.api import ModelContext
from ..runs.trackers.api import require_installed
from . import optim
from .entry_release import require_flags
from .initial_weights import context_of_any, unfilled_model
from .names import require_names
from .past_runs import require_first_labels, require_past_runs, with_teacher_digest
from .selection_start import require_selection
from .selector_setup import check_features_file, check_neighbour_features, inherited

_LABELS = 3
"""Of the made-up data that a network is tried on."""


def check(config: Config) -> None:
    """Raise ConfigError now for what would fail in a worker minutes later, whatever the data."""
    require_names(config)
    require_installed(config.run.trackers)
    models.check_options(config.model.name, config.model.options)
    losses.check_options(config.train.loss, config.train.loss_options)
    network = models.get(config.model.name)
    optim.require_layers(network, config.optimizer.backbone_lr_factor, config.optimizer.layer_decay)
    require_selection(config)
    _check_reference(config)
    if config.selector.entries is not None:
        require_entrywise(config, "selector.entries")
        require_flags(config)
    if not network.entrywise and (config.train.loss != "bce" or config.train.loss_options):
        raise ConfigError(
            f"train.loss={config.train.loss!r} would be left aside: network {config.model.name!r} has a loss of its "
            "own; leave out train.loss and train.loss_options"
        )
    check_neighbour_features(config)
    inherited(config)
    require_past_runs(config)
    if not network.layered:  # a backbone takes seconds to make, and asks for its source
        unfilled_model(config, context_of_any(_LABELS, {"table": (4,), "image": (3, 64, 64)}[network.inputs]))
    if config.run.gpu and not config.run.workers and not torch.cuda.is_available():
        raise ConfigError("run.gpu=true with run.workers=0 trains in this process, which sees no GPU")


def _check_reference(config: Config) -> None:
    reference = config.selector.options.get("reference")
    if isinstance(reference, str) and not is_there(place_of(reference)):
        where = f"selector.options.reference: {reference} is not there"
        raise ConfigError(f"{where}; expected a run folder or a Parquet file")


def require_entrywise(config: Config, what: str) -> None:
    """Raise ConfigError unless the run's network can leave out single entries, which ``what`` asks for."""
    if not models.get(config.model.name).entrywise:
        able = models.names_with(lambda network: network.entrywise)
        raise ConfigError(
            f"{what} leaves out or changes single entries, but network {config.model.name!r} has a loss of its own "
            f"that looks at all labels of a row; networks that can: {able}"
        )


def check_data(config: Config, manifest: Manifest) -> None:
    """Raise ConfigError for settings that do not fit the data, from its manifest alone.

    Args:
        config: checked by ``check``.
        manifest: of the data.
    """
    if not manifest.is_labelled:
        told = "nobody knows a label of any of its rows, so there is nothing to learn from; predict takes them"
        raise ConfigError(f"data.path={manifest.folder}: {told}")
    check_feed(config.run, manifest)
    _check_splits(config, manifest)
    hint = image_hint(config.images, manifest)
    shape = input_shape(config.images, manifest)
    if hint is None and config.data.scale == "imagenet":
        raise ConfigError(f"data.scale=imagenet: {manifest.folder} holds {manifest.kind} features, not images")
    if hint is not None:
        ImageTransform(config.images, hint, config.run.seed)
    if (wanted := config.selector.neighbour_features) not in NEIGHBOUR_WORDS:
        check_features_file(Path(wanted), manifest.rows)
    network = models.get(config.model.name)
    if manifest.known_counts is not None:
        require_entrywise(config, f"a data set with unknown labels ({manifest.folder})")
    require_first_labels(config, manifest)
    expected = {"table": 1, "image": 3}[network.inputs]
    if len(shape) != expected:
        fitting = models.names_with(lambda other: other.inputs != network.inputs)
        raise ConfigError(
            f"model.name={config.model.name} takes {network.inputs}s, but {manifest.folder} holds "
            f"{'images' if hint else 'a table'}; networks for it: {fitting}"
        )
    if hint is not None and not network.layered:
        known = manifest.known_counts
        context = ModelContext(manifest.n_labels, shape, manifest.label_counts, manifest.rows, known_counts=known)
        unfilled_model(config, context)


def check_storage(config: Config) -> None:
    """Raise ConfigError unless ``run.storage`` is, or can become, a folder that this process may write.

    Raises:
        DataError: when it is an address that cannot be reached; what may be written there shows the run's first file.
    """
    place = any_path(config.run.storage)
    if in_bucket(place):
        place.info()
        return
    storage = Path(config.run.storage).absolute()
    there = next(folder for folder in (storage, *storage.parents) if os.path.lexists(folder))
    if not there.is_dir():
        raise ConfigError(f"run.storage={storage}: {there} is a file, not a folder")
    if os.statvfs(there).f_flag & os.ST_RDONLY:
        raise ConfigError(f"run.storage={storage}: the file system of {there} can only be read now")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ConfigError(f"run.storage={storage}: {there} may not be written by this user")


def require_all_epochs(config: Config) -> None:
    """Raise ConfigError for early stopping where trials are compared epoch by epoch."""
    if config.train.patience:
        raise ConfigError(
            f"train.patience={config.train.patience}: trials of a sweep are compared epoch by epoch and train all of "
            "them; leave it out (its scheduler asha stops what is behind)"
        )


def with_absolute_paths(config: Config) -> Config:
    """Return it with absolute paths: workers run in other folders, and a run may be resumed from another.

    What a pretrained network is, is read from its source and written down, too, and so is which weights teach.
    """
    config = config.with_absolute_paths()
    model = config.model.model_copy(update={"options": models.resolve(config.model.name, config.model.options)})
    return with_teacher_digest(config.model_copy(update={"model": model}))


def _check_splits(config: Config, manifest: Manifest) -> None:
    """Refuse what leaves no row to train on, or asks for more folds than there are rows."""
    data, given = config.data, manifest.splits
    if data.folds is not None:
        if data.folds > manifest.rows:
            raise ConfigError(f"data.folds={data.folds}: {manifest.folder} has {manifest.rows} rows")
        given = {}
    elif data.split == "stratified":
        given = {}
    validation = 0.0 if given.get("validation") else data.validation_fraction
    test = 0.0 if given.get("test") or data.folds is not None else data.test_fraction
    if validation + test >= 1:
        raise ConfigError(
            f"data.validation_fraction and data.test_fraction must add up to less than 1, got {validation:g} + {test:g}"
        )
    if config.train.patience and not validation and not given.get("validation"):
        raise ConfigError(
            f"train.patience={config.train.patience} needs validation rows: set data.validation_fraction above 0"
        )
    if manifest.rows and manifest.rows == given.get("validation", 0) + given.get("test", 0):
        raise ConfigError(f"{manifest.folder} has no training rows; data.split=stratified splits the rows anew")
