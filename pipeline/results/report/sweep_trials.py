"""The parts of a sweep's report with a line or a point a trial: settings against scores, scores against time."""

import numpy as np

from ...studies.tune.table import FINISHED
from .markup import Html, joined
from .page import Section, figure, figures, left_out, prose, tall, tall_rows
from .sweep_pictures import best_so_far_plot, parallel_plot, slice_plot, trial_curves_plot
from .sweep_scales import knob_range, knob_scale, score_scale
from .sweep_source import SweepSource
from .wording import fixed


def settings_section(source: SweepSource) -> Section:
    """Return parallel coordinates of all trials, and scores against every knob."""
    better = "higher" if source.higher else "lower"
    last = " Of a trial that changed its settings, the last ones count." if source.sweep.scheduler == "pbt" else ""
    told = prose(f"The score is the best of all epochs that a trial got; {better} is better. {_points(source)}{last}")
    return Section("settings", "Scores against settings", joined(told, tall(_parallel(source), *_slices(source))))


def _points(source: SweepSource) -> str:
    """Return what the points of the slices say."""
    if (source.ranked["status"] == FINISHED).all():
        return "Circle: the best."
    return (
        "Filled: trained to the end; hollow: stopped or failed before, so that its score is of fewer epochs; circle: "
        "the best."
    )


def _parallel(source: SweepSource) -> Html:
    axis, at = score_scale(source.metric, _scores(source), source.higher)
    scales = [*(knob_scale(name, knob) for name, knob in source.knobs.items()), axis]
    rows = tall_rows(len(source.knobs))
    picture = parallel_plot(scales, np.column_stack([source.places(source.ranked), at]), _names(source), _height(rows))
    remark = "A line is a trial. Blue: the best two fifths; orange: the worst two; fat: the best. Right is better."
    return figure(picture, "Parallel coordinates", remark, rows=rows)


def _height(rows: int) -> float:
    """Return the height, in SVG units, that a picture has beside so many rows of slices."""
    return 279 * rows - 90


def _slices(source: SweepSource) -> list[Html]:
    places, scores, names = source.places(source.ranked), _scores(source), _names(source)
    whole = (source.ranked["status"] == FINISHED).to_numpy(bool)
    drawn = []
    for number, (name, knob) in enumerate(source.knobs.items()):
        picture = slice_plot(knob_scale(name, knob), places[:, number], scores, whole, names, source.metric)
        drawn.append(figure(picture, name, knob_range(knob)))
    return drawn


def _scores(source: SweepSource) -> np.ndarray:
    return source.ranked["score"].to_numpy(np.float64)


def _names(source: SweepSource) -> list[str]:
    rows = zip(source.ranked["trial"], source.ranked["score"], strict=True)
    return [f"{trial}: {source.metric} {fixed(score)}" for trial, score in rows]


def learning_section(source: SweepSource) -> Section:
    """Return all learning curves, and the best score so far against time and epochs of all trials."""
    curves, leading = source.curves, source.leading
    whole = (source.ranked["status"] == FINISHED).tolist()
    skipped = min(len(leading) // 5, min(map(len, curves)) - 1)
    picture = trial_curves_plot(curves, leading, whole, source.metric, skipped)
    remark = "Blue: the best trial; fat: the best of all trials until each epoch."
    remark += "" if all(whole) else " A dot ends a trial that was stopped."
    drawn = [figure(picture, f"Validation {source.metric} of all trials", remark)]
    if source.progress.empty:
        missing = left_out("Best score against time", "progress.jsonl is not there.")
        return Section("learning", "Learning curves and time", joined(figures(*drawn), missing))
    return Section("learning", "Learning curves and time", figures(*drawn, *_so_far(source)))


def _so_far(source: SweepSource) -> list[Html]:
    elapsed, scores = (source.progress[name].to_numpy(np.float64) for name in ("elapsed", "score"))
    best = source.best_so_far(scores)
    unit, name = _unit(float(elapsed.max()))
    drawn = []
    for x, over, remark in (
        (elapsed / unit, name, "Points: epochs of any trial, when they were there."),
        (np.arange(1, len(scores) + 1), "epochs of all trials", "The same, counted instead of timed."),
    ):
        picture = best_so_far_plot(x, scores, best, source.metric, over)
        drawn.append(figure(picture, f"Best so far against {over}", remark))
    return drawn


def _unit(seconds: float) -> tuple[float, str]:
    """Return the seconds of the unit that a reader would use, and its name."""
    return next(
        unit for unit in ((3600, "hours"), (60, "minutes"), (1, "seconds")) if seconds >= 2 * unit[0] or unit[0] == 1
    )
