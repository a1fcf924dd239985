"""digit-scenes: a multi-label image set made from the handwritten digits inside scikit-learn; needs no download.

Each row is a grey 32x32 canvas with one to five different digits of varying contrast on a noisy ground; its labels
are the digits that are there. Source: own; the digits are those of Alpaydin and Kaynak (UCI, 8x8 version).

Legend: N rows, P digit images.
"""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from ...selectors.common.label_matrix import LabelMatrix
from ...selectors.common.randomness import generator
from ..common.errors import DataError
from .manifest import SPLITS, Manifest
from .manifest_parts import ImageHint
from .rows import Rows
from .shard_writer import ShardWriter

SIZE, DIGIT, CELL = 32, 8, 10
N_DIGITS = 10
COUNT_SHARES = (0.25, 0.30, 0.25, 0.13, 0.07)
"""Share of scenes with 1, 2, ... 5 digits."""
RARITY_ORDER = (1, 7, 0, 4, 9, 2, 6, 3, 8, 5)
"""Digits from the most frequent (in 78 % of the scenes) to the rarest (in 5 %)."""
TAIL = 1.5
"""The r-th digit of that order has popularity 1 / (r + 1) ** TAIL."""
PARTNER_BOOST = 10.0
"""A digit is this many times as likely when its partner, its neighbour of the same pair in that order, is there."""
POOL_SHARES = (0.6, 0.2, 0.2)
"""Shares of the digit images that training, validation and test scenes are made of."""


def build(
    out: str | Path,
    *,
    rows: int = 8000,
    seed: int = 0,
    label_noise: float = 0.05,
    validation_fraction: float = 0.1,
    test_fraction: float = 0.2,
    overwrite: bool = False,
) -> Manifest:
    """Compose the data set and write it as a prepared folder; about 2 seconds for 8,000 rows.

    Training, validation and test scenes are composed from disjoint digit images. Label noise touches TRAINING rows
    only, so that validation and test measure the truth.

    Args:
        out: the folder to write.
        rows: number of scenes, at least 100.
        seed: decides everything.
        label_noise: share of each label's training positives that move to a wrong row; label counts stay.
        validation_fraction: share of the rows.
        test_fraction: share of the rows.
        overwrite: replace a prepared data set of the same name.

    Raises:
        DataError: when an argument is out of range, or the folder exists.
    """
    n_validation, n_test = round(rows * validation_fraction), round(rows * test_fraction)
    sizes = (rows - n_validation - n_test, n_validation, n_test)
    _check(rows, seed, label_noise, sizes)
    source = f"digit-scenes rows={rows} seed={seed} label_noise={label_noise} (label noise on training rows only)"
    with ShardWriter(
        out,
        kind="image",
        labels=[str(digit) for digit in range(N_DIGITS)],
        image=ImageHint("L", SIZE, SIZE),
        source=source,
        overwrite=overwrite,
    ) as writer:
        for code, (n, pool) in enumerate(zip(sizes, _pools(seed), strict=True), start=1):
            if n:
                name = SPLITS[code]
                noise = label_noise if name == "train" else 0.0
                writer.write(_scenes(n, pool, noise, code, seed))
    return writer.manifest


def _check(rows: int, seed: int, label_noise: float, sizes: Sequence[int]) -> None:
    if rows < 100 or seed < 0:
        raise DataError(f"digit-scenes needs rows >= 100 and seed >= 0, got rows={rows}, seed={seed}")
    if not 0 <= label_noise <= 1:
        raise DataError(f"label_noise is a share of the positives, in [0, 1], got {label_noise}")
    if min(sizes) < 0 or sizes[0] < 1:
        raise DataError(f"the fractions leave train, validation, test rows = {tuple(sizes)}")


