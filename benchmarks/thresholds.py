"""Whether thresholds chosen on validation rows raise macro-F1 on test rows against one half for all labels.

Nine Mulan data sets, prepared as in ``nine_sets.py``, and the features of the photographs of mirflickr14. Each is
trained with five seeds, which also draw the splits where the source gives none: the default network,
20 epochs (8 on the large sets), batches of 64 by uniform selection. ``d2ace decide`` then chooses by its default rule
and calibration. A pair is one
run: macro-F1 on its test rows at the chosen thresholds and at one half. The test is Student's t over the pairs,
two-sided.

Training needs the real data beside the project. What a run gave is a line of ``results/thresholds.json``, which a
stopped call goes on with; the page ``docs/results/thresholds.md`` is written from it, also without the data.

Run: python benchmarks/thresholds.py [--data emotions,...] [--seeds N] [--folder F]
"""

import argparse
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _common import PAGES, ROOT, commit, machine
from _nine_sets_studies import LARGE, SETS, SMALL
from scipy import stats

from d2ace.pipeline import fit
from d2ace.pipeline.common.storage.json_files import write_json
from d2ace.pipeline.data.from_tables.prepare import prepare
from d2ace.pipeline.results.decisions import decide

SHARED = ROOT.parent / "shared" / "data"
PHOTOGRAPHS = "mirflickr14"
KEPT = ROOT / "benchmarks" / "results" / "thresholds.json"
PAGE = PAGES / "thresholds.md"
SEEDS = 5
EPOCHS = dict.fromkeys(SMALL, 20) | dict.fromkeys((*LARGE, PHOTOGRAPHS), 8)
WANTED = 7
"""Of the nine tabular sets; the photographs besides."""


def main() -> None:
    """Train what is missing, write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=",".join([*SETS, PHOTOGRAPHS]), help="only these, comma-separated")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--folder", help="where prepared data and runs go; default: one that is removed")
    options = parser.parse_args()
    kept = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.is_file() else {"runs": {}}
    if SHARED.is_dir():
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(options.folder or folder), options.data.split(","), options.seeds, kept)
    else:
        print(f"nothing is trained: the real data is not here ({SHARED})")
    PAGE.write_text(page_of(kept), encoding="utf-8")
    print(f"written: {PAGE.relative_to(ROOT)}")


def measure(folder: Path, names: Sequence[str], seeds: int, kept: dict[str, Any]) -> None:
    """Train what ``kept`` lacks, and keep it run by run."""
    for name in names:
        missing = [seed for seed in range(seeds) if f"{name}/{seed}" not in kept["runs"]]
        if not missing:
            continue
        data = prepared(folder, name)
        for seed in missing:
            kept["runs"][f"{name}/{seed}"] = trained(data, folder, name, seed)
            kept |= {"machine": machine(), "commit": commit()}
            write_json(KEPT, kept, indent=1)
            print(name, seed, kept["runs"][f"{name}/{seed}"], flush=True)


def prepared(folder: Path, name: str) -> Path:
    """Prepare a set: Mulan's as the papers do, without labels of 20 positives or fewer."""
    out = folder / name
    if not out.exists():
        if name == PHOTOGRAPHS:
            prepare(SHARED / PHOTOGRAPHS / "efficientnet-lite0.npz", out)
        else:
            prepare(SHARED / "mulan" / name, out, min_positives=20)
    return out


def trained(data: Path, folder: Path, name: str, seed: int) -> dict[str, float]:
    """Return what one run gives."""
    config = {
        "data": {"path": str(data), "validation_fraction": 0.2},
        "selector": {"name": "uniform"},
        "train": {"epochs": EPOCHS[name], "batch_size": 64},
        "run": {"storage": str(folder / "runs"), "name": f"{name}-{seed}", "seed": seed, "workers": 0},
    }
    shutil.rmtree(folder / "runs" / f"{name}-{seed}", ignore_errors=True)  # of a call that was stopped
    result = fit(config, quiet=True)
    about = decide(result.folder).about
    test = about["quality"]["test"]
    found = {
        f"{when}_{metric}": test[when][metric]
        for when in ("before", "after")
        for metric in ("macro_f1", "micro_f1", "ece")
    }
    strength = about["threshold_strength"]
    return {**found, "validation_rows": about["quality"]["validation"]["rows"], "strength": strength}


