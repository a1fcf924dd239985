"""A table of numbers as a picture: a square a cell, darker for more.

r rows   c columns
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import to_rgb

from .markup import Html
from .svg import canvas, inline
from .theme import MAIN
from .wording import short, shortened

_LINE, _AROUND = 21, 62
_NAMED = 40


def grid_map(
    values: np.ndarray, rows: Sequence[str], columns: Sequence[str], what: str, *, highest: float | None = None
) -> Html:
    """Return the picture; the colour is one hue whose strength runs from 0 to the highest value.

    Args:
        values: float (r, c), 0 or more; NaN is left empty.
        rows: names, from top to bottom; written beside up to 40.
        columns: names, from left to right; likewise.
        what: name of the values.
        highest: value of the full colour; None for the largest there is.
    """
    known = values[~np.isnan(values)]
    top = highest or float(known.max(initial=0)) or 1.0
    pixels = np.empty((*values.shape, 4))
    pixels[..., :3] = to_rgb(MAIN)
    pixels[..., 3] = np.clip(np.nan_to_num(values) / top, 0, 1)
    with canvas(_AROUND + _LINE * min(len(rows), _NAMED)) as (figure, axes):
        axes.imshow(pixels, interpolation="none", aspect="auto", extent=(0, len(columns), len(rows), 0))
        axes.grid(visible=False)
        axes.spines["bottom"].set_visible(False)
        axes.tick_params(length=0)
        _name(axes.set_yticks, rows, 16)
        _name(axes.set_xticks, columns, 12, rotation=90 if max(map(len, columns)) > 2 else 0)
        spread = f"from {short(known.min())} to {short(known.max())}" if len(known) else "none known"
        return inline(figure, f"{what}, {len(rows)} rows by {len(columns)} columns, {spread}")


def _name(set_ticks: object, names: Sequence[str], most: int, **style: float) -> None:
    """Write the names beside their lines, or none where they are too many."""
    assert callable(set_ticks)
    shown = [shortened(name, most) for name in names] if len(names) <= _NAMED else []
    set_ticks(np.arange(len(shown)) + 0.5, shown, fontsize=min(10.5, 260 / max(len(shown), 1)), **style)
