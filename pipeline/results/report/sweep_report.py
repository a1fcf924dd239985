"""The report of a sweep: what was searched, what was found, and how far that can be trusted."""

import numpy as np
import pandas as pd

from ...studies.tune.ranking import before_selection, interval, point_from, uniform_remark
from ...studies.tune.table import FINISHED
from .comparison_setup import shared_settings
from .markup import Html, element, joined
from .page import Card, Section, beside, cards, figure, left_out, notes, page, prose, table
from .rows import Bar, bar_plot
from .sweep_importance import Importance, importance
from .sweep_scales import knob_range
from .sweep_setup import configuration_section, failure_section, population_section
from .sweep_source import SweepSource
from .sweep_trials import learning_section, settings_section
from .wording import duration, fixed, percent, setting

_BEST, _FEW_MORE = 5, 2
"""Trials in the table of the best; so many more are shown rather than left out."""
_SAMPLERS = {"random": "random points", "grid": "a grid of at most {points} values a knob", "optuna": "Optuna (TPE)"}
_SCHEDULERS = {
    "asha": "ASHA, which lets about one trial in {factor} go on at each rung",
    "pbt": "population-based training",
    "none": "none, every trial is trained to the end",
}


def sweep_page(source: SweepSource) -> str:
    """Return the whole page."""
    sweep, base = source.sweep, source.sweep.base
    trials = "1 trial" if len(source.table) == 1 else f"{len(source.table)} trials"
    lead = (
        f"{base.selector.name} with network {base.model.name}: {len(source.knobs)} knobs, {trials} "
        f"of up to {base.train.epochs} epochs. Scores are of validation rows. Epochs count from 1."
    )
    parts = (
        _summary,
        _best,
        _importance,
        settings_section,
        learning_section,
        population_section,
        failure_section,
        configuration_section,
    )
    sections = [section for section in (part(source) for part in parts) if section is not None]
    return page("Sweep", sweep.name, lead, sections, "Written by d2ace report.")


def _summary(source: SweepSource) -> Section:
    counts, best = source.table["status"].value_counts(), source.best
    trained, possible = int(source.table["epochs"].sum()), source.sweep.base.train.epochs * len(source.table)
    spent = float(sum(np.sum(part) for part in source.table["seconds"].dropna()))
    ended = f"{counts.get('stopped', 0)} stopped, {counts.get('failed', 0)} failed"
    elapsed = float(source.progress["elapsed"].max()) if len(source.progress) else None
    given = [
        Card(f"Best {source.metric}", fixed(best["score"]), f"validation, {_better(source)} is better"),
        Card("Trials finished", str(counts.get(FINISHED, 0)), ended),
        Card("Epochs trained", str(trained), f"of {possible} possible, {percent(trained / possible)}"),
        Card("Time", duration(elapsed), f"{duration(spent)} of training, all runs added up"),
    ]
    rows = [
        (name, knob_range(knob), setting(point_from(best)[name]), "selector" if "." not in name else "configuration")
        for name, knob in source.knobs.items()
    ]
    shown = table("Knobs", ("knob", "range", "best", "of"), rows, words=(1, 2, 3))
    return Section("summary", "Summary", joined(cards(given), notes(_how(source)), shown))


def _how(source: SweepSource) -> list[str]:
    """Return how points were proposed, judged and stopped."""
    sweep = source.sweep
    named = sweep.base.selector.name if sweep.space == "auto" else sweep.space
    space = "none, only further knobs" if sweep.method_space is None else f"{named}, preset {sweep.preset}"
    folds = f", {sweep.folds} folds" if sweep.folds else ""
    seeds = f"seed{'s' if len(sweep.seeds) > 1 else ''} {', '.join(map(str, sweep.seeds))}"
    judged = f"the mean of {source.runs} runs ({seeds}{folds})" if source.runs > 1 else f"a single run ({seeds})"
    return [
        f"Space: {space}.",
        f"Sampler: {_SAMPLERS[sweep.sampler].format(points=sweep.grid_points)}; seed of the sweep {sweep.seed}.",
        f"Scheduler: {_SCHEDULERS[sweep.scheduler].format(factor=sweep.reduction_factor)}.",
        f"Score: validation {source.metric} of the best epoch, {judged}.",
    ]


def _better(source: SweepSource) -> str:
    return "higher" if source.higher else "lower"


