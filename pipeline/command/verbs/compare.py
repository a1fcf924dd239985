"""``d2ace compare``: trains what a study compares."""

import argparse

from ...common.storage.any_path import address_of, place_of
from ..loading import loading
from ..parser import Subparsers
from ..settings import read_study


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb with what it takes."""
    compare = subparsers.add_parser("compare", help="train what a study compares, and say what may be concluded")
    compare.add_argument("study", help="a YAML file: data sets, networks, methods, folds, seeds")
    compare.add_argument("out", help="folder of the table; a stopped comparison goes on there")
    compare.add_argument("--parallel", type=int, metavar="N", help="runs at a time; default: one a CPU")
    compare.add_argument("--limit", type=int, metavar="N", help="train at most N runs now")
    compare.add_argument("--minutes", type=float, metavar="M", help="start no run after M minutes")
    compare.add_argument("--metric", action="append", help="to print; may be repeated; default: macro_auc and map")
    compare.set_defaults(call=run)


def run(options: argparse.Namespace) -> None:
    """Run a study and print what may be concluded."""
    study = read_study(options)
    with loading():
        from ...studies.compare import compare, compare_methods, summary

    bounds = {key: getattr(options, key) for key in ("parallel", "limit", "minutes")}
    table = compare(study, options.out, **bounds)
    if table.empty:
        print("\nno run of the study itself has ended; the same command goes on with them")
        return
    if set(table["method"]) == {study.reference} != set(study.arms()):
        print(f"\nno run of another method than {study.reference} has ended; the same command goes on with them")
        return
    for metric in options.metric or ("macro_auc", "map"):
        print(f"\n{summary.text(compare_methods(table, metric, study.reference))}")
    print(f"\ntable: {address_of(place_of(options.out) / 'table.parquet')}")
