"""New images: a folder or a bucket of files, read and decoded one by one, so that a bad one costs only itself."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from ...common.errors import DataError
from ...common.storage.locations import Location
from ...data.from_images.cleaning import BadImageError, Cleaning, plain
from ...data.manifest_parts import ImageHint
from ...feeds.api import moved, prefetch
from ...feeds.image_transform import ImageTransform
from ...feeds.images.decode import ImageError
from ...feeds.inputs import decode_threads
from ...feeds.request import Request
from ...runs.trained_model import TrainedModel
from ...runs.trained_run import TrainedRun
from .job import Chunk, Piece, Unreadable

_CHUNK = {"cpu": 32, "cuda": 256}
"""Images that go through the network together; more of them leave the caches of a CPU."""
_AHEAD = 16
_READERS = 8
"""Of storage that answers slowly, several files are asked for at a time."""
_LEAST, _MOST = 64, 1024
_PIECES = 64


def image_pieces(names: Sequence[str]) -> list[Piece]:
    """Cut files into pieces of 64 to 1,024, the more the more there are: a function of the listing only."""
    size = min(_MOST, max(_LEAST, -(-len(names) // _PIECES)))
    starts = range(0, len(names), size)
    return [
        Piece(number, first, len(names[first : first + size]), tuple(names[first : first + size]))
        for number, first in enumerate(starts)
    ]


class ImageReader:
    """Encoded files to pixels as the run's evaluation sees them.

    Args:
        run: the run.
        source: the folder of the images.
        threads: that read and decode; None for as many as a training worker has.
    """

    def __init__(self, run: TrainedRun, source: Location, threads: int | None = None) -> None:
        channels, height, width = run.data.context.input_shape
        settings = run.config.images
        if settings.size is None:  # the run's images had one size in common; new ones may have any
            settings = settings.model_copy(update={"size": (height, width)})
        hint = ImageHint("L" if channels == 1 else "RGB")
        threads = threads or decode_threads(run.config)
        self.transform = ImageTransform(settings, hint, run.config.run.seed, run.data.scaler, threads)
        self._source, self._cleaning = source, Cleaning()
        self._readers = max(threads, _READERS) if "://" in source.shown else threads

    def read(self, names: Sequence[str]) -> Iterator[tuple[bytes, np.ndarray] | str]:
        """Yield each file's bytes and its pixels, uint8 (C, H, W), or why there are none, in order; made ahead."""
        yield from prefetch(self._one, names, _AHEAD if self._readers > 1 else 0, self._readers)

    def _one(self, name: str) -> tuple[bytes, np.ndarray] | str:
        try:
            content = plain(self._source.below(name).read(), self._cleaning)
            return content, self.transform.decoded(content)
        except (BadImageError, DataError, ImageError) as error:
            return str(error)


class ImagePredictor:
    """Predicts new images."""

    def __init__(self, model: TrainedModel, source: Location, threads: int | None, thumbnails: int) -> None:
        self._model, self._thumbnails = model, thumbnails
        self._reader = ImageReader(model.run, source, threads)
        self._chunk = _CHUNK[model.device.type]

    def chunks(self, piece: Piece) -> Iterator[Chunk | Unreadable]:
        """Yield what the network says of a piece's images, chunk by chunk, and the images that cannot be read."""
        waiting: list[tuple[int, str, bytes, np.ndarray]] = []
        read = self._reader.read(piece.images)
        for number, (name, found) in enumerate(zip(piece.images, read, strict=True), start=piece.first):
            if isinstance(found, str):
                yield Unreadable(name, found)
                continue
            waiting.append((number, name, *found))
            if len(waiting) == self._chunk:
                yield self._predicted(waiting)
                waiting = []
        if waiting:
            yield self._predicted(waiting)

    def _predicted(self, rows: Sequence[tuple[int, str, bytes, np.ndarray]]) -> Chunk:
        numbers, names, contents, pixels = zip(*rows, strict=True)
        ids = np.array(numbers, np.int64)
        stored = moved(torch.from_numpy(np.stack(pixels)), self._model.device)
        logits = self._model.logits(self._reader.transform.batch(stored, Request(ids)))
        probabilities = torch.sigmoid(logits).cpu().numpy()
        wanted = ids[0] < self._thumbnails
        return Chunk(ids, probabilities, list(names), images=list(contents) if wanted else None)
