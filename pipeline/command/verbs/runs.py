"""``d2ace runs``: lists the runs in a folder."""

import argparse

from ...common.errors import RunError
from ...common.storage.any_path import place_of
from ..parser import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb with what it takes."""
    runs = subparsers.add_parser("runs", help="list the runs in a folder: state, data, method, best value")
    runs.add_argument("folder", nargs="?", default="runs", help="default: runs")
    runs.set_defaults(call=run)


def run(options: argparse.Namespace) -> None:
    """List the runs in a folder."""
    from ...results.overview import overviews, run_table

    found = overviews(place_of(options.folder))
    if not found:
        raise RunError(f"{options.folder}: no runs lie there; run.storage of their configurations says where they are")
    print(run_table(found))
