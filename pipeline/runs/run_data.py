"""How a run sees its data: which rows train, validate and test, the scaler, and what the network is built for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from ...selectors.common.label_matrix import LabelMatrix
from ...selectors.common.labels import cooccurrence
from ...selectors.common.randomness import generator
from ..common.config.config import Config
from ..common.errors import ConfigError, DataError, RunError
from ..common.storage.any_path import AnyPath
from ..data.manifest import Manifest
from ..data.scaler import Scaler
from ..data.shards import read_splits
from ..data.splits import Splits, make_splits
from ..feeds.all_rows import AllRows, fit_scaler
from ..feeds.image_transform import ImageTransform
from ..feeds.inputs import image_hint, input_shape
from ..models.api import ModelContext


@dataclass(frozen=True)
class RunData:
    """How a run sees its data.

    Attributes:
        scaler: fitted on the training rows.
        labels: label names, in the order of the model's outputs.
        fingerprint: of the prepared data's manifest.
        splits: row ids of training, validation and test.
        context: what the model was built for.
        feature_names: of the columns that the scaler and the network take, in order; None where the data had none, for
            images, and of runs of older versions.
    """

    scaler: Scaler
    labels: tuple[str, ...]
    fingerprint: str
    splits: Splits
    context: ModelContext
    feature_names: tuple[str, ...] | None = None

    def steps_per_epoch(self, batch_size: int) -> int:
        """Return how many batches of ``batch_size`` the training rows make, the last one maybe smaller."""
        return -(-len(self.splits.train) // batch_size)

    def require_same(self, manifest: Manifest, run: AnyPath) -> None:
        """Raise RunError unless the prepared data is what the run was made from.

        Args:
            manifest: of the data in the place that the run's configuration names.
            run: the run's folder, for the message.
        """
        if manifest.fingerprint() != self.fingerprint:
            raise RunError(
                f"{run}: the data in {manifest.folder} is no longer what this run was made from: it was prepared again "
                "from other rows or in another way. Put the former data back, or train a new run"
            )

    def require_rows(self, manifest: Manifest, run: AnyPath) -> None:
        """Raise RunError unless the prepared data has all rows of the run's splits."""
        parts = (self.splits.train, self.splits.validation, self.splits.test)
        last = max((int(ids.max()) for ids in parts if len(ids)), default=-1)
        if last >= manifest.rows:
            raise RunError(f"{run}: its splits name row {last}, {manifest.folder} has {manifest.rows} rows: damaged?")


def seen_by_model(about: Mapping[str, Any], together: sparse.csr_array) -> tuple[Scaler, ModelContext]:
    """Return the scaler and what the model was built for, as a run folder stored them.

    Args:
        about: what stands in the folder.
        together: ``ModelContext.cooccurrence``.

    Raises:
        ValueError: when they are none, or do not agree.
    """
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in about["context"].items()}
    try:
        scaler, context = Scaler.from_dict(about["scaler"]), ModelContext(**values, cooccurrence=together)
    except (ConfigError, DataError) as error:  # which do not know the file
        raise ValueError(f"{error}") from None
    if not scaler.fits(context.input_shape):
        raise ValueError(f"its scaler is not for inputs of shape {context.input_shape}")
    return scaler, context


def make_run_data(
    config: Config,
    labels: LabelMatrix,
    rows: AllRows,
    *,
    scaler: Scaler | None = None,
    scaler_rows: np.ndarray | None = None,
) -> RunData:
    """Split the rows and fit the scaler.

    Args:
        config: the run's configuration.
        labels: of all N rows.
        rows: where the scaler reads features.
        scaler: one that is fitted already; None to fit one.
        scaler_rows: int64, ascending, the rows that the scaler is fitted on; None for the training rows.

    Raises:
        ConfigError: when the images section or ``data.scale`` does not fit the data.
        DataError: when no row is left to train on.
    """
    manifest = rows.manifest
    shape = input_shape(config.images, manifest)
    splits = _splits(config, manifest, labels)
    if scaler is None:
        scaler = _scaler(config, rows, splits.train if scaler_rows is None else scaler_rows)
    context = _context(shape, labels.take(splits.train))
    names = manifest.feature_names
    return RunData(scaler, tuple(manifest.labels), manifest.fingerprint(), splits, context, names)


def _scaler(config: Config, rows: AllRows, ids: np.ndarray) -> Scaler:
    """Return the run's scaler; that of images is fitted on at most ``images.statistics_rows`` of the rows."""
    kind, hint = config.data.scale, image_hint(config.images, rows.manifest)
    if hint is None:
        if kind == "imagenet":
            raise ConfigError(f"data.scale=imagenet: {rows.manifest.folder} holds {rows.manifest.kind} features")
        return fit_scaler(rows, "minmax" if kind == "auto" else kind, ids)
    kind = "standard" if kind == "auto" else kind
    most = config.images.statistics_rows
    if len(ids) > most:
        ids = np.sort(generator(config.run.seed, "scaler statistics").choice(ids, most, replace=False))
    fixed = Scaler.of_images(kind, hint.channels)
    return fixed or fit_scaler(rows, kind, ids, ImageTransform(config.images, hint, config.run.seed))


def _splits(config: Config, manifest: Manifest, labels: LabelMatrix) -> Splits:
    data = config.data
    return make_splits(
        labels.positives,
        read_splits(manifest),
        validation_fraction=data.validation_fraction,
        test_fraction=data.test_fraction,
        seed=config.run.seed,
        mode=data.split,
        fold=data.fold,
        folds=data.folds,
    )


def _context(input_shape: tuple[int, ...], labels: LabelMatrix) -> ModelContext:
    return ModelContext(
        n_labels=labels.shape[1],
        input_shape=input_shape,
        label_counts=tuple(labels.positive_counts().tolist()),
        n_rows=labels.shape[0],
        cooccurrence=_together(labels).astype(np.float32),
        known_counts=None if labels.is_complete else tuple(labels.known_counts().tolist()),
    )


def _together(labels: LabelMatrix) -> sparse.csr_array:
    """Return how many rows have both labels, as ``ModelContext.cooccurrence`` has it where labels are unknown."""
    together = cooccurrence(labels.positives)
    if labels.is_complete:
        return together
    entries, having = sparse.coo_array(together), sparse.csr_array(labels.positives.T)
    known = labels.known_with(having, entries.col, entries.row)
    rows = entries.data * labels.positive_counts()[entries.col] / known
    return sparse.csr_array((rows, (entries.row, entries.col)), shape=together.shape)
