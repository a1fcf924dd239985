"""Matplotlib figures as SVG that lives inside a page: its text is text, its colours are the page's.

Lengths are SVG units; a figure 340 units wide stands about one to one on a phone and in a three-column page.
"""

import io
import itertools
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any
from xml.etree import ElementTree

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from .markup import Html, printable
from .theme import INK, MUTED, PAPER, RULE, TOKENS, SeriesStyle

WIDTH = 340
GROUND: dict[str, Any] = {"facecolor": PAPER, "edgecolor": "none", "pad": 1.0}
"""Box behind a text that stands among lines, so that none crosses it."""
_UNITS_PER_INCH = 72
_SETTINGS: dict[str, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # a label may be called $x$
    "font.size": 11,
    "figure.facecolor": "none",
    "figure.constrained_layout.h_pad": 0.03,
    "figure.constrained_layout.w_pad": 0.03,
    "savefig.facecolor": "none",
    "axes.facecolor": "none",
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 11,
    "axes.labelpad": 5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "grid.color": RULE,
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 10.5,
    "ytick.labelsize": 10.5,
    "ytick.major.size": 0,
    "ytick.minor.size": 0,
    "xtick.major.size": 3,
    "lines.linewidth": 1.8,
    "lines.markersize": 4.5,
    "lines.scale_dashes": True,
}
_VARIABLES = {light: f"var(--{name})" for name, (light, _) in TOKENS.items()}
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_SVG = re.compile(r"<svg .*?</svg>", re.DOTALL)
_TAG = re.compile(r"<[a-z][^>]*>")
_REFERENCE = re.compile(r" id=\"| href=\"#|\"url\(#")
_DECIMAL = re.compile(r"-?\d+\.\d+")


@contextmanager
def canvas(height: float = 210, width: float = WIDTH) -> Iterator[tuple[Figure, Axes]]:
    """Yield a figure with one pair of axes in the report's style; draw and ``inline`` it inside the block."""
    with style.context(["default", _SETTINGS]):
        figure = Figure(figsize=(width / _UNITS_PER_INCH, height / _UNITS_PER_INCH), layout="constrained")
        yield figure, figure.subplots()


def inline(figure: Figure, alternative: str, tips: Mapping[str, Sequence[str]] | None = None) -> Html:
    """Return a figure as an ``<svg>`` element.

    Args:
        figure: drawn in colours of the theme only.
        alternative: what the picture says, for readers who do not see it; empty for an ornament.
        tips: group id (``gid`` of an artist) -> text shown over each of its marks, in their order.

    Raises:
        ValueError: when a colour is none of the theme's, or marks and tips differ in number.
    """
    buffer = io.StringIO()
    with warnings.catch_warnings():
        # Only for measuring: the page's fonts have what Matplotlib's own lacks.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font")
        # Laid out and drawn once, where savefig draws twice.
        FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None, "Creator": None})
    source, alternative = printable(buffer.getvalue()), printable(alternative)
    root = ElementTree.fromstring(source)
    _forget_namespaces(root)
    for child in [child for child in root if child.tag == "metadata" or child.find("style") is not None]:
        root.remove(child)  # the style sheet would reach the whole page
    for group, texts in (tips or {}).items():
        _add_tips(root, group, texts)
    _tidy(root)
    box = root.attrib["viewBox"]
    root.attrib.clear()
    spoken = {"role": "img", "aria-label": alternative} if alternative else {"aria-hidden": "true"}
    root.attrib.update({"viewBox": box, "class": "plot", **spoken})
    return Html(ElementTree.tostring(root, encoding="unicode"))


def _forget_namespaces(root: ElementTree.Element) -> None:
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        for name in [name for name in element.attrib if name.startswith("{")]:
            element.attrib[name.rpartition("}")[2]] = element.attrib.pop(name)


def _add_tips(root: ElementTree.Element, group: str, texts: Sequence[str]) -> None:
    found = root.find(f".//g[@id='{group}']")
    marks = [] if found is None else [*found.iter("use"), *found.findall("path"), *found.findall("g/path")]
    if len(marks) != len(texts):
        raise ValueError(f"{len(texts)} tips for {len(marks)} marks of {group!r}")
    for mark, text in zip(marks, texts, strict=True):
        ElementTree.SubElement(mark, "title").text = printable(text)


def _tidy(root: ElementTree.Element) -> None:
    """Drop ids that nothing refers to; make colours variables, fonts the page's, and numbers short."""
    source = ElementTree.tostring(root, encoding="unicode")
    short = {name: str(n) for n, name in enumerate(dict.fromkeys(re.findall(r"(?:url\(#|href=\"#)([^)\"]+)", source)))}
    for element in root.iter():
        values = element.attrib
        if "id" in values and values["id"] not in short:
            del values["id"]
        for name in values:
            values[name] = _tidy_value(element.tag, name, values[name], short)
        if values.get("transform", "").startswith("rotate(-0 "):
            del values["transform"]
        element.tail = None
        if element.text is not None and not element.text.strip():
            element.text = None


def _tidy_value(tag: str, name: str, value: str, short: Mapping[str, str]) -> str:
    if name == "style":
        return _COLOUR.sub(_variable, re.sub(r"font-family: [^;]*;? ?", "", value))
    if name in ("id", "href", "clip-path"):
        value = re.sub(r"\s", "", value)  # Matplotlib breaks the lines of pictures
        return re.sub(r"^(url\(#|#|)([^)]+)", lambda found: found[1] + short.get(found[2], found[2]), value)
    if name == "d":
        value = re.sub(r"\s+", " ", value).strip()
    return value if tag == "image" else _DECIMAL.sub(_short, value)


def _variable(match: re.Match[str]) -> str:
    try:
        return _VARIABLES[match[0].lower()]
    except KeyError:
        raise ValueError(f"colour {match[0]} is none of the theme's") from None


def _short(match: re.Match[str]) -> str:
    return f"{float(match[0]):.2f}".rstrip("0").rstrip(".")


def numbered(page: str) -> str:
    """Return a page in which the ids of every ``<svg>`` are its own: Matplotlib gives equal shapes equal ids."""
    count = itertools.count(1)

    def one(svg: re.Match[str]) -> str:
        number = next(count)
        return _TAG.sub(lambda tag: _REFERENCE.sub(rf"\g<0>f{number}-", tag[0]), svg[0])

    return _SVG.sub(one, page)


@cache
def swatch(look: SeriesStyle) -> Html:
    """Return a piece of a series' line with its marker, for a legend."""
    with canvas(height=14, width=38) as (figure, axes):
        axes.set_axis_off()
        axes.plot([0, 0.5, 1], [0, 0, 0], color=look.colour, dashes=look.dash, marker=look.marker, markevery=[1])
        return inline(figure, "")
