"""The page of ``entries.py``: what its runs say, in Markdown."""

from collections.abc import Iterator, Sequence

import _common  # noqa: F401  puts the checkout on the path
import numpy as np
import pandas as pd
from _entries_arms import ARMS, PARTNERS, differs
from _entries_data import DAMAGES, SETS
from _entries_runs import DROPOUT, EPOCHS, HIDDEN, RATES, RULES

from d2ace.pipeline.studies.compare.statistics import holm, signed_rank_test
from d2ace.pipeline.studies.compare.summary import markdown_table

_ABOUT = """\
Test rows have complete labels; training and validation rows are damaged alike. `single`: one observed positive a row. \
`missingP`: P % of the positives missing at random. `missing-rare`: from 30 to 90 % of a label's, the more the rarer \
it is. `wrongP`: P % of them moved to a label that the row lacks. `both`: half missing, a fifth of the others moved. \
`unknownP`: P % of all entries unknown; `masked` and `masked-correct` leave them so, other arms take them for 0 and \
see what `missingP` leaves. `clean`: none. After `-training` validation rows keep all their labels. What is missing is \
taken for 0. \
`complete` trains on the labels without damage. A multi-layer perceptron ({hidden} units, dropout {dropout}) on \
tables and on features of photographs from a network that stays as it is; digit-scenes: a small convolutional network; \
mirflickr14-128: the end of EfficientNet-Lite0 trained further on photographs of 128 pixels, its last block, last \
convolution and a new head. AdamW, one-cycle schedule, {epochs}. Equal steps and forward passes in all arms. \
`correct-hill` is `correct` with the Hill loss, `mixup` is `bce` on mixed rows (Beta 0.4).

The learning rate of every arm is the one of {rates} that is best on the damaged validation rows of three seeds that \
no result is of, in the mean. A first version of this study searched on the validation rows of seed 0 alone; it was \
dropped after test figures had been seen, for a thousand damaged rows chose rates by noise. Each seed's own damaged \
validation rows choose its epoch, with a policy among those trained with all flags. A seed decides split, damage, \
weights and batches. **Rule**: which metric of the validation rows chooses. `map` is their mAP. `auc` is their \
macro-AUC, for this reason: where positives are missing at random within a label, the AUC against the labels that \
are left rises with the AUC against the true ones, and average precision need not (Menon et al., ICML 2015). The rule \
`auc` was added after test figures of `map` on mirflickr14 (`single`, `missing50`, `missing70`) had been seen; it was \
not chosen by them.

**chosen**: test mAP of the chosen epoch. **last**: of the last epoch. **gap**: how much of the way from `bce` to \
`complete` is gone. Flags of the training rows at the end: their precision and recall; `-` where the gate stayed \
shut."""

_POOLED = """\
Chosen epochs: mean difference over pairs (damage and seed), with Holm's corrected p of Wilcoxon's signed ranks over \
the arms of a column. A seed has the same test rows in all damages, so the pairs are not independent: for this data \
set and network only. Of five seeds alone no p is below .06, of ten none below .002. **gap**: the mean over the \
damages of an arm."""

_CLEAN = """\
Complete labels: mean difference to `bce` over the seeds, and for how many of them the gate opened."""

_ROWS = """\
Does row selection help once wrong entries no longer look hard? Each arm with rows of D2ACE against the one that has \
uniform rows and all else alike. **own rates**: each at the rate that its validation rows choose. **equal rates**: \
both at the rate of the arm with uniform rows. p: Wilcoxon's signed ranks, before correction."""

_KINDS = {
    "missing labels": r"single|missing\d+|missing-rare",
    "missing labels, complete validation rows": r".*-training",
    "wrong labels": r"wrong\d+",
    "unknown labels": r"unknown\d+",
}
"""Damages that are looked at together."""


