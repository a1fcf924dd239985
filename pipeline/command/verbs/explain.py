"""``d2ace explain``: says why a row was or was not drawn."""

import argparse

from ...common.errors import ConfigError
from ...runs.opening import require_run
from ..loading import loading
from ..parser import MOVED, Subparsers


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb with what it takes."""
    explain = subparsers.add_parser("explain", help="say why a row was or was not drawn in an epoch")
    explain.add_argument("run", help="run folder")
    explain.add_argument("row", type=int, help="row id of a training row, as in RUN/order")
    explain.add_argument("--epoch", type=int, help="counted from 1, as shown; default: the last that can be explained")
    explain.add_argument("--data", metavar="PATH", help=MOVED)
    explain.set_defaults(call=run)


def run(options: argparse.Namespace) -> None:
    """Say why a row was or was not drawn."""
    require_run(options.run)
    with loading():
        from ...results.explanation import explain

    epoch = options.epoch
    if epoch is not None and epoch < 1:
        raise ConfigError(f"--epoch counts from 1, as everything that is shown, got {epoch}")
    print(explain(options.run, options.row, None if epoch is None else epoch - 1, data=options.data))
