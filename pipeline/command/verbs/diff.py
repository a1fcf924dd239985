"""``d2ace diff``: compares two runs row by row and label by label."""

import argparse

from ...runs.opening import require_run
from ..loading import loading
from ..parser import MOVED, Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb with what it takes."""
    top = "how many rows to show; default 24"
    diff = subparsers.add_parser("diff", help="say which labels and rows a run does better or worse than another")
    diff.add_argument("first", help="run folder")
    diff.add_argument("second", help="another, of the same data: what is better is better in this one")
    diff.add_argument("--split", default="test", choices=("validation", "test"))
    diff.add_argument("--out", metavar="FILE", help="default: diff-FIRST.html in the folder of the second")
    diff.add_argument("--top", type=int, default=24, metavar="N", help=top)
    diff.add_argument("--data", metavar="PATH", help=MOVED)
    diff.set_defaults(call=run)


def run(options: argparse.Namespace) -> None:
    """Compare two runs row by row and label by label, print the changes and write a page."""
    runs = [require_run(run) for run in (options.first, options.second)]
    with loading():
        from ...results.errors import diff
        from ...results.errors.text import difference_text

    bounds = {"split": options.split, "top": options.top, "data": options.data}
    page, found = diff(runs[0], runs[1], options.out, **bounds)
    print(f"{difference_text(found, [run.name for run in runs])}\n\npage: {page}")
