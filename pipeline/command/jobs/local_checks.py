"""What ``submit`` looks at before it sends anything: settings, and paths that no node would find or keep.

Whether data and runs are there only the cluster knows; whether a setting exists, and a path can be one of the cluster,
is known here.
"""

import argparse
from pathlib import Path
from typing import Any

from ...common.config.config import Config
from ...common.config.overrides import apply_overrides
from ...common.config.yaml_file import read_settings
from ...common.errors import ConfigError
from ...training.names import require_names
from .package import SHIPPED

_PATHS = ("run", "resume")
"""Arguments of verbs that name folders or files of the cluster."""


def check_command(options: argparse.Namespace) -> None:
    """Raise ConfigError for a command that could only fail, or lose its results, as a job.

    Args:
        options: the parsed command line of the verb that would be submitted.
    """
    for name in _PATHS:
        _require_place(name, getattr(options, name, None))
    _require_place("out", getattr(options, "out", None))
    _require_place("data", getattr(options, "data", None))
    if getattr(options, "run", None):
        _require_place("source", getattr(options, "source", None))  # of predict
    if getattr(options, "config", None):
        _check_run(options)
    elif getattr(options, "study", None):
        _check_study(options.study)
    elif getattr(options, "sweep", None) and options.sweep != "report":
        _check_sweep(options.sweep)
    elif getattr(options, "sequence", None):
        _check_sequence(options)


def _check_run(options: argparse.Namespace) -> None:
    """Check the settings of ``train`` and ``doctor``: of a YAML file here, or the defaults for data of the cluster."""
    values: dict[str, Any] = {"data": {"path": options.config}}
    if Path(options.config).suffix in SHIPPED:
        if not _is_here(options.config):
            return
        require_names(Config.load(options.config, options.overrides))
        values = read_settings(options.config, "sections")
    else:
        require_names(Config.make(apply_overrides(values, options.overrides, Config), "overrides"))
    values = apply_overrides(values, options.overrides, Config)
    _require_place("data.path", values["data"]["path"])
    if hasattr(options, "resume"):  # train; doctor keeps nothing
        _require_place("run.storage", (values.get("run") or {}).get("storage", "runs"))


def _check_study(file: str) -> None:
    from ...studies.compare import Study

    if _is_here(file):
        Study.load(file)
        for name, data in read_settings(file, "sections")["data"].items():
            _require_place(f"data.{name}.path", data["path"])


def _check_sweep(file: str) -> None:
    from ...studies.tune import Sweep

    if _is_here(file):
        Sweep.load(file).base  # noqa: B018 - it is checked when it is made
        values = read_settings(file, "sections")["config"]
        _require_place("config.data.path", values["data"]["path"])


def _check_sequence(options: argparse.Namespace) -> None:
    from ...studies.incremental.study import SequenceStudy
    from ..settings import known_sequence

    if _is_here(options.sequence):
        values = read_settings(options.sequence, "keys")
        if isinstance(known_sequence(options, values), SequenceStudy):
            study = SequenceStudy.make(values, options.sequence)
            for name in study.data:
                _require_place(f"data.{name}.sequence.data.path", study.data_path(name))
        else:
            _require_place("data.path", values["data"]["path"])


def _is_here(file: str) -> bool:
    """Return whether a settings file is here and will be sent; one that is not must be the cluster's."""
    if Path(file).is_file():
        return True
    if "://" not in file and not Path(file).is_absolute():
        raise ConfigError(f"{file}: is not here, and a relative path is none of the cluster; correct it")
    return False


def _require_place(name: str, path: str | None) -> None:
    """As ``_require_absolute`` for data and runs, which may also lie in a bucket."""
    if path and "://" not in path:
        _require_absolute(name, path)


def _require_absolute(name: str, path: str | None) -> None:
    if path and not path.startswith("~") and not Path(path).is_absolute():
        raise ConfigError(
            f"submit needs an absolute path of the cluster, got {name}={path}: a relative one lies in the job's own "
            f"folder, which is lost with the job; give an address such as s3://bucket/{path}, or a path that all "
            f"nodes see, such as /mnt/shared/{path}"
        )
