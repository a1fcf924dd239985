"""The frames of ``moving_picture.py``: a heat map of groups of rows, and the draws of every label, epoch by epoch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT, TOP, BOTTOM = 780, 300, 62, 246
LEFT, CELL = (70, 39)  # of the heat map: its left edge and the width of a column
BARS, BAR = (530, 24)
LESS, SAME, MORE = (94, 79, 162), (245, 245, 245), (200, 85, 8)
HIGHEST = 2.5
"""Relative draws at which the colours and the bars end."""
FRAME_MS, LAST_MS = 700, 3500
_INK, _EMPTY = (36, 41, 47), (214, 214, 214)


def write_gif(found: Mapping[str, Any], path: Path) -> None:
    """Draw every epoch and write them as one GIF that repeats for ever."""
    epochs = len(found["groups"])
    drawn = [_frame(found, epoch) for epoch in range(epochs)]
    together = Image.new("RGB", (WIDTH, HEIGHT * epochs))
    for epoch, frame in enumerate(drawn):
        together.paste(frame, (0, HEIGHT * epoch))
    palette = together.quantize(64)  # one for all frames, so that each holds only what has changed
    frames = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in drawn]
    durations = [FRAME_MS] * (epochs - 1) + [LAST_MS]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=durations, loop=0, optimize=True)


def _frame(found: Mapping[str, Any], epoch: int) -> Image.Image:
    image = Image.new("RGB", (WIDTH, HEIGHT), "white")
    draw = ImageDraw.Draw(image)
    title = f"Which rows D2ACE draws: epoch {epoch + 1} of {len(found['groups'])}"
    draw.text((LEFT, 10), title, fill=_INK, font=ImageFont.load_default(18))
    _groups(draw, found, epoch)
    _labels(draw, found, epoch)
    return image


def _groups(draw: ImageDraw.ImageDraw, found: Mapping[str, Any], epoch: int) -> None:
    """The heat map: rarest label of a row from left to right, loss of a row from below upwards."""
    levels = found["groups"][epoch]
    height = (BOTTOM - TOP) / len(levels)
    for level, values in enumerate(levels):
        for place, value in enumerate(values):
            x, y = LEFT + place * CELL, BOTTOM - (level + 1) * height
            draw.rectangle((x, y, x + CELL - 2, y + height - 2), fill=_EMPTY if value is None else colour(value))
            if value is not None:
                _centred(draw, x + CELL / 2, y + height / 2, f"{value:.1f}", 11)
    _centred(draw, LEFT + CELL * len(levels[0]) / 2, TOP - 14, "mean draws of a row; 1 = uniform", 13)
    draw.text((8, TOP + 6), "large loss", fill=_INK, font=ImageFont.load_default(12))
    draw.text((8, BOTTOM - 26), "small loss", fill=_INK, font=ImageFont.load_default(12))
    _names(draw, found, LEFT, CELL, "rarest label of the row: common to rare")


def _labels(draw: ImageDraw.ImageDraw, found: Mapping[str, Any], epoch: int) -> None:
    """The bars: draws of the rows that have each label."""
    values = found["label_draws"][epoch]
    scale = (BOTTOM - TOP) / HIGHEST
    for place, value in enumerate(values):
        x = BARS + place * BAR
        top = BOTTOM - min(value, HIGHEST) * scale
        draw.rectangle((x + 2, top, x + BAR - 3, BOTTOM), fill=MORE if value > 1 else LESS)
    line = BOTTOM - scale
    draw.line((BARS, line, BARS + BAR * len(values), line), fill=_INK)
    draw.text((BARS - 14, line - 7), "1", fill=_INK, font=ImageFont.load_default(12))
    _centred(draw, BARS + BAR * len(values) / 2, TOP - 14, "draws of the rows with a label", 13)
    _names(draw, found, BARS, BAR, "label: common to rare")


def _names(draw: ImageDraw.ImageDraw, found: Mapping[str, Any], left: int, step: int, title: str) -> None:
    """The labels' names below a panel, and what the axis is."""
    for place, label in enumerate(found["order"]):
        _centred(draw, left + (place + 0.5) * step, BOTTOM + 12, found["labels"][label].removeprefix("digit"), 12)
    _centred(draw, left + step * len(found["order"]) / 2, BOTTOM + 34, title, 13)


def _centred(draw: ImageDraw.ImageDraw, x: float, y: float, text: str, size: int) -> None:
    draw.text((x, y), text, fill=_INK, font=ImageFont.load_default(size), anchor="mm")


def colour(value: float) -> tuple[int, ...]:
    """Return the colour of relative draws: violet below 1, white at 1, orange above."""
    end, share = (MORE, (min(value, HIGHEST) - 1) / (HIGHEST - 1)) if value > 1 else (LESS, 1 - value)
    return tuple(round(white + share * (there - white)) for white, there in zip(SAME, end, strict=True))
