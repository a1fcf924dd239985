"""Numbers and names as a report prints them."""

import json
import math
import re


def fixed(value: float | None, digits: int = 4) -> str:
    """Return a number with a fixed count of decimals, a dash where there is none."""
    return _formatted(value, f".{digits}f")


def short(value: float | None) -> str:
    """Return a number with four significant digits, a dash where there is none."""
    return _formatted(value, ".4g")


def setting(value: object) -> str:
    """Return a setting's value: numbers with four significant digits, text as it is, all else as JSON."""
    if isinstance(value, float):
        return short(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def signed(value: float | None) -> str:
    """Return a difference with four decimals and its sign, a dash where there is none."""
    return _formatted(value, "+.4f")


def percent(share: float | None) -> str:
    """Return a share as a percentage with at most two decimals for small ones."""
    if share is None or math.isnan(share):
        return "–"
    return f"{100 * share:.2f} %" if abs(share) < 0.1 else f"{100 * share:.1f} %"


def duration(seconds: float | None) -> str:
    """Return seconds in the unit that a reader would use."""
    if seconds is None or math.isnan(seconds):
        return "–"
    if seconds < 1:
        return f"{1000 * seconds:.3g} ms"
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"


def shortened(name: str, most: int = 24) -> str:
    """Return a name that fits an axis: cut in the middle, since beginnings and ends tell names apart."""
    if len(name) <= most:
        return name
    tail = (most - 1) // 2
    return f"{name[: most - 1 - tail]}…{name[-tail:]}"


def on_two_lines(name: str, most: int = 18) -> str:
    """Return a name that fits beside a line of a picture: broken once, after a hyphen or the like, and shortened."""
    if len(name) <= most:
        return name
    breaks = [match.end() for match in re.finditer(r"[-_ /.]", name) if match.end() <= most]
    first = breaks[-1] if breaks else most
    return f"{shortened(name[:first], most)}\n{shortened(name[first:], most)}"


def _formatted(value: float | None, form: str) -> str:
    """Return a number with a real minus sign, a dash where there is none."""
    return "–" if value is None or math.isnan(value) else f"{value:{form}}".replace("-", "\u2212")
