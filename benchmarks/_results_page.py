"""The page of ``nine_sets.py``: what the tables say, in Markdown."""

from collections.abc import Mapping, Sequence

import _common  # noqa: F401  puts the checkout on the path
import pandas as pd
from _nine_sets_studies import CHOSEN, SETS
from _results_search import compared, goal, own_settings, searched_settings

from d2ace.pipeline.studies.compare import Study
from d2ace.pipeline.studies.compare.comparison import Comparison
from d2ace.pipeline.studies.compare.summary import markdown, markdown_table
from d2ace.pipeline.studies.compare.values import mean_and_std

METRICS = {"map": "mAP", "macro_auc": "macro-AUC", "ranking_loss": "ranking loss", "macro_f1": "macro-F1"}
# Figures known for D2ACE from public leaderboards; the base network is not stated there.
KNOWN = {("yeast", "macro_auc"): 0.7305, ("birds-labelled", "macro_auc"): 0.809, ("scene", "ranking_loss"): 0.0629}
NEAR_CHANCE = 0.55
"""Macro-AUC below which a network has learnt next to nothing."""

_SINCE = (
    "Two things have changed since these runs: rows in which nothing is ranked, which these ranking losses leave out, "
    "count as 0 today ([docs/metrics.md](../metrics.md)); and validation rows are chosen so that they hold rare "
    "labels ([docs/data.md](../data.md#splits)). Both touch all methods of a table alike."
)

_UNTUNED = (
    "Read these gains with care: the networks are far from trained. All arms share one learning rate that nobody "
    "tuned, and uniform stands at a mAP of .29 (mlp) and .10 (CLIF) on bibtex, where a network of 512 units with "
    "dropout, AdamW and a one-cycle rate reaches .41. In a first check on such networks (bibtex and Corel5k, one "
    "split each, and mirflickr14, three) no way to choose rows was more than .001 ahead of uniform, and most were "
    "behind. `tuning:` of [docs/compare.md](../compare.md) chooses the settings of every arm. `d2ace` is here "
    "what `preset: paper` is today, with the settings that are named."
)

Studies = Mapping[str, tuple[Study, ...]]
Tables = Mapping[str, pd.DataFrame]


def results_page(tables: Tables, studies: Studies, machines: str) -> str:
    """Return the whole page, from the runs and the parts of every study."""
    parts = [
        "# Nine data sets",
        "Written by `python benchmarks/nine_sets.py` from `benchmarks/results/nine_sets/table.parquet`; do not edit. "
        "How everything is computed: [docs/compare.md](../compare.md).",
        _where(tables, machines),
        _SINCE,
        _UNTUNED,
        "## In short",
        *_in_short(tables),
        *goal(tables),
        "## Methods on nine data sets: mlp",
        _budget(studies["main"][0]),
        *_studied(tables["main"], studies["main"]),
        *_networks(tables["networks"], studies["networks"]),
        "## Search for settings",
        *searched_settings(tables["search"], studies["search"][0]),
        "## The first of the search against uniform, on other seeds",
        *_confirm(tables["confirm"], studies["confirm"]),
        "## What was ahead with CLIF, on another seed",
        *_confirm_clif(tables["confirm-clif"], studies["confirm-clif"]),
        "## Is it only a larger step?",
        *_rates(tables["rates"], tables["confirm"], studies["rates"]),
        "## Settings chosen again, for each data set and for all, on seeds that decided nothing",
        *own_settings(tables["choose"]),
        *_studied(tables["chosen"], studies["chosen"]),
        "### Where: mAP of each data set by itself",
        *_each_set(tables["chosen"]),
        "## Reproduction of known figures",
        *_reproduction(tables["reproduction"]),
    ]
    return "\n\n".join(parts) + "\n"


def _where(tables: Tables, machines: str) -> str:
    rows = pd.concat([table[["key", "commit", "finished"]] for table in tables.values() if len(table)])
    commits = ", ".join(sorted(rows["commit"].dropna().unique()))
    days = sorted({when[:10] for when in rows["finished"]})
    return (
        f"{rows['key'].nunique()} runs, {days[0]} to {days[-1]}, commits {commits}; {machines}, shared with other work."
    )


