"""The picture of a method card: draws of every label over the epochs, as SVG written by hand.

Colours follow the reader's light or dark scheme, also where the picture is embedded as an image.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

WIDTH, HEIGHT = 760, 290
_TOP, _BOTTOM, _PANEL = 46, 222, 320
_LEFTS = (48, 424)
_STYLE = """
svg { color: #24292f; }
text { fill: currentColor; font: 12px system-ui, sans-serif; }
polyline { fill: none; stroke-linejoin: round; }
.grid { stroke: currentColor; stroke-opacity: .18; } .one { stroke: currentColor; stroke-opacity: .6; }
.other { stroke: currentColor; stroke-opacity: .32; stroke-width: 1; }
.rare { stroke: #b35900; stroke-width: 2.5; }
.common { stroke: #0969da; stroke-width: 2.5; stroke-dasharray: 7 3; }
@media (prefers-color-scheme: dark) { svg { color: #e6edf3; } .rare { stroke: #ffa657; } .common { stroke: #79c0ff; } }
"""


class Panel(NamedTuple):
    """What one half of the picture shows.

    Attributes:
        title: its heading.
        curves: label -> draws of its rows in each epoch, over how many rows it has; every label equally many epochs.
        rarest: label of the fewest training rows.
        commonest: label of the most.
        warmup: epochs of plain permutations.
    """

    title: str
    curves: Mapping[str, Sequence[float]]
    rarest: str
    commonest: str
    warmup: int


def picture(method: str, panels: Sequence[Panel]) -> str:
    """Return the SVG text; all panels (at most two) share one vertical scale."""
    values = [value for panel in panels for curve in panel.curves.values() for value in curve]
    step = next(s for s in (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50) if (max(values) - min(values)) / s <= 6)
    low, high = int(min(*values, 1 - step) / step), -int(-max(*values, 1 + step) / step // 1)
    ticks = [number * step for number in range(low, high + 1)]
    title = f"Draws of every label under {method}, relative to uniform"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style>",
        f'<text x="8" y="18">{escape(title)} (1 = each of its rows once an epoch)</text>',
    ]
    for left, panel in zip(_LEFTS, panels, strict=False):
        lines += _panel(left, panel, ticks)
    return "\n".join([*lines, *_legend(any(panel.warmup for panel in panels)), "</svg>", ""])


def _panel(left: int, panel: Panel, ticks: Sequence[float]) -> list[str]:
    epochs = len(next(iter(panel.curves.values())))

    def x(epoch: float) -> float:
        return left + epoch * _PANEL / max(epochs - 1, 1)

    def y(value: float) -> float:
        return _BOTTOM - (value - ticks[0]) / (ticks[-1] - ticks[0]) * (_BOTTOM - _TOP)

    lines = [f'<text x="{left}" y="{_TOP - 8}">{escape(panel.title)}</text>']
    for tick in ticks:
        kind = "one" if abs(tick - 1) < 1e-9 else "grid"
        lines.append(f'<path class="{kind}" d="M{left} {y(tick):.1f}h{_PANEL}"/>')
        lines.append(f'<text x="{left - 5}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for epoch in range(0, epochs, 5):
        lines.append(f'<text x="{x(epoch):.1f}" y="{_BOTTOM + 16}" text-anchor="middle">{epoch}</text>')
    if 0 < panel.warmup < epochs:
        lines.append(f'<path class="grid" stroke-dasharray="3 3" d="M{x(panel.warmup - 0.5):.1f} {_TOP}V{_BOTTOM}"/>')
    special = {panel.rarest: "rare", panel.commonest: "common"}
    for label in sorted(panel.curves, key=lambda label: label in special):  # the two that matter on top
        points = " ".join(f"{x(epoch):.1f},{y(value):.1f}" for epoch, value in enumerate(panel.curves[label]))
        name = escape(label)
        lines.append(
            f'<polyline class="{special.get(label, "other")}" points="{points}"><title>{name}</title></polyline>'
        )
    return lines


def _legend(warmup: bool) -> list[str]:
    y = HEIGHT - 18
    lines = [f'<text x="{_LEFTS[0]}" y="{y - 16}">epoch{"; the dotted line ends the warm-up" if warmup else ""}</text>']
    for place, (kind, words) in enumerate(
        (("rare", "rarest label"), ("common", "most frequent label"), ("other", "every other label"))
    ):
        at = _LEFTS[0] + place * 180
        lines.append(f'<polyline class="{kind}" points="{at},{y} {at + 32},{y}"/>')
        lines.append(f'<text x="{at + 38}" y="{y + 4}">{words}</text>')
    return lines
