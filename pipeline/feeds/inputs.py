"""How stored rows become what a network takes: tables are scaled; images decoded, augmented and scaled."""

from dataclasses import dataclass

import numpy as np
import torch

from ..common.config.config import Config
from ..common.config.images import ImagesSection
from ..common.errors import ConfigError
from ..data.blocks import BlockReader, RowBatch
from ..data.manifest import Manifest
from ..data.manifest_parts import ImageHint
from ..data.scaler import Scaler, ScalerStatistics, of_array
from .image_transform import ImageTransform, result_size, usable_cpus
from .request import Request

CHUNK_VALUES = 1 << 22
"""Values of a table looked at in one go: bounds the memory of fitting."""
CHUNK_IMAGES = 256


@dataclass(frozen=True)
class Inputs:
    """The same in every process, whatever feeds it.

    Attributes:
        manifest: of the prepared data.
        scaler: of the run.
        images: what is done with images; None for tables.
    """

    manifest: Manifest
    scaler: Scaler
    images: ImageTransform | None = None

    def stored(self, rows: RowBatch, request: Request, pixels: np.ndarray | None = None) -> torch.Tensor:
        """Return what travels to the device: scaled float32 (n, d) of a table, or uint8 pixels (n, C, H, W).

        Args:
            rows: as read.
            request: that they were read for.
            pixels: takes the pixels; None for an array of their own.

        Raises:
            DataError: naming the row whose image cannot be used.
        """
        if self.images is None:
            assert rows.features is not None
            return torch.from_numpy(self.scaler.transform(rows.features))
        assert rows.images is not None
        return torch.from_numpy(self.images.pixels(rows.images, request, self.manifest, pixels))

    def finished(self, stored: torch.Tensor, request: Request) -> torch.Tensor:
        """Return a network's inputs, float32, from what ``stored`` gave for this request, on its device."""
        return stored if self.images is None else self.images.batch(stored, request)

    def evaluation(self, rows: RowBatch) -> np.ndarray:
        """Return a network's inputs without augmentation, computed here, float32."""
        request = Request(rows.ids)
        return self.finished(self.stored(rows, request), request).numpy()


def make_inputs(config: Config, manifest: Manifest, scaler: Scaler, threads: int | None = None) -> Inputs:
    """Return a run's inputs.

    Args:
        config: the run's configuration.
        manifest: of the data: the run's own, or another that its model is applied to.
        scaler: the run's.
        threads: that decode images; None for those of a training worker.

    Raises:
        ConfigError: when the configuration's images section does not fit the data.
    """
    hint = image_hint(config.images, manifest)
    if hint is None:
        return Inputs(manifest, scaler)
    threads = threads or decode_threads(config)
    return Inputs(manifest, scaler, ImageTransform(config.images, hint, config.run.seed, scaler, threads))


def decode_threads(config: Config) -> int:
    """Return how many threads of a training worker decode images: as many as it has CPUs."""
    run = config.run
    return config.images.threads or int(run.cpus_per_worker or usable_cpus() / max(run.workers, 1)) or 1


def image_hint(settings: ImagesSection, manifest: Manifest) -> ImageHint | None:
    """Return how the data's images decode, None for a table; raises ConfigError when a table has image settings."""
    if manifest.image is None and settings.changed():
        names = ", ".join(f"images.{name}" for name in settings.changed())
        raise ConfigError(f"{names}: {manifest.folder} holds {manifest.kind} features, not images")
    return manifest.image


def input_shape(settings: ImagesSection, manifest: Manifest) -> tuple[int, ...]:
    """Return the shape of one row as a network sees it: (d,), or (C, H, W).

    Raises:
        ConfigError: when the images' size is not known, or a table has image settings.
    """
    hint = image_hint(settings, manifest)
    return manifest.input_shape() if hint is None else (hint.channels, *result_size(settings, hint))


def statistics_of(reader: BlockReader, ids: np.ndarray, images: ImageTransform | None = None) -> ScalerStatistics:
    """Summarise rows by id, chunk by chunk; memory about ``CHUNK_VALUES`` floats, or ``CHUNK_IMAGES`` images.

    Args:
        reader: where rows come from.
        ids: which rows.
        images: what makes the pixels of images, as in evaluation; None for tables.
    """
    manifest = reader.manifest
    width = manifest.image.channels if manifest.image else int(manifest.n_features or 0)
    step = CHUNK_IMAGES if images else max(1, CHUNK_VALUES // max(width, 1))
    parts = [ScalerStatistics.empty(width, image=images is not None)]
    for start in range(0, len(ids), step):
        rows = reader.gather(ids[start : start + step])
        if images is None:
            assert rows.features is not None
            parts.append(of_array(rows.features))
        else:
            assert rows.images is not None
            parts += [of_array(image[None]) for image in images.pixels(rows.images, Request(rows.ids), manifest)]
    return ScalerStatistics.merge(parts)