def _in_short(tables: Tables) -> list[str]:
    """Every method and network against uniform: mean difference and corrected p of each metric."""
    rows = [["network", "method", *METRICS.values()]]
    everything = pd.concat([tables["main"], tables["networks"]])
    for network, table in everything.groupby("network", sort=False):
        found = {metric: compared(table, metric) for metric in METRICS}
        for method in (name for name in table["method"].unique() if name != "uniform"):
            rows.append([str(network), method, *(_short(comparison, method) for comparison in found.values())])
    about = (
        "Mean difference to uniform over the data sets on test rows, positive is better, with Holm's corrected p (over "
        "the methods of a network and metric) in brackets; bold where it is below .05. The tables below have the rest."
    )
    return [about, markdown_table(rows)]


def _short(comparison: Comparison | None, method: str) -> str:
    verdicts = {} if comparison is None else {v.method: v for v in comparison.verdicts}
    if method not in verdicts:
        return "-"
    verdict = verdicts[method]
    text = f"{verdict.difference:+.4f} ({verdict.holm_p:.2g})"
    return text if verdict.verdict == "no significant difference" else f"**{text}**"


def _budget(study: Study) -> str:
    train, optimizer = study.config["train"], study.config["optimizer"]
    return (
        f"{train['epochs']} epochs, Adam at {optimizer['lr']:g}, batch {train['batch_size']}: a fifth of the papers' "
        "epochs at five times their learning rate. Labels with 20 positives or fewer are left out. All methods of a "
        f"fold share rows and initial weights; {study.folds} folds, seeds {', '.join(map(str, study.seeds))}; the best "
        "validation epoch is tested."
    )


def _networks(table: pd.DataFrame, studies: Sequence[Study]) -> list[str]:
    parts = []
    large = studies[1]
    budget = next(iter(large.data.values())).config
    for network, entry in large.networks.items():
        settings = ", ".join(f"{key} {value}" for key, value in entry.options.items())
        about = (
            f"As above with {network.upper()} at {settings}, narrower than the paper's for want of time: the full "
            f"width of CLIF is in the reproduction below. {', '.join(large.data)}: "
            f"{budget['train']['epochs']} epochs at {budget['optimizer']['lr']:g}."
        )
        own = [study.model_copy(update={"networks": {network: study.networks[network]}}) for study in studies]
        there = table[table["network"] == network] if len(table) else table
        parts += [f"## Methods on nine data sets: {network.upper()}", f"{about} {_near_chance(there)}"]
        parts += _studied(there, own)
    return parts


def _near_chance(table: pd.DataFrame) -> str:
    """Say on which sets uniform has learnt next to nothing, so that no method can show much there."""
    if not len(table):
        return ""
    values = mean_and_std(table[table["method"] == "uniform"], "macro_auc")
    names = values.loc[values["mean"] < NEAR_CHANCE, "data"].tolist()
    return f"Macro-AUC of uniform is below {NEAR_CHANCE:g}, near chance, on: {', '.join(names) or 'none'}."


def _confirm(table: pd.DataFrame, studies: Sequence[Study]) -> list[str]:
    settings = ", ".join(f"{key} {value}" for key, value in studies[0].methods["d2ace-searched"].options.items())
    about = (
        f"The search above put D2ACE with {settings} first. Here it meets uniform on test rows of seeds "
        f"{', '.join(map(str, studies[0].seeds))}, which decided nothing before; one method, so p needs no correction. "
        "Other seeds are other splits of the same data sets; bibtex and tmc2007-500 took no part in the search at all."
    )
    return [about, *_studied(table, studies)]


def _confirm_clif(table: pd.DataFrame, studies: Sequence[Study]) -> list[str]:
    methods = " and ".join(method for method in studies[0].methods if method != "uniform")
    about = (
        f"With CLIF on seed 0, {methods} were better than uniform in macro-AUC. Whether that repeats: the same network "
        f"and budgets on seed {studies[0].seeds[0]}, which decided nothing; p is corrected for the two methods."
    )
    return [about, *_studied(table, studies)]


