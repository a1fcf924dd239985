"""``d2ace simulate``: replays a run through another method."""

import argparse

from ...runs.opening import require_run
from ..loading import loading
from ..parser import MOVED, Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb with what it takes."""
    simulate = subparsers.add_parser("simulate", help="replay a run's recorded observations through another method")
    simulate.add_argument("run", help="folder of a run with run.record_observations=true")
    simulate.add_argument("--method", required=True, help="the other method; d2ace methods lists them")
    simulate.add_argument(
        "--option", action="append", default=[], metavar="key=value", help="a setting; may be repeated"
    )
    simulate.add_argument("--data", metavar="PATH", help=MOVED)
    simulate.set_defaults(call=run)


def run(options: argparse.Namespace) -> None:
    """Replay a run through another method."""
    require_run(options.run)
    with loading():
        from ...common.config.overrides import apply_overrides
        from ...results.simulation import simulate

    print(simulate(options.run, options.method, apply_overrides({}, options.option), data=options.data))
