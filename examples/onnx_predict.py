"""Label photographs with an exported network: onnxruntime, Pillow and NumPy are all it takes, d2ace is not needed.

``d2ace export runs/first exported`` writes the folder; then::

    python onnx_predict.py exported photo1.jpg photo2.jpg
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

ORIENTATION = 0x0112
TURNED = (5, 6, 7, 8)  # EXIF orientations that swap height and width


def predict(folder: str | Path, files: Sequence[str | Path]) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return names of the L labels, probabilities float32 (n, L), and bool (n, L): which labels an image has."""
    session = onnxruntime.InferenceSession(Path(folder) / "model.onnx")
    about = json.loads(session.get_modelmeta().custom_metadata_map["d2ace"])
    images = np.stack([prepare(Image.open(file), about["preprocessing"]) for file in files])
    probabilities, labels = session.run(None, {about["input"]["name"]: images})
    return [label["name"] for label in about["labels"]], probabilities, labels


def prepare(picture: Image.Image, settings: dict) -> np.ndarray:
    """Return what the network takes of an image, uint8 (C, height, width); the network scales it itself."""
    result = settings["height"], settings["width"]
    turned = picture.getexif().get(ORIENTATION, 1) in TURNED
    width, height = picture.size[::-1] if turned else picture.size
    part = middle_part((height, width), result, settings)
    if settings["scaled_decoding"] and picture.format == "JPEG" and picture.mode in ("L", "RGB"):
        factor = next((f for f in (8, 4, 2) if part[2] >= f * result[0] and part[3] >= f * result[1]), 1)
        picture.draft(None, (picture.width // factor, picture.height // factor))
    if picture.mode.startswith("I;16"):
        picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    upright = ImageOps.exif_transpose(picture).convert(settings["mode"])
    top, left, part_height, part_width = shrunk(part, (height, width), (upright.height, upright.width))
    cut = upright.crop((left, top, left + part_width, top + part_height))
    if (part_height, part_width) != result:
        cut = cut.resize(result[::-1], Image.Resampling.BILINEAR)
    pixels = np.asarray(cut, np.uint8).reshape(*result, -1)
    return pixels.transpose(2, 0, 1)


def middle_part(image: tuple[int, int], result: tuple[int, int], settings: dict) -> tuple[int, int, int, int]:
    """Return (top, left, height, width) of the part of an image that the network sees."""
    shape = image if settings["fit"] == "stretch" else result
    scale = settings["centre_share"] * min(image[0] / shape[0], image[1] / shape[1])
    height, width = (max(1, min(full, round(scale * side))) for full, side in zip(image, shape, strict=True))
    return (image[0] - height) // 2, (image[1] - width) // 2, height, width


def shrunk(part: tuple[int, int, int, int], image: tuple[int, int], now: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return the same part of an image that was decoded smaller than it is."""
    if image == now:
        return part
    down, across = now[0] / image[0], now[1] / image[1]
    top, left = min(round(part[0] * down), now[0] - 1), min(round(part[1] * across), now[1] - 1)
    height = min(max(1, round(part[2] * down)), now[0] - top)
    return top, left, height, min(max(1, round(part[3] * across)), now[1] - left)


def main(arguments: Sequence[str]) -> None:
    """Print the labels of each image with their probabilities."""
    folder, *files = arguments
    names, probabilities, labels = predict(folder, files)
    for file, row, has in zip(files, probabilities, labels, strict=True):
        found = [f"{names[k]} {row[k]:.2f}" for k in np.flatnonzero(has)]
        print(f"{file}: {', '.join(found) or 'none'}")


if __name__ == "__main__":
    main(sys.argv[1:])
