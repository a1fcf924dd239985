"""Do the parts of RebLL help where labels arrive task after task? Each method against the one before, paired.

Digit-scenes by B0-C2 and B4-C2 with a small convolutional network, the pooled features of photographs by B0-C2 and
B6-C2 with one hidden layer, those of clothing (ccp) by B0-C10 likewise, and a small table (emotions in music) by B0-C2
and B2-C2; five seeds times three class orders; then a table over forms and constants of AKD. Every call trains what is
missing within the minutes given, seed after seed, and writes ``docs/results/incremental.md`` from all that is there.
Photographs and table are left out where they are not beside the project, clothing where ``_entries_features.py`` has
not written its features.

Run: python benchmarks/incremental.py [--minutes M] [--seeds N] [--only main|sensitivity] [--data NAME]
"""

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
from _common import PAGES, ROOT, add_machine, commit, one_thread

one_thread()

from _entries_data import FEATURES  # noqa: E402
from _incremental_page import MACHINES, NUMBERS, RELABELLED, TABLE, incremental_page  # noqa: E402

from d2ace.pipeline.data import digit_scenes  # noqa: E402
from d2ace.pipeline.data.from_tables.prepare import prepare  # noqa: E402
from d2ace.pipeline.studies.incremental import Outcome, SequenceStudy, run_study  # noqa: E402
from d2ace.pipeline.studies.incremental.study_table import OutcomeTable  # noqa: E402

BESIDE = ROOT.parent / "shared" / "data"
SOURCES = {
    "mirflickr14": BESIDE / "mirflickr14" / "efficientnet-lite0.npz",
    "ccp": FEATURES,
    "emotions": BESIDE / "mulan" / "emotions",
}
"""What ``prepare`` reads; the first two are pooled features of photographs."""
LEAST_POSITIVES = {"ccp": 20}
"""Labels with fewer are left out."""
PAGE = PAGES / "incremental.md"
WORK = ROOT / "benchmarks" / "results" / "incremental"
"""Complete outcomes, and what a killed call was at; the table keeps the numbers."""

ORDERS, SEEDS = ["alphabetical", 1, 2], 5
SHARED = {
    "selector": {"name": "uniform"},
    "optimizer": {"name": "adamw", "schedule": "onecycle"},
    "train": {"reduction": "ddp"},  # one process: nothing to add exactly
    "run": {"workers": 0, "threads": 1},
}


def _mlp(*, per_class: int, hidden: int, epochs: int, batch_size: int, lr: float) -> dict[str, Any]:
    """Return a sequence with one hidden layer, on a table."""
    return {
        "memory": {"per_class": per_class},
        "config": {
            "model": {"name": "mlp", "options": {"hidden": [hidden]}},
            "train": {"epochs": epochs, "batch_size": batch_size},
            "optimizer": {"lr": lr},
        },
    }


