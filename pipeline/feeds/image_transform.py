"""``ImageTransform``: encoded images to what a network takes, in two halves, on the CPU and on the device."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
import torch

from ..common.config.images import ImagesSection
from ..common.errors import ConfigError, DataError
from ..data.manifest import Manifest
from ..data.manifest_parts import ImageHint
from ..data.packed_index import origin
from ..data.scaler import Scaler
from .images import geometry
from .images.buffers import Buffers
from .images.colour import drawn_colours, grey_means, recoloured
from .images.cutout import cut_out
from .images.decode import Decoded, Encoded, ImageError, decode
from .images.randaugment import randaugmented
from .images.uniforms import uniforms
from .request import Request

_CACHED_VALUES = 1 << 18
"""Values of a batch that are worked on together on a CPU: about what its second cache holds as float32."""
_PIECES_A_THREAD = 4
_MAKING = Lock()
"""Of threads that decode; no lock of an object's own travels to other processes."""


@dataclass(frozen=True)
class _Numbers:
    """Random numbers of n draws, float64 (n, w) each; None for what is off."""

    flip: np.ndarray | None = None
    colour: np.ndarray | None = None
    randaugment: np.ndarray | None = None
    cutout: np.ndarray | None = None

    def rows(self, rows: slice) -> "_Numbers":
        parts = (self.flip, self.colour, self.randaugment, self.cutout)
        return _Numbers(*(None if part is None else part[rows] for part in parts))


