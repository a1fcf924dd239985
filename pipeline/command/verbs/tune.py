"""``d2ace tune``: searches a method's settings."""

import argparse

from ...common.errors import ConfigError
from ...common.storage.any_path import address_of, place_of
from ..loading import loading
from ..parser import Subparsers
from ..settings import read_sweep


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb with what it takes."""
    tune = subparsers.add_parser("tune", help="search a method's settings; tune report OUT writes the report anew")
    tune.add_argument("sweep", nargs="?", help="a YAML file: configuration, space, trials, scheduler; or: report")
    tune.add_argument("out", nargs="?", help="folder of the sweep, to be made")
    tune.add_argument("--resume", metavar="OUT", help="go on with the killed sweep in this folder")
    tune.add_argument("--parallel", type=int, metavar="N", help="trials at a time; default: all that there is room for")
    tune.add_argument("--data", metavar="PATH", help="with --resume: where the sweep's data lies now, if it was moved")
    tune.set_defaults(call=run)


def run(options: argparse.Namespace) -> None:
    """Run a sweep, go on with one, or write its report anew."""
    out = options.resume or options.out
    if out is None or (options.resume and options.sweep):
        raise ConfigError("tune needs a YAML file and a folder, or --resume OUT, or report OUT")
    if options.data and not options.resume:
        raise ConfigError("tune --data goes with --resume OUT: it says where that sweep's data lies now")
    sweep = None if options.resume or options.sweep == "report" else read_sweep(options.sweep)
    with loading():
        from ...results.report import report
        from ...studies.tune import SweepFolder, describe, resume_sweep, tune

    if options.resume:
        resume_sweep(out, parallel=options.parallel, data=options.data)
    elif sweep is not None:
        tune(sweep, out, parallel=options.parallel)
    folder = SweepFolder(place_of(out))
    print(describe(folder.sweep, folder.table))
    print(f"report: {address_of(report(out))}\nbest settings: {address_of(folder.path / 'best.yaml')}")