DATA: dict[str, dict[str, Any]] = {
    "digit-scenes": {
        "protocols": ["B0-C2", "B4-C2"],
        "sequence": {
            "memory": {"per_class": 10},
            "config": {
                "model": {"name": "small-cnn", "options": {"widths": [8, 16, 32, 32]}},
                "train": {"epochs": 12, "batch_size": 32},
                "optimizer": {"lr": 5e-3},
            },
        },
    },
    "mirflickr14": {
        "protocols": ["B0-C2", "B6-C2"],
        "sequence": _mlp(per_class=20, hidden=128, epochs=6, batch_size=64, lr=1e-3),
    },
    "ccp": {
        "protocols": ["B0-C10"],
        "sequence": _mlp(per_class=10, hidden=128, epochs=10, batch_size=64, lr=1e-3),
    },
    "emotions": {
        "protocols": ["B0-C2", "B2-C2"],
        "sequence": _mlp(per_class=10, hidden=64, epochs=15, batch_size=32, lr=5e-3),
    },
}
# "apart": exemplars that come again are not recognised, as in published programs.
CALIBRATED = {"relabelling": {"threshold": "calibrated"}}
APART = {"memory": {"recognised": False}}
D2ACE = {"config": {"selector": {"name": "d2ace", "preset": "paper", "options": {"warmup": 2}}}}
_CHAIN, _RIVALS = ("fine-tune", "er", "kd", "akd"), ("der++", "pod-flat")
METHODS: dict[str, dict[str, Any]] = {
    **{name: {"method": {"name": name}} for name in (*_CHAIN, "rebll", "joint", *_RIVALS)},
    **{f"{name}-apart": {"method": {"name": name}, **APART} for name in (*_CHAIN[1:], "rebll", *_RIVALS)},
    "rebll-apart-soft": {"method": {"name": "rebll"}, **APART, "relabelling": {"labels": "soft"}},
    "rebll-apart-calibrated": {"method": {"name": "rebll"}, **APART, **CALIBRATED},
    "rebll-apart-calibrated-d2ace": {"method": {"name": "rebll"}, **APART, **CALIBRATED, **D2ACE},
    "rebll-calibrated": {"method": {"name": "rebll"}, **CALIBRATED},
    "rebll-d2ace": {"method": {"name": "rebll"}, **D2ACE},
}
LOSSES = {
    "bce": {"loss": "bce"},
    "negative-weight 2": {"loss": "negative-weight", "loss_options": {"eta": 2.0}},
    "negative-weight 4": {"loss": "negative-weight", "loss_options": {"eta": 4.0}},
    "positive-focus": {"loss": "positive-focus"},
    "asl": {"loss": "asl"},
}
FORMS = {
    "kd": {"form": "kd"},
    **{
        f"{form} {decay:g}": {"form": form, "decay": decay}
        for form in ("positive-decay", "full-decay", "task-adaptive")
        for decay in (0.5, 1.0, 2.0)
    },
}
TRIED = [
    *(("negative-weight 2", form, 1.0) for form in FORMS),
    *((loss, "positive-decay 1", 1.0) for loss in LOSSES if loss != "negative-weight 2"),
    *(("negative-weight 2", "positive-decay 1", weight) for weight in (0.3, 3.0)),
]
"""Loss of the labels, form of the distillation, its weight: one changes at a time."""


