"""``d2ace doctor``: measures what bounds a run."""

import argparse

from ..loading import loading
from ..parser import CONFIGURATION, Subparsers
from ..settings import read_configuration


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb with what it takes."""
    doctor = subparsers.add_parser("doctor", help="measure what bounds a run on this cluster, and say what to change")
    doctor.add_argument("config", help=CONFIGURATION)
    doctor.add_argument("overrides", nargs="*", metavar="section.key=value", help="for example train.batch_size=64")
    doctor.add_argument("--seconds", type=float, metavar="S", help="for each stage; default: 2")
    doctor.add_argument("--json", action="store_true", help="print all numbers as JSON")
    doctor.set_defaults(call=run)


def run(options: argparse.Namespace) -> None:
    """Print what bounds a run."""
    config = read_configuration(options)
    with loading():
        from ...common.storage import json_files
        from ...training.doctor import as_json, as_text, examine

    budget = {} if options.seconds is None else {"budget_s": options.seconds}
    findings = examine(config, **budget)
    print(json_files.as_json(as_json(findings), indent=2) if options.json else as_text(findings))