def _best(source: SweepSource) -> Section:
    shown = source.ranked if len(source.ranked) <= _BEST + _FEW_MORE else source.ranked.head(_BEST)
    head = ("trial", source.metric, "95 % interval", "best epoch", "epochs", "status", *source.knobs)
    count = len(source.ranked)
    chosen = f"Of {count} trials the luckiest wins; its score" if count > 1 else "It"
    told = prose(
        element("strong", "The best score is optimistic. "),
        f"{chosen} is of the same validation rows that chose {'it and ' if count > 1 else ''}its epoch. For a number "
        "to trust, train the best settings with seeds that the sweep did not use and compare them with the defaults "
        "on test rows.",
    )
    caption = (
        f"The best {len(shown)} of {count} trials" if len(shown) < count else "All trials with a score, the best first"
    )
    found = table(caption, head, [_trial_row(source, row) for _, row in shown.iterrows()], words=(5,))
    parts = (found, _uniform(source), prose(_runner_up(source)), told, _difference(source))
    return Section("best", "Best settings", joined(*parts))


def _uniform(source: SweepSource) -> Html:
    """Return which trials were best before their selection began; nothing where none was."""
    uniform = [before_selection(row, source.sweep) for _, row in source.ranked.iterrows()]
    if not any(uniform):
        return joined()
    told = f"{sum(uniform)} of {len(uniform)} trials were best before their selection began (* in the table). "
    if uniform[0]:
        told += f"Of the best trial, {uniform_remark(source.best, source.sweep)}. best.yaml says so, too."
    return prose(element("strong", "Not the method's merit. "), told)


def _trial_row(source: SweepSource, row: pd.Series) -> tuple[str, ...]:
    low, high = interval(row["scores"])
    point = point_from(row)
    spread = "–" if np.isnan(low) else f"[{fixed(low)}, {fixed(high)}]"
    epoch = str(int(row["best_epoch"]) + 1) + ("*" if before_selection(row, source.sweep) else "")
    numbers = (fixed(row["score"]), spread, epoch, str(row["epochs"]))
    return (row["trial"], *numbers, row["status"], *(setting(point[name]) for name in source.knobs))


def _runner_up(source: SweepSource) -> str:
    """Say whether the best trial can be told from the second."""
    if source.runs < 2:
        known = "Every trial is a single run, which has no interval: what is chance in these scores is not known."
        return f"{known} Several seeds or folds would tell."
    told = f"The interval is Student's t over the {source.runs} runs of a trial."
    if len(source.ranked) < 2:
        return f"{told} There is no other trial to compare the best with."
    low, high = interval(source.best["scores"])
    second = source.ranked.iloc[1]
    if np.isnan(low):
        return f"{told} The best trial's runs have the same score, so it has none."
    inside = low <= second["score"] <= high
    verdict = "inside the best trial's interval: the two are not told apart" if inside else "outside of it"
    return f"{told} The runner-up, {second['trial']} with {fixed(second['score'])}, lies {verdict}."


def _difference(source: SweepSource) -> Html:
    """Return what ``best.yaml`` changes in the configuration that all trials start from."""
    chosen = source.sweep.make_config(point_from(source.best))
    configs = [config.model_dump(mode="json") for config in (source.sweep.base, chosen)]
    differing = {key: values for key, values in shared_settings(configs)[1].items() if values[1] != "not set"}
    rows = [(key, *map(setting, values)) for key, values in differing.items()]
    if not rows:
        return prose("best.yaml is the configuration that the sweep started from.")
    return table("What best.yaml changes", ("setting", "before", "best.yaml"), rows, words=(1, 2))


def _unranked(found: Importance, source: SweepSource) -> str:
    """Return which knobs have no bar, since they had played no part by then; nothing where all have one."""
    left = [name for name, mean in zip(source.knobs, found.means, strict=True) if np.isnan(mean)]
    return f"Not ranked, since not every trial selected by then: {', '.join(left)}. " if left else ""


def _importance(source: SweepSource) -> Section:
    found = importance(source)
    if found.reason:
        return Section("importance", "Importance of each knob", left_out("A ranking of the knobs", found.reason))
    order = [i for i in np.argsort(-found.means, kind="stable").tolist() if np.isfinite(found.means[i])]
    names = list(source.knobs)
    bars = [
        Bar(names[i], max(found.means[i], 0.0), f"{fixed(found.means[i], 3)} ± {fixed(found.spreads[i], 3)}")
        for i in order
    ]
    told = prose(
        f"A random forest learnt the {source.metric} of {found.trials} trials from their settings: that of epoch "
        f"{found.epoch + 1}, the last one that all of them reached, failed ones left out. Its out-of-bag R² is "
        f"{found.r2:.2f}. {_unranked(found, source)}A bar is what the forest's R² loses when the values of the knob "
        "are shuffled among the trials, mean ± standard deviation over shuffles. A knob that only acts later in a run "
        "does not show; a small R² or a small bar can be chance."
    )
    drawn = figure(bar_plot(bars, "loss of R²"), "Permutation importance")
    return Section("importance", "Importance of each knob", beside(told, drawn))
