"""The colours of a report, for light and dark screens, and how series are told apart.

Colours follow Okabe and Ito, *Color Universal Design* (2008), which stay distinct to colour-blind readers; [own]: the
pale ones are darkened on white paper and the deep ones lightened on dark paper. Lines differ by dash and marker, too.
"""

from typing import NamedTuple

TOKENS: dict[str, tuple[str, str]] = {
    "ground": ("#f4f3ef", "#101216"),
    "paper": ("#fffefc", "#181b21"),
    "ink": ("#1c2026", "#e7e9ec"),
    "muted": ("#59616d", "#a4adb9"),
    "rule": ("#dddad2", "#343a44"),
    "blue": ("#0072b2", "#4aa6e3"),
    "vermillion": ("#d55e00", "#f58742"),
    "green": ("#00855f", "#22b98c"),
    "purple": ("#a8558a", "#dc92bf"),
    "orange": ("#b07800", "#efb028"),
    "sky": ("#2f8fca", "#9bd5f7"),
    "olive": ("#857d00", "#ece24a"),
    "neutral": ("#41474f", "#cdd2d8"),
}
"""Name -> (on light, on dark). A figure is drawn in the light colours; the page's ``--name`` takes their place."""

INK, MUTED, RULE, PAPER = (TOKENS[name][0] for name in ("ink", "muted", "rule", "paper"))
MAIN = TOKENS["blue"][0]

_HUES = ("blue", "vermillion", "green", "purple", "orange", "sky", "olive")
_DASHES: tuple[tuple[float, ...], ...] = (
    (),
    (5, 2),
    (1.5, 1.5),
    (6, 2, 1.5, 2),
    (9, 2.5),
    (3, 1.5, 1, 1.5),
    (2.5, 2.5),
)
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")


class SeriesStyle(NamedTuple):
    """How one series looks everywhere in a report.

    Attributes:
        colour: of the light theme.
        dash: lengths drawn and left out, in multiples of the line's width; empty for a solid line.
        marker: Matplotlib's letter of the point shape.
    """

    colour: str
    dash: tuple[float, ...]
    marker: str


REFERENCE = SeriesStyle(TOKENS["neutral"][0], (1, 1), "o")
"""The series that others are compared with."""


def series_style(number: int) -> SeriesStyle:
    """Return the style of series ``number`` from 0; the first 49 all differ: later rounds shift the dashes."""
    hue, turn = number % len(_HUES), number // len(_HUES)
    shape = (hue + turn) % len(_DASHES)
    return SeriesStyle(TOKENS[_HUES[hue]][0], _DASHES[shape], _MARKERS[shape])


def css_variables() -> str:
    """Return the rules that define every colour for light and dark screens."""
    light, dark = ("".join(f"--{name}:{pair[k]};" for name, pair in TOKENS.items()) for k in (0, 1))
    return f":root{{{light}}}\n@media (prefers-color-scheme:dark){{:root{{{dark}}}}}\n"
