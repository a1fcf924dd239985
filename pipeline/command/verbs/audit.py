"""``d2ace audit``: lists labels that may be missing or wrong."""

import argparse

from ...runs.opening import require_run
from ..loading import loading
from ..parser import MOVED, Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb with what it takes."""
    audit = subparsers.add_parser("audit", help="list the labels that are most likely missing or wrong, with evidence")
    audit.add_argument("run", help="run folder")
    audit.add_argument("--out", metavar="FOLDER", help="default: audit in the run folder")
    audit.add_argument("--top", type=int, default=200, metavar="N", help="how many of each kind to list; default 200")
    audit.add_argument(
        "--suspects", choices=("missing", "wrong", "both"), help="default: what the run's policy looked for, else both"
    )
    audit.add_argument("--label", action="append", default=[], metavar="NAME", help="only this; may be repeated")
    audit.add_argument("--data", metavar="PATH", help=MOVED)
    audit.set_defaults(call=run)


def run(options: argparse.Namespace) -> None:
    """List labels that may be missing or wrong."""
    require_run(options.run)
    with loading():
        from ...results.audit import audit

    bounds = {"top": options.top, "suspects": options.suspects, "labels": options.label, "data": options.data}
    found = audit(options.run, options.out, **bounds)
    print(f"{found}\n\nsuspects: {found.out / 'suspects.csv'}\npage: {found.out / 'audit.html'}")