def page(runs: pd.DataFrame, machine: dict[str, object]) -> str:
    """Return the whole page from a line a run: data, damage, arm, rule, seed, rate, chosen, last, and what it said."""
    epochs = ", ".join(f"{name} {EPOCHS[name]} epochs" for name in EPOCHS if name in set(runs["data"]))
    rates = ", ".join(f"{rate:g}" for rate in RATES)
    facts = ", ".join(f"{key} {value}" for key, value in machine.items() if key != "load")
    parts = [
        "# Missing and wrong labels: entry policies against published losses",
        "Written by `python benchmarks/entries.py` from `benchmarks/results/entries.json`; do not edit.",
        _ABOUT.format(hidden=HIDDEN, dropout=DROPOUT, epochs=epochs, rates=rates),
        f"{len(runs)} lines, one a seed, are shown (runs of the search for a rate alone are not); {facts}.",
        "## In short",
        *_short(runs),
    ]
    for name in (name for name in EPOCHS if name in set(runs["data"])):
        parts += [f"## {name}", *_cells(runs[runs["data"] == name])]
    parts += ["## Not run", _not_run(runs)]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _short(runs: pd.DataFrame) -> Iterator[str]:
    """Tables over several damages: missing and wrong labels of each data set, complete labels, rows of D2ACE."""
    yield _POOLED
    for name in (name for name in EPOCHS if name in set(runs["data"])):
        for kind, pattern in _KINDS.items():
            for rule in RULES:
                part = runs[(runs["data"] == name) & (runs["rule"] == rule) & runs["damage"].str.fullmatch(pattern)]
                if len(set(part["arm"]) - {"bce", "complete"}):
                    yield f"### {name}, {kind}, chosen by `{rule}`"
                    yield _pooled(part)
    yield "### Complete labels\n\n" + _CLEAN
    yield _clean(runs[runs["damage"] == "clean"])
    yield "### Rows of D2ACE\n\n" + _ROWS
    yield _answer(runs)
    yield _rows(runs)


def _not_run(runs: pd.DataFrame) -> str:
    """Say of every data set which damages have no arm, and of the others which arms they lack."""
    lines = []
    for name in SETS:
        there = {damage: set(runs["arm"][(runs["data"] == name) & (runs["damage"] == damage)]) for damage in DAMAGES}
        whole = [damage for damage, arms in there.items() if not arms]
        lines.append(f"- {name}: no run with {', '.join(whole)}." if whole else f"- {name}:")
        for damage in (damage for damage, arms in there.items() if arms):
            lacking = [arm for arm in ARMS if arm not in there[damage] and differs(arm, damage)]
            lines.append(f"  - {damage}, without {', '.join(lacking)}.")
    return "\n".join([*lines, "- A whole network, trained further on photographs from its first layer on."])


def _pooled(part: pd.DataFrame) -> str:
    """Every arm against ``bce``, ``hill`` and ``splc`` over some damages of a data set."""
    wide = part.pivot_table(index=["damage", "seed"], columns="arm", values="chosen")
    arms = [arm for arm in _ordered(part["arm"]) if arm not in ("bce", "complete")]
    tested = {rival: against(wide, arms, rival) for rival in ("bce", "hill", "splc")}
    rows = [["arm", "damages", "pairs", "gap", "to bce", "p", "to hill", "p", "to splc", "p"]]
    for arm in arms:
        there = wide[arm].dropna().index
        damages = ", ".join(dict.fromkeys(damage for damage, _ in there))
        compared = [word for found in tested.values() for word in found[arm]]
        rows.append([arm, damages, str(len(there)), _gap(wide, arm), *compared])
    return markdown_table(rows)


def _gap(wide: pd.DataFrame, arm: str) -> str:
    """Return the closed share of the gap, the mean over damages."""
    if not {"bce", "complete"} <= set(wide.columns):
        return ""
    means = wide.dropna(subset=[arm, "bce", "complete"]).groupby("damage").mean()
    shares = (means[arm] - means["bce"]) / (means["complete"] - means["bce"])
    return f"{shares.mean():.0%}" if len(shares) else ""


def against(wide: pd.DataFrame, arms: Sequence[str], rival: str) -> dict[str, tuple[str, str]]:
    """Return difference and corrected p of each arm, in words; empty where the rival was not trained."""
    found = {arm: (wide[arm] - wide[rival]).dropna().to_numpy() for arm in arms if arm != rival and rival in wide}
    found = {arm: values for arm, values in found.items() if len(values)}
    corrected = holm(np.array([signed_rank_test(values).p for values in found.values()]))
    told = {arm: (f"{v.mean():+.4f}", f"{p:.2g}") for (arm, v), p in zip(found.items(), corrected, strict=True)}
    return {arm: told.get(arm, ("", "")) for arm in arms}


def _clean(runs: pd.DataFrame) -> str:
    rows = [["data", "rule", "arm", "to bce", "gate open"]]
    for (name, rule), part in runs.groupby(["data", "rule"], sort=False):
        bce = part[part["arm"] == "bce"].set_index("seed")["chosen"]
        for arm in (arm for arm in _ordered(part["arm"]) if arm != "bce"):
            mine = part[part["arm"] == arm].set_index("seed")
            rows.append([name, rule, arm, f"{(mine['chosen'] - bce).mean():+.4f}", _opened(mine)])
    return markdown_table(rows)


