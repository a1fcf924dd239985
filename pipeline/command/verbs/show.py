"""``d2ace show``: tells what a run is."""

import argparse

from ...runs.opening import require_run
from ..parser import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb with what it takes."""
    show = subparsers.add_parser("show", help="tell what a run is and has reached, on a page of text")
    show.add_argument("run", help="run folder")
    show.set_defaults(call=run)


def run(options: argparse.Namespace) -> None:
    """Tell what a run is and has reached."""
    from ...results.overview import Overview
    from ...results.overview_text import overview_text

    print(overview_text(Overview.read(require_run(options.run))))
