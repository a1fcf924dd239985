"""``d2ace decide``: chooses thresholds and calibration of the labels."""

import argparse

from ...common.storage.any_path import place_of
from ...runs.opening import require_run
from ..loading import loading
from ..parser import MOVED, Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb with what it takes."""
    decide = subparsers.add_parser("decide", help="choose thresholds and calibration of the labels on validation rows")
    decide.add_argument("run", help="run folder")
    rules = "f1 (default), precision=P, recall=R or cardinality: what a label's threshold is chosen for"
    decide.add_argument("--rule", default="f1", metavar="RULE", help=rules)
    decide.add_argument("--calibration", default="platt", choices=("none", "temperature", "platt", "beta"))
    decide.add_argument("--data", metavar="PATH", help=MOVED)
    decide.set_defaults(call=run)


def run(options: argparse.Namespace) -> None:
    """Choose thresholds and a calibration, and print what they are worth."""
    require_run(options.run)
    with loading():
        from ...results.decisions import decide
        from ...results.decisions.wording import describe

    found = decide(options.run, rule=options.rule, calibration=options.calibration, data=options.data)
    print(f"{describe(found)}\n\ndecisions: {place_of(options.run) / 'decisions.json'}")
