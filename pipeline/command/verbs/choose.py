"""``d2ace choose``: chooses the method for a configuration's data."""

import argparse

from ...common.storage.any_path import address_of, place_of
from ..loading import loading
from ..parser import CONFIGURATION, Subparsers
from ..settings import read_configuration


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb with what it takes."""
    choose = subparsers.add_parser("choose", help="choose the selection method, if any, for a configuration's data")
    choose.add_argument("config", help=CONFIGURATION)
    choose.add_argument("out", help="folder of the choice; a killed one goes on there")
    choose.add_argument("overrides", nargs="*", metavar="section.key=value", help="for example train.epochs=20")
    method = "a candidate, with settings of its own; may be repeated; default: one of each kind"
    choose.add_argument("--method", action="append", default=[], metavar="NAME[:KEY=VALUE,...]", help=method)
    choose.add_argument("--budget", type=float, metavar="RUNS", help="what it may cost, in runs; default 2.5")
    repeats = "runs with uniform batches, which show what chance does; default 3"
    choose.add_argument("--repeats", type=int, metavar="N", help=repeats)
    choose.set_defaults(call=run)


def run(options: argparse.Namespace) -> None:
    """Choose a method, and print what was chosen and why."""
    config = read_configuration(options)
    with loading():
        from ...results.report import report
        from ...studies.choose import choose, describe

    given = {"budget": options.budget, "repeats": options.repeats}
    bounds = {name: value for name, value in given.items() if value is not None}
    choice = choose(config, options.out, methods=options.method, **bounds)
    print(f"\n{describe(choice)}\n\nreport: {address_of(report(options.out))}")
    print(f"configuration: {address_of(place_of(options.out) / 'chosen.yaml')}")
