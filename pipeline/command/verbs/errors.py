"""``d2ace errors``: shows what a run is most wrong on."""

import argparse

from ...runs.opening import require_run
from ..loading import loading
from ..parser import MOVED, Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb with what it takes."""
    top = "how many rows to show; default 24"
    errors = subparsers.add_parser("errors", help="write a page on the rows and labels that a run is most wrong on")
    errors.add_argument("run", help="run folder")
    errors.add_argument("--out", metavar="FILE", help="default: errors.html in the run folder")
    by = "count errors by a feature of the table, or by a column of a CSV file that has a column row"
    errors.add_argument("--slice", dest="slice_by", metavar="[FILE.csv:]COLUMN", help=by)
    errors.add_argument("--top", type=int, default=24, metavar="N", help=top)
    errors.add_argument("--data", metavar="PATH", help=MOVED)
    errors.set_defaults(call=run)


def run(options: argparse.Namespace) -> None:
    """Find what a run is most wrong on, print the worst and write a page."""
    require_run(options.run)
    with loading():
        from ...results.errors import errors
        from ...results.errors.text import errors_text

    bounds = {"top": options.top, "slice_by": options.slice_by, "data": options.data}
    page, found = errors(options.run, options.out, **bounds)
    print(f"{errors_text(found)}\n\npage: {page}")