class ImageTransform:
    """Decodes, crops and resizes (``pixels``), then augments and scales (``batch``); it can be sent to other processes.

    Everything random is a function of the seed, the epoch and the number of the draw, so the result does not depend
    on threads, on processes, or on how an epoch is cut into requests.

    Args:
        settings: what is wanted.
        hint: how the data's images decode.
        seed: the run's.
        scaler: what ``batch`` scales with; ``pixels`` needs none.
        threads: that decode; None takes the settings', else all CPUs that this process may use.

    Attributes:
        size: height and width of every result.

    Raises:
        ConfigError: when no size is given and the images have none in common, or colours of grey images should change.
    """

    def __init__(
        self,
        settings: ImagesSection,
        hint: ImageHint,
        seed: int,
        scaler: Scaler | None = None,
        threads: int | None = None,
    ) -> None:
        self.size = result_size(settings, hint)
        self._wanted_threads = threads or settings.threads
        if hint.channels == 1 and (settings.saturation or settings.hue):
            raise ConfigError("images.saturation and images.hue: the data's images are grey, they have no colours")
        self._settings, self._hint, self._seed, self._scaler = settings, hint, seed, scaler
        self._pool: ThreadPoolExecutor | None = None
        self._buffers = Buffers()

    @property
    def threads(self) -> int:
        """Threads that decode here."""
        return self._wanted_threads or usable_cpus()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_pool": None}

    def pixels(
        self, images: Sequence[Encoded], request: Request, manifest: Manifest, out: np.ndarray | None = None
    ) -> np.ndarray:
        """Decode, crop and resize the images of a request, in threads.

        Cost: about 1 ms and core for a JPEG of 500x375 to 224x224, see ``benchmarks/decode.py``.

        Args:
            images: n encoded images, of the request's rows.
            request: which rows; which draws, in training.
            manifest: the data's, for messages.
            out: takes the result, uint8 (n, C, H, W); None for an array of its own.

        Returns:
            uint8 (n, C, H, W), upright.

        Raises:
            DataError: naming the row, and where its image came from, when it cannot be decoded or has
                another size where none is set.
        """
        crops = self._drawn("crop", request, geometry.CROP_NUMBERS, self._settings.random_crop_scale is not None)
        result = np.empty((len(images), self._hint.channels, *self.size), np.uint8) if out is None else out

        def work(rows: range) -> None:
            for k in rows:
                try:
                    result[k] = self._one(images[k], None if crops is None else crops[k])
                except ImageError as error:
                    row = int(request.ids[k])
                    where = f"{manifest.folder}: the image of row {row} ({origin(manifest, row)})"
                    raise DataError(f"{where} {error}") from None

        step = max(1, len(images) // (self.threads * _PIECES_A_THREAD))
        pieces = [range(start, min(start + step, len(images))) for start in range(0, len(images), step)]
        list(self._threads().map(work, pieces))
        return result

    def batch(self, pixels: torch.Tensor, request: Request) -> torch.Tensor:
        """Augment and scale: flip, colours, RandAugment, scaling, Cutout, in this order, on the pixels' device.

        Without augmentation the result equals ``Scaler.scale_levels`` bit for bit.

        Args:
            pixels: uint8 (n, C, H, W) that ``pixels`` gave for the same request.
            request: which draws, in training.

        Returns:
            float32 (n, C, H, W), contiguous.
        """
        numbers = self._numbers(request)
        if pixels.device.type != "cpu":
            return self._finished(pixels, numbers, torch.empty(pixels.shape, dtype=torch.float32, device=pixels.device))
        result = torch.from_numpy(self._buffers.take(tuple(pixels.shape)))
        rows = max(1, _CACHED_VALUES // max(1, pixels[:1].numel()))
        for start in range(0, len(pixels), rows):
            piece = slice(start, start + rows)
            self._finished(pixels[piece], numbers.rows(piece), result[piece])
        return result

    def decoded(self, encoded: Encoded) -> np.ndarray:
        """Return one image as evaluation sees it, uint8 (C, H, W), upright.

        Raises:
            ImageError: when it cannot be decoded, or has another size where none is set.
        """
        return self._one(encoded, None)

    def _one(self, encoded: Encoded, numbers: np.ndarray | None) -> np.ndarray:
        """Return one image, uint8 (C, H, W)."""
        settings = self._settings

        def part(image: geometry.Size) -> geometry.Box:
            if numbers is not None and settings.random_crop_scale is not None:
                return geometry.random_part(image, settings.random_crop_scale, settings.random_crop_ratio, numbers)
            if settings.fit == "stretch":
                return geometry.middle(image, image, settings.centre_share)
            return geometry.middle(image, self.size, settings.centre_share)

        def shrink(height: int, width: int) -> int:
            return geometry.shrinking(part((height, width)), self.size) if settings.scaled_decoding else 1

        decoded = decode(encoded, self._hint.mode, shrink)
        self._check_size(decoded)
        image = (decoded.height, decoded.width)
        box = geometry.within(part(image), image, decoded.pixels.shape[:2])
        return geometry.cut(decoded.pixels, box, self.size)

    def _check_size(self, decoded: Decoded) -> None:
        height, width = self.size
        if self._settings.size is None and (decoded.height, decoded.width) != self.size:
            raise ImageError(
                f"is {decoded.height}x{decoded.width} (height x width), expected {height}x{width}: "
                "set images.size to resize them"
            )

    def _drawn(self, purpose: str, request: Request, width: int, wanted: bool) -> np.ndarray | None:
        """Return the numbers of a request's draws for one purpose, or None when it is off or in evaluation."""
        if request.epoch is None or not wanted:
            return None
        return uniforms(self._seed, purpose, request.epoch, request.first_draw, len(request.ids), width)

    def _numbers(self, request: Request) -> _Numbers:
        settings = self._settings
        return _Numbers(
            flip=self._drawn("flip", request, 1, settings.flip > 0),
            colour=self._drawn("colour", request, 4, settings.recolours),
            randaugment=self._drawn("randaugment", request, 2 * settings.randaugment, settings.randaugment > 0),
            cutout=self._drawn("cutout", request, 2, settings.cutout > 0),
        )

    def _finished(self, pixels: torch.Tensor, numbers: _Numbers, out: torch.Tensor) -> torch.Tensor:
        """Augment and scale into float32 ``out`` and return it."""
        settings = self._settings
        if numbers.flip is not None:
            mirrored = torch.from_numpy(numbers.flip[:, 0] < settings.flip).to(pixels.device)
            pixels = torch.where(mirrored[:, None, None, None], pixels.flip(3), pixels)
        out.copy_(pixels)
        if numbers.colour is not None or numbers.randaugment is not None:
            means = grey_means(pixels)
            if numbers.colour is not None:
                reach = (settings.brightness, settings.contrast, settings.saturation, settings.hue)
                out.copy_(recoloured(out, means, drawn_colours(numbers.colour, *reach)))
            if numbers.randaugment is not None:
                steps, magnitude = settings.randaugment, settings.randaugment_magnitude
                randaugmented(out, means, numbers.randaugment, steps, magnitude)
        assert self._scaler is not None, "made without a scaler"
        self._scaler.scale_levels(out)
        return out if numbers.cutout is None else cut_out(out, numbers.cutout, settings.cutout)

    def _threads(self) -> ThreadPoolExecutor:
        with _MAKING:  # two requests come at once
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self.threads, "decode")
            return self._pool


def result_size(settings: ImagesSection, hint: ImageHint) -> geometry.Size:
    """Return height and width of what a network gets; raises ConfigError when that is not known."""
    if settings.size is not None:
        return settings.size
    if hint.height is None or hint.width is None:
        raise ConfigError("the images have no common size: set images.size, for example images.size=224")
    return hint.height, hint.width


def usable_cpus() -> int:
    """Return how many CPUs this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