def _pools(seed: int) -> list[np.ndarray]:
    """Return, for train, validation and test, int64 indices into the digit images, each class cut alike."""
    target = load_digits().target
    random = generator(seed, "digit-scenes pools")
    parts: list[list[np.ndarray]] = [[], [], []]
    for digit in range(N_DIGITS):
        members = random.permutation(np.flatnonzero(target == digit))
        cuts = (np.cumsum(POOL_SHARES)[:-1] * len(members)).astype(int)
        for part, piece in zip(parts, np.split(members, cuts), strict=True):
            part.append(piece)
    return [np.concatenate(part) for part in parts]


def _scenes(n: int, pool: np.ndarray, label_noise: float, code: int, seed: int) -> Rows:
    random = generator(seed, "digit-scenes", code)
    digits = _choose_digits(n, random)
    canvases = _draw(digits, pool, random)
    present = np.zeros((n, N_DIGITS), bool)
    row, slot = np.nonzero(digits >= 0)
    present[row, digits[row, slot]] = True
    labels = _move_positives(present, label_noise, random)
    split = np.full(n, code, np.int8)
    return Rows([_png(canvas) for canvas in canvases], LabelMatrix.of(labels), split)


def _choose_digits(n: int, random: np.random.Generator) -> np.ndarray:
    """Return different digits for each scene, int64 (n, 5), -1 where a scene has fewer than five."""
    rank = np.argsort(RARITY_ORDER)
    partner = np.asarray(RARITY_ORDER)[rank ^ 1]
    popularity = 1.0 / (rank + 1.0) ** TAIL
    counts = 1 + random.choice(len(COUNT_SHARES), n, p=COUNT_SHARES)
    digits = np.full((n, len(COUNT_SHARES)), -1, np.int64)
    present = np.zeros((n, N_DIGITS), bool)
    for slot in range(len(COUNT_SHARES)):
        weight = popularity * np.where(present[:, partner], PARTNER_BOOST, 1.0) * ~present
        chosen = np.argmax(weight / random.exponential(size=weight.shape), axis=1)  # a draw in proportion to weight
        active = counts > slot
        digits[active, slot] = chosen[active]
        present[active, chosen[active]] = True
    return digits


def _draw(digits: np.ndarray, pool: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return the canvases, uint8 (n, 32, 32): each digit in a cell of its own of a 3x3 grid, jittered."""
    data = load_digits()
    n, slots = digits.shape
    canvas = np.abs(random.normal(0.0, 0.08, (n, SIZE, SIZE)))
    cells = np.argsort(random.random((n, 9)), axis=1)[:, :slots]
    shift = random.integers(0, 3, (n, 1, 2)) + random.integers(0, 3, (n, slots, 2))
    corner = np.stack([cells // 3, cells % 3], axis=2) * CELL + shift
    contrast = random.uniform(0.5, 1.0, (n, slots, 1, 1))
    step = np.arange(DIGIT)
    for digit in range(N_DIGITS):
        members = pool[data.target[pool] == digit]
        row, slot = np.nonzero(digits == digit)
        drawn = data.images[members[random.integers(0, len(members), len(row))]] / 16.0 * contrast[row, slot]
        y = corner[row, slot, 0][:, None, None] + step[:, None]
        x = corner[row, slot, 1][:, None, None] + step
        canvas[row[:, None, None], y, x] += drawn
    return (np.minimum(canvas, 1.0) * 255.0).round().astype(np.uint8)


def _move_positives(present: np.ndarray, share: float, random: np.random.Generator) -> np.ndarray:
    """Return labels of which ``share`` of each column's positives changed places with negatives."""
    labels = present.copy()
    for column in range(labels.shape[1]):
        positives, negatives = np.flatnonzero(present[:, column]), np.flatnonzero(~present[:, column])
        moved = min(round(share * len(positives)), len(negatives))
        labels[random.choice(positives, moved, replace=False), column] = False
        labels[random.choice(negatives, moved, replace=False), column] = True
    return labels


def _png(canvas: np.ndarray) -> bytes:
    buffer = BytesIO()
    Image.fromarray(canvas).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
