"""The page of ``nine_sets.py``: what the tables say, in Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

import _common  # noqa: F401  puts the checkout on the path
import pandas as pd

from d2ace.pipeline.compare import Study, compare_methods
from d2ace.pipeline.compare.comparison import Comparison
from d2ace.pipeline.compare.summary import markdown_table
from d2ace.pipeline.compare.values import mean_and_std
from d2ace.pipeline.errors import RunError

METRICS = {"map": "mAP", "macro_auc": "macro-AUC", "ranking_loss": "ranking loss", "macro_f1": "macro-F1"}
# Figures known for D2ACE from public leaderboards; the base network is not stated there.
KNOWN = {("yeast", "macro_auc"): 0.7305, ("birds-labelled", "macro_auc"): 0.809, ("scene", "ranking_loss"): 0.0629}


def results_page(tables: Mapping[str, pd.DataFrame], studies: Mapping[str, Study], machine: Mapping[str, Any]) -> str:
    """Return the whole page."""
    parts = [
        "# Results",
        "Written by `python benchmarks/nine_sets.py` from `results/nine_sets/table.parquet`; do not edit. "
        "How everything is computed: [docs/compare.md](../docs/compare.md).",
        _where(tables, machine),
        "## Methods on nine data sets",
        _budget(studies["main"]),
        *_main(tables["main"], studies["main"]),
        "## Search for settings",
        *_search(tables["search"], studies["search"]),
        "## The first of the search against uniform, on other seeds",
        *_confirm(tables["confirm"], studies["confirm"]),
        "## Reproduction of known figures",
        *_reproduction(tables["reproduction"]),
    ]
    return "\n\n".join(parts) + "\n"


def _where(tables: Mapping[str, pd.DataFrame], machine: Mapping[str, Any]) -> str:
    rows = pd.concat([table[["commit", "finished"]] for table in tables.values() if len(table)])
    commits = ", ".join(sorted(rows["commit"].dropna().unique()))
    days = sorted({when[:10] for when in rows["finished"]})
    facts = ", ".join(f"{key} {value}" for key, value in machine.items() if key != "load")
    return f"{len(rows)} runs, {days[0]} to {days[-1]}, commits {commits}; {facts}, shared with other work."


def _budget(study: Study) -> str:
    train, optimizer = study.config["train"], study.config["optimizer"]
    return (
        f"{train['epochs']} epochs, Adam at {optimizer['lr']:g}, batch {train['batch_size']}: a fifth of the papers' "
        "epochs at five times their learning rate. Labels with 20 positives or fewer are left out. All methods of a "
        f"fold share rows and initial weights; {study.folds} folds, seeds {', '.join(map(str, study.seeds))}; the best "
        "validation epoch is tested."
    )


def _main(table: pd.DataFrame, study: Study) -> list[str]:
    return [_there(table, study), *_compared_by_metric(table)]


def _confirm(table: pd.DataFrame, study: Study) -> list[str]:
    settings = ", ".join(f"{key} {value}" for key, value in study.methods["d2ace-searched"].options.items())
    about = (
        f"The search above put D2ACE with {settings} first. Here it meets uniform on test rows of seeds "
        f"{', '.join(map(str, study.seeds))}, which decided nothing before; one method, so p needs no correction. "
        "Other seeds are other splits of the same data sets; bibtex and tmc2007-500 took no part in the search at all."
    )
    return [about, _there(table, study), *_compared_by_metric(table)]


def _there(table: pd.DataFrame, study: Study) -> str:
    wanted = len(study.data) * len(study.networks) * len(study.methods) * len(study.seeds) * (study.folds or 1)
    return f"{len(table)} of {wanted} runs of the study are there."


def _compared_by_metric(table: pd.DataFrame) -> list[str]:
    parts = []
    for metric, title in METRICS.items():
        comparison = _compared(table, metric)
        if comparison is not None:
            parts += [f"### {title}", _in_words(comparison), comparison.markdown()]
    return parts


def _compared(table: pd.DataFrame, metric: str) -> Comparison | None:
    try:
        return compare_methods(table, metric, "uniform")
    except RunError:
        return None


def _in_words(comparison: Comparison) -> str:
    by_verdict = {word: [v.method for v in comparison.verdicts if v.verdict == word] for word in ("better", "worse")}
    sentences = [
        f"Significantly {word} than uniform: {', '.join(methods) if methods else 'none'}."
        for word, methods in by_verdict.items()
    ]
    return " ".join(sentences)


def _search(table: pd.DataFrame, study: Study) -> list[str]:
    """The settings tried, by what they gain on VALIDATION rows."""
    if not len(table):
        return ["Not run yet."]
    validation = table.assign(**{f"test/{metric}": table[f"validation/{metric}"] for metric in METRICS})
    by_map, by_auc = (_compared(validation, metric) for metric in ("map", "macro_auc"))
    if by_map is None or by_auc is None:
        return ["Too few runs yet."]
    auc = {verdict.method: verdict for verdict in by_auc.verdicts}
    rows = [["settings", "mAP", "95 % interval", "won/tied/lost", "p", "macro-AUC", "epochs to uniform's best, ratio"]]
    for verdict in sorted(by_map.verdicts, key=lambda v: -v.difference):
        low, high = verdict.interval.low, verdict.interval.high
        ratio = by_map.targets["median_epochs_ratio"].get(verdict.method, float("nan"))
        rows.append(
            [
                verdict.method,
                f"{verdict.difference:+.4f}",
                f"{low:+.4f} .. {high:+.4f}",
                f"{verdict.wins}/{verdict.ties}/{verdict.losses}",
                f"{verdict.p:.3g}",
                f"{auc[verdict.method].difference:+.4f}",
                f"{ratio:.2f}" if ratio < float("inf") else "never",
            ]
        )
    about = (
        f"Differences to uniform on validation rows, mean over {', '.join(study.data)} with mlp, {study.folds} folds, "
        f"seed {study.seeds[0]}, which the study above does not use. The p are not corrected: this table chooses, it "
        "does not conclude."
    )
    return [about, markdown_table(rows)]


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
