"""``d2ace evaluate``: prints the metrics of a run."""

import argparse

from ...runs.opening import require_run
from ..loading import loading
from ..parser import MOVED, Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb with what it takes."""
    evaluate = subparsers.add_parser("evaluate", help="print the metrics of a run as JSON")
    evaluate.add_argument("run", help="run folder")
    evaluate.add_argument("--data", metavar="PATH", help=f"another prepared data set, or {MOVED}")
    evaluate.add_argument("--split", default="test", choices=("train", "validation", "test", "all"))
    evaluate.set_defaults(call=run)


def run(options: argparse.Namespace) -> None:
    """Print the metrics of a run."""
    require_run(options.run)
    with loading():
        from ...common.storage.json_files import as_json
        from ...results.evaluation import evaluate

    print(as_json(evaluate(options.run, options.data, split=options.split), indent=2))