def page_of(kept: Mapping[str, Any]) -> str:
    """Return the page in Markdown."""
    lines = [
        "# Thresholds chosen on validation rows",
        "",
        f"`python benchmarks/thresholds.py` writes this page. Means over {SEEDS} seeds on test rows, at one half",
        "for all labels and at the thresholds that [`d2ace decide`](../decisions.md) chose, with its defaults;",
        "networks of 20 epochs, of 8 on the large sets. The interval is that of Student's t over the pairs, 95 %.",
        "",
        "| data | validation rows | macro-F1 at 0.5 | chosen | difference | interval | micro-F1 at 0.5 | chosen "
        "| calibration error before | after |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    names = list(dict.fromkeys(key.partition("/")[0] for key in kept["runs"]))
    verdicts = {}
    for name in names:
        runs = [run for key, run in kept["runs"].items() if key.partition("/")[0] == name]
        if len(runs) < SEEDS:
            continue
        verdicts[name], line = row_of(name, runs)
        lines.append(line)
    about = kept.get("machine", {})
    return "\n".join([*lines, "", *verdict(verdicts), "", f"{about.get('cpu')}, commit {kept.get('commit')}.", ""])


def row_of(name: str, runs: Sequence[Mapping[str, float]]) -> tuple[tuple[float, float], str]:
    """Return the interval of the difference in macro-F1, and the line of the table."""
    mean = {key: float(np.mean([run[key] for run in runs])) for key in runs[0] if key != "strength"}
    pairs = np.array([run["after_macro_f1"] - run["before_macro_f1"] for run in runs])
    half = stats.t.ppf(0.975, len(pairs) - 1) * pairs.std(ddof=1) / np.sqrt(len(pairs)) if len(pairs) > 1 else np.inf
    low, high = pairs.mean() - half, pairs.mean() + half
    cells = [
        name,
        f"{mean['validation_rows']:.0f}",
        f"{mean['before_macro_f1']:.3f}",
        f"{mean['after_macro_f1']:.3f}",
        f"{pairs.mean():+.3f}",
        f"{low:+.3f} to {high:+.3f}",
        *(f"{mean[key]:.3f}" for key in ("before_micro_f1", "after_micro_f1", "before_ece", "after_ece")),
    ]
    return (float(low), float(high)), f"| {' | '.join(cells)} |"


def verdict(intervals: Mapping[str, tuple[float, float]]) -> list[str]:
    """Return what may be concluded, in sentences."""
    tables = [name for name in intervals if name != PHOTOGRAPHS]
    raised = [name for name in tables if intervals[name][0] > 0]
    lowered = [name for name, (_, high) in intervals.items() if high < 0]
    photographs = PHOTOGRAPHS in intervals and intervals[PHOTOGRAPHS][0] > 0
    unmeasured = [name for name in (*SETS, PHOTOGRAPHS) if name not in intervals]
    told = f"; {', '.join(unmeasured)} not measured yet" if unmeasured else ""
    reached = len(raised) >= WANTED and photographs and not lowered
    return [
        f"Macro-F1 is significantly larger on {len(raised)} of {len(tables)} tabular sets ({', '.join(raised)})"
        f"{' and on the photographs' if photographs else ''}, significantly smaller on "
        f"{', '.join(lowered) if lowered else 'none'}. Wanted were {WANTED} of nine, the photographs, and none: "
        f"{'reached' if reached else 'not reached'}{told}."
    ]


if __name__ == "__main__":
    main()
