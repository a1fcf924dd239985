"""The report of a choice: what was chosen and why, the curves of all arms, and what it cost."""

import math

import numpy as np

from ...studies.choose.candidates import UNIFORM
from ...studies.choose.outcome import Arm, Choice
from ...studies.choose.text import cost, verdict
from ...training.metric_names import HIGHER_IS_BETTER
from .curves import Curve, curve_plot
from .markup import element, joined
from .page import Card, Section, cards, figure, legend, listing, notes, page, prose, table
from .theme import REFERENCE, series_style
from .wording import duration, fixed, setting, signed


def choice_page(choice: Choice, name: str, chosen_yaml: str) -> str:
    """Return the whole page.

    Args:
        choice: the outcome.
        name: of the choice, such as its folder's.
        chosen_yaml: text of the configuration that it wrote.
    """
    lead = f"Which selection method, if any, for {choice.data}. {verdict(choice)}"
    sections = [_summary(choice), _curves(choice), _arms(choice), _how(choice), _configuration(chosen_yaml)]
    return page("Choice of a method", name, lead, sections, "Written by d2ace report.")


def _summary(choice: Choice) -> Section:
    found = choice.decision
    given = [
        Card("Chosen", choice.chosen, f"of {choice.schedule.candidates} candidates and uniform"),
        Card("Gain", signed(found.gain), f"of {choice.finalist}, the best candidate, in validation {choice.monitor}"),
        Card("By chance", fixed(found.least_gain), "what the best of as many equal methods would gain"),
        Card("Over rows", _interval(choice), f"95 % interval over {choice.rows} validation rows"),
        Card("Cost", f"{choice.cost:.2f} runs", f"{duration(_seconds(choice))} of training and validation"),
    ]
    return Section("summary", "Summary", joined(cards(given), prose(element("strong", "Why. "), verdict(choice))))


def _interval(choice: Choice) -> str:
    low, high = choice.decision.interval
    return f"{signed(low)} to {signed(high)}"


def _seconds(choice: Choice) -> float:
    return choice.shared_s + math.fsum(arm.seconds for arm in choice.arms)


def _curves(choice: Choice) -> Section:
    looks = [REFERENCE if arm.method == UNIFORM else series_style(place) for place, arm in enumerate(_ordered(choice))]
    curves = [Curve(arm.name, np.array(arm.curve), look) for arm, look in zip(_ordered(choice), looks, strict=True)]
    told = (
        f"All arms are one until epoch {choice.schedule.shared}. A candidate's curve ends where it was left behind. "
        "The distance between the runs with uniform batches is what chance does."
    )
    drawn = curve_plot(curves, f"validation {choice.monitor}", height=280)
    repeats = [(UNIFORM, REFERENCE)]
    others = [(curve.name, curve.look) for curve in curves if curve.look != REFERENCE]
    return Section("curves", "Curves", joined(legend([*repeats, *others]), figure(drawn, choice.monitor, told)))


def _ordered(choice: Choice) -> list[Arm]:
    """Return the candidates, then the repeats, whose lines lie on top."""
    return sorted(choice.arms, key=lambda arm: arm.method == UNIFORM)


def _arms(choice: Choice) -> Section:
    uniform = float(np.mean([arm.value for arm in choice.arms if arm.method == UNIFORM]))
    rows = [
        (
            arm.name,
            arm.method,
            ", ".join(f"{key}={setting(value)}" for key, value in arm.options.items()),
            fixed(arm.value),
            signed(arm.value - uniform) if arm.epochs == choice.schedule.epochs else "–",
            str(arm.best_epoch + 1),
            str(arm.epochs),
        )
        for arm in choice.arms
    ]
    head = ("arm", "method", "settings", choice.monitor, "minus uniform", "best epoch", "epochs")
    better = "higher" if HIGHER_IS_BETTER[choice.monitor] else "lower"
    told = [
        f"Values are those of each arm's best epoch on validation rows; {better} is better. An arm that was left "
        "behind has no difference, since it was trained for fewer epochs."
    ]
    if choice.left_out:
        told.append(f"The budget of {choice.budget:g} runs did not pay for {', '.join(choice.left_out)}.")
    return Section("arms", "Arms", joined(table("All arms", head, rows, words=(1, 2)), notes(told)))


def _how(choice: Choice) -> Section:
    found, schedule = choice.decision, choice.schedule
    ends = ", ".join(f"epoch {end}" for end in schedule.round_ends())
    halving = f"After {ends} the better half of the candidates went on. " if ends else ""
    told = [
        f"The first {schedule.shared} of {schedule.epochs} epochs were trained once, with uniform batches. Each "
        f"candidate goes on from there in the state of its own run with that warm-up. {halving}{cost(choice)}",
        f"The {schedule.repeats} runs with uniform batches differ in their batches and noise alone: standard deviation "
        f"{fixed(found.spread)}. A jackknife over groups of validation rows gives the gain an error of "
        f"{fixed(found.row_error)}.",
        f"The gain is {_times(found.statistic)} standard errors of both together. It has to exceed "
        f"{found.critical:.2f}, which the best of {schedule.candidates} methods that change nothing exceeds in 3 of "
        "100 choices (Dunnett's test).",
        f"So a gain below {fixed(found.least_gain)} cannot be told from chance at this budget; more repeats and a "
        "larger budget would see a smaller one. Uniform is the answer wherever nothing is shown.",
        "Validation rows chose; the test rows were not looked at.",
    ]
    return Section("how", "How it was decided", notes(told))


def _times(statistic: float) -> str:
    return "an unknown number of" if math.isnan(statistic) else f"{statistic:.2f}"


def _configuration(text: str) -> Section:
    return Section("configuration", "chosen.yaml", listing(text))