def _rates(table: pd.DataFrame, confirm: pd.DataFrame, studies: Sequence[Study]) -> list[str]:
    """Uniform and the searched setting at several learning rates, against uniform at the study's own."""
    if not len(table):
        return ["Not run yet."]
    seed = studies[0].seeds[0]
    everything = pd.concat([confirm[confirm["seed"] == seed], table])
    at = everything["network"].replace("mlp", f"mlp, lr {studies[0].config['optimizer']['lr']:g}")
    together = everything.assign(network="mlp", method=everything["method"] + at.str.removeprefix("mlp"))
    reference = f"uniform{at.iloc[0].removeprefix('mlp')}"
    about = (
        "Selected rows have larger losses, so their gradients are larger too: a larger learning rate may do the same. "
        f"Uniform and the searched setting at several rates, seed {seed}, all against uniform at the study's own."
    )
    parts = [about]
    for metric in ("map", "macro_auc"):
        comparison = compared(together, metric, reference)
        if comparison is not None:
            parts += [f"### Learning rates: {METRICS[metric]}", markdown(comparison)]
        for network, alone in table.groupby("network", sort=False):
            parts += [f"At {network.removeprefix('mlp, ')}: {_sentence(compared(alone, metric))}"]
    return parts


def _sentence(comparison: Comparison | None) -> str:
    """The only method of a comparison against uniform, in words."""
    if comparison is None:
        return "too few runs."
    verdict = comparison.verdicts[0]
    return (
        f"{verdict.method} - uniform {verdict.difference:+.4f} [{verdict.interval.low:+.4f}, "
        f"{verdict.interval.high:+.4f}], won {verdict.wins} of {verdict.cells}, p {verdict.p:.2g}."
    )


def _studied(table: pd.DataFrame, studies: Sequence[Study]) -> list[str]:
    """How many runs are there, and what they say of every metric."""
    parts = [_there(table, studies)]
    for metric, title in METRICS.items():
        comparison = compared(table, metric)
        if comparison is not None:
            parts += [f"### {title}", _in_words(comparison), markdown(comparison)]
    return parts


def _each_set(table: pd.DataFrame) -> list[str]:
    """The differences in mAP within each data set."""
    comparison = compared(table, "map")
    if comparison is None:
        return ["Not run yet."]
    about = (
        "Over the (fold, seed) pairs of a set, p after Holm over the two configurations. Folds share rows, so p is on "
        "the small side, and nothing is corrected for nine sets."
    )
    rows = [["data", "method", "pairs", "difference", "95% interval", "p"]]
    in_order = comparison.by_cell.sort_values("data", key=lambda names: names.map(SETS.index), kind="stable")
    for cell in in_order.itertuples():
        interval = f"[{cell.low:+.4f}, {cell.high:+.4f}]"
        rows.append(
            [cell.data, cell.method, str(cell.pairs), f"{cell.difference:+.4f}", interval, f"{cell.holm_p:.2g}"]
        )
    return [about, markdown_table(rows)]


def _there(table: pd.DataFrame, studies: Sequence[Study]) -> str:
    wanted = sum(
        len(study.data) * len(study.networks) * len(study.methods) * len(study.seeds) * (study.folds or 1)
        for study in studies
    )
    kept = sum(study.methods.get(CHOSEN) == study.methods["uniform"] for study in studies)
    twice = f" Where a set keeps uniform ({kept} of {len(studies)}), its uniform runs count twice." if kept else ""
    return f"{len(table)} of {wanted} runs of the study are there.{twice}"


def _in_words(comparison: Comparison) -> str:
    by_verdict = {word: [v.method for v in comparison.verdicts if v.verdict == word] for word in ("better", "worse")}
    sentences = [
        f"Significantly {word} than uniform: {', '.join(methods) if methods else 'none'}."
        for word, methods in by_verdict.items()
    ]
    return " ".join(sentences)


def _reproduction(table: pd.DataFrame) -> list[str]:
    if not len(table):
        return ["Not run yet."]
    rows = [["data", "metric", *sorted(table["method"].unique()), "known for D2ACE"]]
    for (data, metric), known in KNOWN.items():
        values = _values(table[table["data"] == data], metric)
        rows.append([data, METRICS[metric], *_means(values, rows[0][2:-1]), f"{known:.4f}"])
    about = (
        "CLIF with the papers' protocol (100 epochs, Adam at 1e-4, five folds, file order in the warm-up, scaler on "
        "all rows, last epoch tested). The network behind the known figures is not stated, so they need not be met."
    )
    return [about, markdown_table(rows)]


def _values(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return mean and standard deviation by method; empty without runs."""
    return mean_and_std(table, metric).set_index("method") if len(table) else pd.DataFrame()


def _means(values: pd.DataFrame, methods: Sequence[str]) -> list[str]:
    known = [method in values.index for method in methods]
    return [
        f"{values.loc[method, 'mean']:.4f} ± {values.loc[method, 'std']:.4f}" if there else "not run"
        for method, there in zip(methods, known, strict=True)
    ]
