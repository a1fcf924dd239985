"""Settings that a verb is given, read before anything heavy is loaded, so that a typo is told at once."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..common.stages import stage
from ..common.storage.local_paths import local_path

if TYPE_CHECKING:
    from ..common.config.config import Config
    from ..studies.compare.study import Study
    from ..studies.incremental.sequence import TaskSequence
    from ..studies.tune.sweep import Sweep


def read_configuration(options: argparse.Namespace) -> "Config":
    """Return what a YAML file, or the folder of a prepared data set, and overrides say; its names are there."""
    with stage(f"reading the configuration {options.config}"):
        from ..common.config.config import Config
        from ..training.names import require_names

        if Path(options.config).is_dir():
            config = Config.make({"data": {"path": options.config}}).with_overrides(options.overrides)
        else:
            config = Config.load(options.config, options.overrides)
        require_names(config)
        return config


def read_study(options: argparse.Namespace) -> "Study":
    """Read a study whose names are there, for a folder that is no address."""
    local_path(options.out, "OUT")
    with stage(f"reading the study {options.study}"):
        from ..studies.compare.study import Study
        from ..training.names import require_metric, require_names

        for metric in options.metric or ():
            require_metric(metric, "--metric")
        study = Study.load(options.study)
        for run in study.runs():
            require_names(run.config)
        return study


def read_sweep(file: str) -> "Sweep":
    """Read a sweep whose names are there."""
    with stage(f"reading the sweep {file}"):
        from ..studies.tune.sweep import Sweep
        from ..training.names import require_names

        sweep = Sweep.load(file)
        sweep.check()
        for config in sweep.known_configs():
            require_names(config)
        return sweep


def read_sequence(options: argparse.Namespace) -> "TaskSequence":
    """Read a sequence of tasks whose names are there, for a folder that is no address."""
    local_path(options.out, "OUT")
    with stage(f"reading the sequence {options.sequence}"):
        from ..studies.incremental.sequence import TaskSequence
        from ..training.names import require_names

        sequence = TaskSequence.load(options.sequence)
        for number in (1, 2):
            require_names(sequence.run_config(number, Path(options.out), None))
        return sequence
