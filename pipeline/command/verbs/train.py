"""``d2ace train``: trains a model, or goes on with a killed run."""

import argparse

from ...common.errors import ConfigError
from ...common.storage.any_path import address_of
from ...runs.opening import require_run
from ..loading import loading
from ..parser import CONFIGURATION, MOVED, Subparsers
from ..settings import read_configuration


def add_parser(subparsers: Subparsers) -> None:
    """Add the verb with what it takes."""
    train = subparsers.add_parser("train", help="train a model as configured, or go on with a killed run")
    train.add_argument("config", nargs="?", help=CONFIGURATION)
    train.add_argument("overrides", nargs="*", metavar="section.key=value", help="for example train.epochs=20")
    train.add_argument("--resume", metavar="RUN", help="go on with this run; train.epochs=N gives it more")
    train.add_argument("--workers", type=int, help="with --resume: another number of workers")
    train.add_argument("--data", metavar="PATH", help=f"with --resume: {MOVED}")
    train.set_defaults(call=run)


def run(options: argparse.Namespace) -> None:
    """Train, or go on with a run."""
    if options.resume:
        overrides = [options.config, *options.overrides] if options.config else []
        if odd := [word for word in overrides if "=" not in word]:
            raise ConfigError(f"train --resume takes the run's own configuration, and overrides; got {odd[0]}")
        run = require_run(options.resume)
        with loading():
            from ...training.driver import resume
        result = resume(run, workers=options.workers, overrides=overrides, data=options.data)
    elif options.data:
        raise ConfigError("train --data goes with --resume RUN: it says where that run's data lies now")
    elif options.workers is not None:
        raise ConfigError(f"train --workers goes with --resume RUN; for a new run give run.workers={options.workers}")
    elif not options.config:
        raise ConfigError("train needs a YAML file, a prepared data set, or --resume RUN")
    else:
        config = read_configuration(options)
        with loading():
            from ...training.driver import fit
        result = fit(config)
    early = " (stopped early)" if result.stopped_early else ""
    print(f"best epoch {result.best_epoch + 1} of {len(result.history)}{early}, {result.seconds:.1f} s in all")
    for name, value in result.test.items():
        print(f"test {name:<18} {value:.4f}")
    print(f"run folder: {address_of(result.folder)}")
