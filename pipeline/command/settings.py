"""Settings that a verb is given, read before anything heavy is loaded, so that a typo is told at once."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..common.cluster.machine import require_gpu_here
from ..common.errors import ConfigError
from ..common.stages import stage
from ..common.storage.addresses import redacted
from ..common.storage.any_path import place_of
from ..common.storage.local_paths import local_path

if TYPE_CHECKING:
    from ..common.config.config import Config
    from ..studies.compare.study import Study
    from ..studies.incremental.sequence import TaskSequence
    from ..studies.incremental.study import SequenceStudy
    from ..studies.tune.sweep import Sweep


def read_configuration(options: argparse.Namespace) -> "Config":
    """Return what a YAML file, or the place of a prepared data set, and overrides say; its names are there."""
    with stage(f"reading the configuration {redacted(options.config)}"):
        from ..common.config.config import Config
        from ..common.config.overrides import apply_overrides
        from ..training.names import require_names

        if Path(options.config).is_dir() or _is_data_address(options.config):
            values = {"data": {"path": options.config}}
            config = Config.make(apply_overrides(values, options.overrides, Config), "overrides")
        else:
            config = Config.load(options.config, options.overrides)
        require_names(config)
        require_gpu_here(config.run)
        return config


def _is_data_address(text: str) -> bool:
    """Return whether this is an address, and not that of a settings file, which would be refused."""
    return "://" in text and Path(redacted(text)).suffix not in (".yaml", ".yml")


def read_study(options: argparse.Namespace) -> "Study":
    """Read a study whose names are there, for a folder whose file system is known."""
    place_of(options.out)
    with stage(f"reading the study {options.study}"):
        from ..studies.compare.study import Study
        from ..training.names import require_metric, require_names

        for metric in options.metric or ():
            require_metric(metric, "--metric")
        study = Study.load(options.study)
        for run in study.runs():
            require_names(run.config)
            require_gpu_here(run.config.run, f"gpus_per_run={study.gpus_per_run:g}")
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
            require_gpu_here(config.run)
        return sweep


def read_sequence(options: argparse.Namespace) -> "TaskSequence | SequenceStudy":
    """Read a sequence of tasks, or a study of such, whose names are there, for a folder whose file system is known.

    Raises:
        ConfigError: also when an option does not go with what was read.
    """
    file = place_of(options.sequence)  # a sequence goes on by what lies in its folder, also in a bucket
    place_of(options.out)
    with stage(f"reading {file}"):
        from ..common.config.yaml_file import read_settings

        return known_sequence(options, read_settings(file, "keys such as 'data:' and 'protocol:'"))


def known_sequence(options: argparse.Namespace, values: Mapping[str, Any]) -> "TaskSequence | SequenceStudy":
    """Return the sequence or study that a file's keys describe, whose names are there; no data is looked at.

    Raises:
        ConfigError: also when an option does not go with what was read.
    """
    from ..studies.incremental.sequence import TaskSequence
    from ..studies.incremental.study import SequenceStudy
    from ..training.names import require_names

    is_study = "methods" in values
    if is_study and options.go_on:
        raise ConfigError(f"{options.sequence} is a study, which goes on by itself: leave out --resume")
    if not is_study and (options.parallel is not None or options.minutes is not None):
        raise ConfigError(f"--parallel and --minutes go with a study; {options.sequence} has no 'methods'")
    given: TaskSequence | SequenceStudy
    if is_study:
        given = SequenceStudy.of_file(values, local_path(options.sequence, "a study"))
    else:
        given = TaskSequence.of_file(values, place_of(options.sequence))
    for sequence in [given] if isinstance(given, TaskSequence) else given.kinds():
        for number in (1, 2):
            require_names(sequence.run_config(number, place_of(options.out), None))
    return given