def main() -> None:
    """Parse, train what is missing, write the part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="start no sequence after that time")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="seeds of the comparison")
    parser.add_argument("--only", choices=("main", "sensitivity"), help="one of the two studies")
    parser.add_argument("--data", choices=tuple(DATA), help="one of the data sets")
    parser.add_argument("--protocol", help="one of the protocols")
    parser.add_argument("--methods", nargs="+", choices=tuple(METHODS), help="some of the methods")
    options = parser.parse_args()
    deadline = time.monotonic() + 60 * options.minutes
    with tempfile.TemporaryDirectory() as folder:
        data = prepared(Path(folder), [options.data] if options.data else list(DATA))
        chosen = {name: METHODS[name] for name in options.methods or METHODS}
        for kind, study in studies(data, chosen, options.seeds, options.only):
            if options.protocol in (None, *(m.sequence.protocol for m in study.members())):
                train(kind, study, (deadline - time.monotonic()) / 60)
    PAGE.write_text(incremental_page(read_table(), wanted()))
    print(f"written: {PAGE.relative_to(ROOT)}")
    for line in lost():
        print(line)


def wanted() -> dict[tuple[str, str, str], int]:
    """Return how many sequences of each data set, protocol and method the whole comparison has."""
    places = [(name, protocol) for name in DATA for protocol in DATA[name]["protocols"]]
    return {(*place, method): len(ORDERS) * SEEDS for place, method in product(places, METHODS)}


def prepared(folder: Path, names: Sequence[str]) -> dict[str, Path]:
    """Write some of the data sets and return their folders."""
    found = {}
    for name in names:
        if name in SOURCES and not any(SOURCES[name].parent.glob(f"{SOURCES[name].name}*")):
            print(f"left out: {name} is not here: {SOURCES[name]}")
            continue
        found[name] = folder / name
        if name in SOURCES:
            prepare(SOURCES[name], folder / name, min_positives=LEAST_POSITIVES.get(name))
        else:
            digit_scenes.build(folder / name, rows=2000, label_noise=0.0)
    return found


def studies(
    data: dict[str, Path], methods: dict[str, Any], seeds: int, only: str | None
) -> Iterator[tuple[str, SequenceStudy]]:
    """Yield what is compared: the first protocol of each data set, forms and constants, then the second protocol."""
    for part in (0, 1):
        if only != "sensitivity":
            for seed in range(seeds):
                for name, path in data.items():
                    for protocol in DATA[name]["protocols"][part : part + 1]:
                        yield "main", study(name, path, protocol, methods, next(iter(methods)), ORDERS, seed)
        if only != "main" and part == 0:
            for (name, path), seed in product(data.items(), range(2)):
                tried = {f"{loss}, {form}, weight {weight:g}": akd(loss, form, weight) for loss, form, weight in TRIED}
                first = next(iter(tried))
                yield "sensitivity", study(name, path, DATA[name]["protocols"][0], tried, first, ORDERS[:1], seed)


def akd(loss: str, form: str, weight: float) -> dict[str, Any]:
    """Return a method of the table over forms and constants."""
    return {"method": {"name": "akd", "options": {**LOSSES[loss], **FORMS[form], "weight": weight}}}


def study(
    name: str,
    path: Path,
    protocol: str,
    methods: dict[str, Any],
    reference: str,
    orders: list[Any],
    seed: int,
) -> SequenceStudy:
    """Return a study of one data set and one seed."""
    sequence = {**DATA[name]["sequence"], "data": {"path": str(path)}}
    return SequenceStudy.make(
        {
            "name": "incremental",
            "data": {name: {"protocols": [protocol], "sequence": sequence}},
            "methods": methods,
            "reference": reference,
            "orders": orders,
            "seeds": [seed],
            "sequence": {"config": SHARED},
        }
    )


def train(kind: str, wanted: SequenceStudy, minutes: float) -> None:
    """Train what the table lacks, if there are minutes left, and add what is there now."""
    table = read_table()
    known = set(table.loc[table["study"] == kind, "key"])
    members = {(m.data, m.sequence.protocol, m.method, m.order, m.sequence.seed): m.key for m in wanted.members()}
    if known >= set(members.values()):
        return
    if minutes > 0:
        run_study(wanted, WORK, minutes=minutes, skip=known)
        add_machine(MACHINES)
    for outcome in OutcomeTable(WORK).outcomes(list(wanted.members())):
        key = members[outcome.data, outcome.protocol, outcome.name, outcome.order, outcome.seed]
        if key not in known:
            table = pd.concat([table, pd.DataFrame([row(kind, key, outcome)])], ignore_index=True)
    TABLE.parent.mkdir(exist_ok=True)
    table.astype({"seed": int}).to_csv(TABLE, index=False, float_format="%.4f")


def read_table() -> pd.DataFrame:
    """Return what is kept, one row a sequence."""
    return pd.read_csv(TABLE, dtype={"order": str}) if TABLE.is_file() else pd.DataFrame({"study": [], "key": []})


def row(kind: str, key: str, outcome: Outcome) -> dict[str, Any]:
    """Return what the table keeps of a sequence."""
    last = outcome.relabelling[-1] if outcome.relabelling else {}
    return {
        "study": kind,
        "key": key,
        "data": outcome.data,
        "protocol": outcome.protocol,
        "method": outcome.name,
        "order": outcome.order,
        "seed": outcome.seed,
        "commit": commit(),
        **{number: outcome.overall.get(number) for number in NUMBERS},
        **{f"{part}_{number}": last.get(part, {}).get(number) for part in ("lower", "upper") for number in RELABELLED},
        "seconds": sum(outcome.seconds),
    }


def lost() -> list[str]:
    """Return what did not come out as expected, in the words of the page."""
    lines = PAGE.read_text().splitlines()
    return [line for line in lines if line.startswith("Expected order of the last mAP") and "does NOT hold" in line]


if __name__ == "__main__":
    main()
