"""``d2ace report``: writes one HTML file about a run, a comparison or a sweep."""

import argparse

from ...common.storage.any_path import address_of
from ..loading import loading
from ..parser import MOVED, Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb with what it takes."""
    report = subparsers.add_parser("report", help="write one HTML file about a run, a comparison or a sweep")
    report.add_argument("source", help="run folder, folder of a sweep, or the folder or table.parquet of a comparison")
    report.add_argument("--out", metavar="FILE", help="default: report.html beside it")
    report.add_argument("--data", metavar="PATH", help=f"of a run: {MOVED}")
    report.set_defaults(call=run)


def run(options: argparse.Namespace) -> None:
    """Write the report of a run, a comparison or a sweep."""
    with loading():
        from ...results.report import report

    print(f"report: {address_of(report(options.source, options.out, data=options.data))}")
