"""Whether, where and at which settings batch selection helps: nine Mulan data sets, folds, networks, methods.

The studies share one table, which a stopped run goes on with: ``main`` (every method, mlp, a small budget),
``networks`` (the same with CLIF and DELA), ``search`` (settings of D2ACE, judged on validation rows only), ``confirm``
(the setting that the search put first against uniform, on test rows of other seeds), ``confirm-clif`` (what was ahead
with CLIF, on another seed), ``rates`` (uniform and that setting at a larger learning rate), ``choose`` (a short list of
settings on validation rows, for each set and for all), ``chosen`` (that against uniform, on test rows of seeds that
decided nothing) and ``reproduction`` (the papers' protocol beside the figures known from them). A call trains what is
missing of the studies that it names within the minutes given, and writes ``docs/results/nine-sets.md``; without a study
it only writes the page.

Training needs the real data beside the project. Every number goes to ``results/nine_sets/full/``, outside git, which a
stopped study goes on with. The page is written from ``results/nine_sets/table.parquet``, the small part that the
repository has (see ``_nine_sets_kept.py``); a study that was named replaces its part of it.

Run: python benchmarks/nine_sets.py [STUDY ...] [--minutes M] [--networks mlp,...] [--data yeast,...]
"""

import argparse
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from _common import PAGES, ROOT, add_machine, commit, left_out, machines_told
from _nine_sets_kept import read_kept, write_kept
from _nine_sets_studies import SETS, chosen_studies, studies
from _results_page import results_page

from d2ace.pipeline.data.from_tables.prepare import prepare
from d2ace.pipeline.studies.compare import Study, compare

MULAN = ROOT.parent / "shared" / "data" / "mulan"
KEPT = ROOT / "benchmarks" / "results" / "nine_sets" / "table.parquet"
FULL, MACHINES = KEPT.parent / "full", KEPT.parent / "machines.json"
STUDIES = ("main", "networks", "search", "confirm", "confirm-clif", "rates", "choose", "chosen", "reproduction")


def main() -> None:
    """Parse, train what is missing, write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("studies", nargs="*", metavar="STUDY", help=f"of {', '.join(STUDIES)}")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="start no run after that time")
    parser.add_argument("--networks", help="only these, comma-separated")
    parser.add_argument("--data", help="only these, comma-separated")
    options = parser.parse_args()
    if unknown := set(options.studies) - set(STUDIES):
        parser.error(f"no study is called {', '.join(sorted(unknown))}; expected some of {', '.join(STUDIES)}")
    if options.studies:
        if not MULAN.is_dir():
            left_out(f"the real data is not here: {MULAN}")
        train(options)
    page = PAGES / "nine-sets.md"
    page.write_text(page_of(KEPT))
    print(f"written: {page.relative_to(ROOT)}")


def train(options: argparse.Namespace) -> None:
    """Train what is missing of the studies wanted, and keep what the page needs of them."""
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: prepared(Path(folder), name) for name in SETS}
        paths["birds-labelled"] = prepared(Path(folder), "birds", drop_unlabelled=True)
        for name in options.studies:
            for part in parts(name, paths):
                chosen = narrowed(part, options.data, options.networks)
                if chosen.networks and chosen.data:
                    compare(chosen, FULL, minutes=options.minutes, commit=commit())
            write_kept(read_kept(KEPT) | {name: rows_of(parts(name, paths))}, KEPT)
            add_machine(MACHINES)


def page_of(path: Path) -> str:
    """Return the page that a kept table gives; it needs no data."""
    runs = read_kept(path)
    tables = {name: runs.get(name, pd.DataFrame()) for name in STUDIES}
    names = {name: name for name in (*SETS, "birds-labelled")}
    everything = studies(names) | {"chosen": chosen_studies(names, tables["choose"])}
    return results_page(tables, everything, machines_told(MACHINES))


def prepared(folder: Path, name: str, **filters: Any) -> str:
    """Prepare a set as the papers do: without labels of 20 positives or fewer."""
    out = folder / f"{name}{'-filtered' if filters else ''}"
    prepare(MULAN / name, out, min_positives=20, **filters)
    return str(out)


def parts(name: str, paths: Mapping[str, str]) -> tuple[Study, ...]:
    """Return the studies of that name; for ``chosen`` those that the kept rows of ``choose`` ask for."""
    return chosen_studies(paths, read_kept(KEPT)["choose"]) if name == "chosen" else studies(paths)[name]


def rows_of(some: tuple[Study, ...]) -> pd.DataFrame:
    """Return the runs of some studies that ``full/`` has."""
    tables = [compare(study, FULL, limit=0, quiet=True) for study in some]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def narrowed(study: Study, data: str | None, networks: str | None) -> Study:
    """Return a study with only the data sets and networks of comma-separated lists; None leaves all."""
    return study.model_copy(update={"data": only(study.data, data), "networks": only(study.networks, networks)})


def only(entries: Mapping[str, Any], names: str | None) -> dict[str, Any]:
    """Return the entries that a comma-separated list names; all without one."""
    return {name: entry for name, entry in entries.items() if name in names.split(",")} if names else dict(entries)


if __name__ == "__main__":
    main()
