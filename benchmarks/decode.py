"""Decoding photographs: this decoder against Pillow, the gather feed against decoding alone and a torch DataLoader.

Claims: decode and resize faster than Pillow's; the gather feed at least 0.9 of decoding and resizing alone with the
same decoder on the same cores; not slower than a torch DataLoader with the same decoder and two workers. The images are
JPEGs of 500 x 375 made from noise blobs, so no data is needed; the parts of each comparison alternate.

Run: python benchmarks/decode.py [repeats, default 5]
"""

import sys
import tempfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _common import record, repeat, shown, spread
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from d2ace.pipeline.common.config.images import ImagesSection
from d2ace.pipeline.data.manifest import Manifest
from d2ace.pipeline.data.manifest_parts import ImageHint
from d2ace.pipeline.data.rows import Rows
from d2ace.pipeline.data.scaler import Scaler
from d2ace.pipeline.data.shard_writer import ShardWriter
from d2ace.pipeline.feeds.gather import GatherFeed
from d2ace.pipeline.feeds.image_transform import ImageTransform
from d2ace.pipeline.feeds.inputs import Inputs
from d2ace.pipeline.feeds.request import Request
from d2ace.pipeline.feeds.shard_rows import ShardRows
from d2ace.selectors.common.label_matrix import LabelMatrix

IMAGES, BATCH, SIZE, CORES = 512, 64, 224, 2
AUGMENTED = {"random_crop_scale": [0.25, 1.0], "flip": 0.5, "brightness": 0.4, "contrast": 0.4, "saturation": 0.4}
HINT = ImageHint("RGB")
FEEDS = [("gather feed", "decode"), ("gather feed", "DataLoader"), ("augmented gather feed", "decode")]
"""Which rates are divided by which."""
SCALER = Scaler.of_images("imagenet", 3)


def photograph(number: int) -> bytes:
    """Return a JPEG of about 45 kB."""
    random = np.random.default_rng(number)
    blobs = random.integers(0, 256, (24, 32, 3), dtype=np.uint8)
    pixels = np.asarray(Image.fromarray(blobs).resize((500, 375), Image.Resampling.BICUBIC)).astype(int)
    pixels += random.integers(-5, 6, (375, 500, 1))
    buffer = BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def prepared(folder: Path) -> tuple[Manifest, list[bytes]]:
    """Write the images as a prepared data set."""
    encoded = [photograph(number) for number in range(IMAGES)]
    labels = LabelMatrix.of(np.eye(20, dtype=np.uint8)[np.arange(IMAGES) % 20])
    names = [f"l{number}" for number in range(20)]
    with ShardWriter(folder / "set", kind="image", labels=names, image=HINT) as writer:
        writer.write(Rows(encoded, labels, np.ones(IMAGES, np.int8)))
    return writer.manifest, encoded


def transform(threads: int, **options: Any) -> ImageTransform:
    return ImageTransform(ImagesSection.make({"size": SIZE} | options), HINT, 0, SCALER, threads)


def requests(epoch: int | None = None) -> list[Request]:
    return [Request(np.arange(at, at + BATCH), epoch, at) for at in range(0, IMAGES, BATCH)]


def with_pillow(encoded: list[bytes]) -> None:
    """Decode, cut out the middle and resize as ``ImageTransform`` does."""
    for image in encoded:
        picture = Image.open(BytesIO(image)).convert("RGB")
        side = min(picture.size)
        left, top = (picture.width - side) // 2, (picture.height - side) // 2
        part = picture.resize((SIZE, SIZE), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side))
        np.asarray(part).transpose(2, 0, 1).copy()


def alone(images: ImageTransform, manifest: Manifest, encoded: list[bytes]) -> Callable[[], None]:
    """Return what decodes and resizes all images, with nothing around it."""
    whole = Request(np.arange(IMAGES))
    return lambda: images.pixels(encoded, whole, manifest) is None


class Decoded(Dataset):
    """What a user would write: one decoded, scaled image an item."""

    def __init__(self, manifest: Manifest, encoded: list[bytes], images: ImageTransform) -> None:
        self._manifest, self._encoded, self._images = manifest, encoded, images

    def __len__(self) -> int:
        return len(self._encoded)

    def __getitem__(self, row: int) -> torch.Tensor:
        request = Request(np.array([row]))
        pixels = self._images.pixels([self._encoded[row]], request, self._manifest)
        return self._images.batch(torch.from_numpy(pixels), request)[0]


def drain(batches: Iterator[Any]) -> None:
    for _ in batches:
        pass


def compare(works: dict[str, Callable[[], Any]], repeats: int) -> dict[str, list[float]]:
    """Return images a second of each work, by name; the works alternate, their first call does not count."""
    for work in works.values():
        work()
    rates: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            rates[name].append(IMAGES / repeat(work, 1)[0])
    return rates


def ratio(rates: dict[str, list[float]], name: str, against: str) -> dict[str, float]:
    values = [one / other for one, other in zip(rates[name], rates[against], strict=True)]
    print(f"  {name} / {against}: {shown(values, 1, 'x')}")
    return spread(values)


def main() -> None:
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        manifest, encoded = prepared(Path(folder))
        reader, cpu = ShardRows(manifest).open(), torch.device("cpu")
        plain, augmented = transform(CORES), transform(CORES, **AUGMENTED)
        loader = DataLoader(Decoded(manifest, encoded, transform(1)), BATCH, num_workers=CORES, persistent_workers=True)

        def feed(images: ImageTransform, epoch: int | None = None) -> Callable[[], None]:
            made = GatherFeed(reader, Inputs(manifest, SCALER, images), cpu)
            return lambda: drain(made.parts(requests(epoch), 4))

        one_core = {"Pillow": lambda: with_pillow(encoded), "decode": alone(transform(1), manifest, encoded)}
        two_cores = {
            "decode": alone(plain, manifest, encoded),
            "gather feed": feed(plain),
            "DataLoader": lambda: drain(iter(loader)),
            "augmented gather feed": feed(augmented, 0),
        }
        results = {}
        for name, works in (("one core", one_core), ("two cores", two_cores)):
            rates = compare(works, repeats)
            print(
                f"{name}, images a second:", *(f"{work} {shown(got, 1, '')}" for work, got in rates.items()), sep="\n  "
            )
            results[name] = {"images_per_s": {work: spread(got) for work, got in rates.items()}}
            pairs = [("decode", "Pillow")] if name == "one core" else FEEDS
            results[name]["ratio"] = {f"{a} / {b}": ratio(rates, a, b) for a, b in pairs}
    record("decode", {"image": "500 x 375", "size": SIZE, "batch": BATCH, **results})


if __name__ == "__main__":
    main()