def _rows(runs: pd.DataFrame) -> str:
    """Return every arm with rows of D2ACE against its partner, damage by damage and over all of a data set."""
    rows = [["data", "damage", "rule", "rows", "against", "pairs", "own rates", "p", "equal rates", "p"]]
    for arm, partner in PARTNERS.items():
        own, equal = _differences(runs, arm, partner)
        for (name, rule), part in own.groupby(level=["data", "rule"], sort=False):
            damages = part.index.unique("damage")
            for damage in [*damages, *(["all"] if len(damages) > 1 else [])]:
                own_part, equal_part = (_of(values, name, rule, damage) for values in (part, equal))
                rows.append(
                    [name, damage, rule, arm, partner, str(len(own_part)), *_test(own_part), *_test(equal_part)]
                )
    return markdown_table(rows)


def _differences(runs: pd.DataFrame, arm: str, partner: str) -> tuple[pd.Series, pd.Series]:
    """Return the differences of chosen epochs, both arms at rates of their own, and both at the partner's."""
    mine, theirs = (runs[runs["arm"] == name].set_index(["data", "rule", "damage", "seed"]) for name in (arm, partner))
    own = (mine["chosen"] - theirs["chosen"]).dropna()
    return own, (mine["at_equal_rate"] - theirs["chosen"]).dropna() if "at_equal_rate" in mine else own[:0]


def _answer(runs: pd.DataFrame) -> str:
    """Say of each arm with rows of D2ACE, over all pairs chosen by ``map``, whether it is ahead."""
    told = []
    for arm, partner in PARTNERS.items():
        for values, rates in zip(_differences(runs, arm, partner), ("own", "equal"), strict=True):
            values = values[values.index.get_level_values("rule") == "map"].to_numpy()
            if len(values):
                p = signed_rank_test(values).p
                verdict = "no difference beyond chance" if p >= 0.05 else "ahead" if values.mean() > 0 else "behind"
                told.append(
                    f"`{arm}` against `{partner}`, {rates} rates: {values.mean():+.4f} over {len(values)} pairs, "
                    f"p {p:.2g}: {verdict}"
                )
    return "Over all of them, chosen by `map`: " + "; ".join(told) + "."


def _of(values: pd.Series, name: str, rule: str, damage: str) -> np.ndarray:
    at = values.index
    here = (at.get_level_values("data") == name) & (at.get_level_values("rule") == rule)
    return values[here & ((damage == "all") | (at.get_level_values("damage") == damage))].to_numpy()


def _test(values: np.ndarray) -> tuple[str, str]:
    return (f"{values.mean():+.4f}", f"{signed_rank_test(values).p:.2g}") if len(values) else ("", "")


def _cells(runs: pd.DataFrame) -> Iterator[str]:
    """Every damage of a data set, by each rule: mean and standard deviation over the seeds."""
    for (damage, rule), part in runs.groupby(["damage", "rule"], sort=False):
        rows = [["arm", "seeds", "rate", "chosen", "last", "to bce", "gap", "precision / recall", "gate open"]]
        rows += [_line(part, arm) for arm in _ordered(part["arm"])]
        yield f"### {damage}, chosen by `{rule}`"
        yield markdown_table(rows)


def _line(part: pd.DataFrame, arm: str) -> list[str]:
    mine, bce, complete = (part[part["arm"] == name].set_index("seed") for name in (arm, "bce", "complete"))
    gain, gap = mine["chosen"] - bce["chosen"], complete["chosen"] - bce["chosen"]
    closed = f"{gain.mean() / gap.mean():.0%}" if len(complete) and gain.notna().any() and arm != "bce" else ""
    flags = ""
    if _opened(mine):
        opened = mine["entries_gate_open"].astype(bool)
        flags = f"{mine['precision'][opened].mean():.2f} / {mine['recall'][opened].mean():.2f}" if opened.any() else "-"
    return [
        arm, str(len(mine)), f"{mine['rate'].iloc[0]:g}", _spread(mine["chosen"]), _spread(mine["last"]),
        "" if arm == "bce" or gain.isna().all() else f"{gain.mean():+.4f}", closed, flags, _opened(mine),
    ]  # fmt: skip


def _opened(mine: pd.DataFrame) -> str:
    """Return for how many seeds the gate opened; nothing where there is no policy."""
    if "entries_gate_open" not in mine or mine["entries_gate_open"].isna().all():
        return ""
    return f"{mine['entries_gate_open'].astype(bool).sum()} of {len(mine)}"


def _spread(values: pd.Series) -> str:
    return f"{values.mean():.4f} ± {values.std():.4f}"


def _ordered(arms: pd.Series) -> list[str]:
    return [arm for arm in ARMS if arm in set(arms)]
