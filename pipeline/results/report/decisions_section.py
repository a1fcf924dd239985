"""What ``d2ace decide`` chose for a run: both F1s, reliability diagrams, calibration errors, thresholds of the labels.

L labels, R bins.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ...common.errors import RunError
from ...common.storage.json_files import numbers
from ...runs.decisions import Decisions, read_decisions
from .labels import frequency_plot
from .markup import Html, joined
from .page import Section, details, figure, figures, left_out, legend, prose, table
from .run_source import RunSource
from .svg import canvas, inline
from .theme import INK, SeriesStyle, series_style
from .wording import fixed

_WHEN = ("before", "after")
_KEY = {"the network's own": series_style(1), "calibrated": series_style(0)}
_LARGEST = 8.0
_SMALLEST = 2.5


def decisions_section(source: RunSource) -> Section | None:
    """Return the section; None for a run without chosen thresholds."""
    try:
        found = read_decisions(source.folder.path)
    except RunError as error:
        return Section("decisions", "Thresholds and calibration", left_out("Thresholds", f"{error}."))
    if found is None:
        return None
    about = numbers(dict(found.about))
    drawn = figures(*_diagrams(about), *_by_frequency(source, found))
    told = joined(prose(*_told(source, found, about)), _scores(about), legend(_KEY.items()))
    return Section("decisions", "Thresholds and calibration", joined(told, drawn, _labels(found, about)))


def _told(source: RunSource, found: Decisions, about: Mapping[str, Any]) -> Iterator[str]:
    """Yield how the thresholds were chosen, and whether they are of the weights that the run has now."""
    yield f"Thresholds by {about['rule']}, calibration {about['calibration']}, chosen on validation rows. "
    if about["kept_run_threshold"]:
        yield f"None had a larger macro-F1 on rows that were left out than {about['run_threshold']:g}, which stays. "
    yield "Validation rows are judged by what other folds chose."
    if source.best_epoch is not None and source.best_epoch != found.epoch:
        yield f" They are for the weights of epoch {found.epoch + 1}, which are no longer the best: choose again."


def _scores(about: Mapping[str, Any]) -> Html:
    names = {"before": f"{about['run_threshold']:g} for all labels", "after": "chosen"}
    rows = [
        (f"{split}, {names[when]}", str(quality["rows"]), *_four(quality[when]))
        for split, quality in about["quality"].items()
        for when in _WHEN
    ]
    head = ("rows, threshold", "rows", "macro-F1 ↑", "micro-F1 ↑", "calibration error ↓", "mean over labels ↓")
    return table("Decisions before and after", head, rows)


def _four(quality: Mapping[str, Any]) -> list[str]:
    return [fixed(quality[name]) for name in ("macro_f1", "micro_f1", "ece", "label_ece")]


def _diagrams(about: Mapping[str, Any]) -> Iterator[Html]:
    """Yield a reliability diagram for each split."""
    for split, quality in about["quality"].items():
        bins = {name: np.array(quality[when]["reliability"]) for name, when in zip(_KEY, _WHEN, strict=True)}
        remark = "Entries of all labels, in ten bins; a perfect network lies on the line. The area is the entries'."
        yield figure(reliability_plot(bins, split), f"Reliability on {split} rows", remark)


def reliability_plot(bins: Mapping[str, np.ndarray], what: str) -> Html:
    """Return the share of positives against the mean probability.

    Args:
        bins: by series of ``_KEY``, float (3, R): entries, mean probability, share of positives; NaN of empty bins.
        what: the rows, for the description.
    """
    with canvas(240) as (drawing, axes):
        axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, alpha=0.6)
        tips: dict[str, list[str]] = {}
        for number, (name, values) in enumerate(bins.items()):
            _draw(axes, values, _KEY[name])
            entries, predicted, found = values[:, values[0] > 0]
            axes.scatter(predicted, found, _areas(entries), color=_KEY[name].colour, linewidth=0, gid=f"bins{number}")
            tips[f"bins{number}"] = [
                f"{name}: {count:.0f} entries, {p:.3f} predicted, {share:.3f} positive"
                for count, p, share in zip(entries, predicted, found, strict=True)
            ]
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel="mean probability", ylabel="share of positives")
        return inline(drawing, f"share of positives against mean probability, {what} rows", tips)


def _draw(axes: Any, values: np.ndarray, look: SeriesStyle) -> None:
    filled = values[:, values[0] > 0]
    axes.plot(filled[1], filled[2], color=look.colour, dashes=look.dash or (None, None), linewidth=1.2)


def _areas(entries: np.ndarray) -> np.ndarray:
    """Return the areas of the points of bins; the smallest can still be seen."""
    return np.maximum(_LARGEST * np.sqrt(entries / entries.max()), _SMALLEST) ** 2


def _by_frequency(source: RunSource, found: Decisions) -> Iterator[Html]:
    """Yield the thresholds of the labels against their training rows."""
    if len(source.positives) == len(found.labels):
        picture = frequency_plot(source.positives, found.thresholds, found.labels, "threshold", limits=(0, 1.04))
        yield figure(picture, "Thresholds against frequency", "On calibrated probabilities.")


def _labels(found: Decisions, about: Mapping[str, Any]) -> Html:
    quality = about["quality"].get("test", about["quality"]["validation"])
    columns = zip(
        found.labels,
        about["positives"],
        found.thresholds,
        found.raw_thresholds,
        quality["before"]["labels"],
        quality["after"]["labels"],
        strict=True,
    )
    rows = [(name, f"{count:,}", *(fixed(value, 3) for value in values)) for name, count, *values in columns]
    head = ("label", "validation positives", "threshold", "on own probability", "calibration error", "calibrated")
    return details("Every label in numbers", table("Thresholds and calibration errors", head, rows))
