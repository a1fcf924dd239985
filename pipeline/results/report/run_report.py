"""The report of one run: what it reached, how it learnt, what that cost. What selection did: ``run_selection``."""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from ...common.storage.any_path import AnyPath
from ...training.metrics import HIGHER_IS_BETTER, METRICS
from .curves import Curve, curve_plot
from .data_section import data_section
from .decisions_section import decisions_section
from .drawn_section import drawn_section
from .entries_section import entries_section
from .markup import Html, joined
from .page import (
    Card,
    Section,
    cards,
    details,
    figure,
    figures,
    left_out,
    listing,
    page,
    prose,
    side_by_side,
    table,
)
from .pages_section import pages_section
from .run_selection import correlation_section, label_section, selection_section
from .run_source import RunSource
from .selection import seconds_plot
from .theme import series_style
from .versions import version_table
from .wording import duration, fixed, percent

_PACKAGES = ("d2ace", "numpy", "torch", "ray", "matplotlib")
_SHOWN_FIRST = ("macro_auc", "map")


def run_page(source: RunSource, target: AnyPath) -> str:
    """Return the whole page of a run, which goes to ``target``."""
    config = source.config
    lead = (
        f"Network {config.model.name}, batches of {config.train.batch_size} rows chosen by {config.selector.name}, "
        f"{len(source.epochs)} of {config.train.epochs} epochs{_why_fewer(source)}, seed {config.run.seed}. "
        "Epochs count from 1."
    )
    chosen = (label_section, selection_section, entries_section, correlation_section, drawn_section)
    others = partial(pages_section, target=target)
    parts = (_summary, data_section, _learning, decisions_section, others, *chosen, _cost, _configuration)
    sections = [section for section in (part(source) for part in parts) if section is not None]
    return page("Run report", source.folder.path.name, lead, sections, "Written by d2ace report.")


def _why_fewer(source: RunSource) -> str:
    """Return why a finished run has fewer epochs than were planned, nothing for others."""
    if not source.result or not source.result.get("stopped_early"):  # older versions did not stop early
        return ""
    return f" (stopped early: {source.config.train.monitor} did not improve for {source.config.train.patience} epochs)"


def _summary(source: RunSource) -> Section:
    monitor, best = source.config.train.monitor, source.best_epoch
    seconds, selected = source.per_epoch("seconds"), source.per_epoch("selection/selection_s")
    test = source.result["test"] if source.result else {}
    given = [
        Card("Best epoch", "–" if best is None else str(best + 1), f"by validation {monitor}"),
        Card(
            f"Validation {monitor}", fixed(source.epochs[best or 0].get(monitor) if best is not None else None), "there"
        ),
        Card(f"Test {monitor}", fixed(test.get(monitor)), "weights of that epoch"),
        Card("Training", duration(seconds.sum()), f"{duration(float(np.median(seconds)))} an epoch (median)"),
        Card("Selection", percent(selected.sum() / seconds.sum()), f"of that time, {duration(selected.sum())} in all"),
    ]
    missing = left_out("Test metrics", "the run is not finished.") if source.result is None else ""
    tables = side_by_side(_metric_table(source, test, best), *_data_table(source))
    return Section("summary", "Summary", joined(cards(given), missing, tables))


def _data_table(source: RunSource) -> Iterator[Html]:
    if source.data is None:
        return
    counts, splits = source.positives, source.data.splits
    rows = [
        ("training rows", str(len(splits.train))),
        ("… with the rarest label", str(counts.min())),
        ("… with the median label", fixed(float(np.median(counts)), 0)),
        ("… with the most frequent label", str(counts.max())),
        ("validation rows", str(len(splits.validation))),
        ("test rows", str(len(splits.test))),
        ("labels", str(len(counts))),
        ("labels a training row", fixed(counts.sum() / max(len(splits.train), 1), 3)),
    ]
    yield table("Data", ("", "count"), rows)


def _metric_table(source: RunSource, test: dict[str, float], best: int | None) -> Html:
    validation = source.epochs[-1 if best is None else best]
    rows = [
        (f"{name} {'↑' if HIGHER_IS_BETTER[name] else '↓'}", fixed(validation.get(name)), fixed(test.get(name)))
        for name in METRICS
        if name in validation or name in test
    ]
    when = "last epoch" if best is None else f"best epoch, {best + 1}"
    return table(f"Metrics of the {when} (↑ higher is better)", ("metric", "validation", "test"), rows)


def _learning(source: RunSource) -> Section:
    monitor, best, names = source.config.train.monitor, source.best_epoch, source.metrics()
    plain = series_style(0)

    def drawn(name: str, remark: str = "", height: float = 210) -> Html:
        curve = Curve(name, source.per_epoch(name), plain)
        return figure(curve_plot([curve], name, best=best, height=height), f"Validation {name}", remark)

    train = curve_plot([Curve("train loss", source.per_epoch("train_loss"), plain)], "train loss")
    main = [figure(train, "Training loss", "Mean over the draws of each epoch.")]
    if not names:
        missing = left_out("Validation metrics", "the run has no validation rows.")
        return Section("learning", "Learning curves", joined(figures(*main), missing))
    second = next(name for name in _SHOWN_FIRST if name != monitor)
    main += [drawn(monitor, "The monitored metric; the circle marks the best epoch."), drawn(second)]
    others = [drawn(name, height=170) for name in names if name not in (monitor, second)]
    more = details(f"{len(others)} more validation metrics", figures(*others))
    return Section("learning", "Learning curves", joined(figures(*main), more, _epoch_table(source, names)))


def _epoch_table(source: RunSource, names: Sequence[str]) -> Html:
    rows = [
        (str(record["epoch"] + 1), fixed(record["train_loss"]), *(fixed(record.get(name)) for name in names))
        for record in source.epochs
    ]
    head = ("epoch", "train loss", *names)
    return details("Every epoch in numbers", table("Training loss and validation metrics", head, rows))


def _cost(source: RunSource) -> Section:
    parts = [
        (name, source.per_epoch(f"selection/{name}_s"), series_style(number))
        for number, name in enumerate(("observe", "rescore", "plan"))
    ]
    share = Curve("share", 100 * source.per_epoch("selection/share"), series_style(0))
    whole = Curve("seconds", source.per_epoch("seconds"), series_style(0))
    drawn = figures(
        figure(seconds_plot(parts), "Seconds of selection", "How long the actor was busy in each epoch."),
        figure(curve_plot([share], "% of the epoch", from_zero=True), "Share of selection",
               "The actor works beside the training workers, so less than this adds to an epoch."),
        figure(curve_plot([whole], "seconds", from_zero=True), "Seconds of an epoch", "Evaluation included."),
    )  # fmt: skip
    return Section("cost", "Cost", drawn)


def _configuration(source: RunSource) -> Section:
    yaml = listing(source.folder.config.read_text(encoding="utf-8"))
    told = prose("A run folder does not say which versions made it. These wrote the report:")
    return Section("configuration", "Configuration and versions", joined(yaml, told, version_table(_PACKAGES)))
