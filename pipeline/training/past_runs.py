"""Earlier runs that a configuration names: the one to start from, and the teacher. Checked before anything starts."""

from collections.abc import Iterator, Sequence
from itertools import pairwise, zip_longest

from .. import models
from ..common.config.config import Config
from ..common.errors import ConfigError, RunError
from ..data.manifest import Manifest
from ..feeds.inputs import input_shape
from ..models.growing_head import require_growth
from ..runs.trained_run import TrainedRun
from .answers import Answers
from .distillation import require_features, teacher_digest
from .initial_weights import context_of_any, unfilled_model


def _named(config: Config) -> Iterator[tuple[str, TrainedRun]]:
    """Yield each key that names an earlier run, and that run; raises ConfigError when it is not finished."""
    distillation = config.train.distillation
    places = {"model.initial": config.model.initial}
    places["train.distillation.teacher"] = distillation.teacher if distillation else None
    for key, place in places.items():
        if place is not None:
            try:
                yield key, TrainedRun.open(place)
            except RunError as error:
                raise ConfigError(f"{key}: {error}") from None


def require_past_runs(config: Config) -> None:
    """Raise ConfigError unless every earlier run that a configuration names is finished, and has its network."""
    for key, run in _named(config):
        if key == "model.initial" and run.config.model.name != config.model.name:
            raise ConfigError(
                f"{key}: {run.folder.path} trained network {run.config.model.name!r}, model.name is "
                f"{config.model.name!r}: a run starts from the weights of the same network"
            )
    section = config.train.distillation
    if section is not None and section.loss == "features":
        require_features(config.model.name)


def require_first_labels(config: Config, manifest: Manifest) -> None:
    """Raise ConfigError unless the labels of every earlier run are the first of the data's, and its inputs the same."""
    shape, runs = input_shape(config.images, manifest), list(_named(config))
    for key, run in runs:
        for number, (known, here) in enumerate(zip_longest(run.data.labels, manifest.labels), 1):
            if known is not None and known != here:
                raise ConfigError(
                    f"{key}: the labels of {run.folder.path} must be the first of {manifest.folder}, in their order: "
                    f"label {number} is {known!r} there, {here!r} here"
                )
        if tuple(run.data.context.input_shape) != shape:
            raise ConfigError(
                f"{key}: {run.folder.path} takes rows of shape {tuple(run.data.context.input_shape)}, "
                f"{manifest.folder} has {shape}"
            )
        if key == "model.initial" and not models.get(config.model.name).layered:  # a backbone takes seconds to make
            _require_growth(config, manifest, shape, run)
    _require_one_scaling(runs)
    section = config.train.distillation
    if section is not None and section.answers is not None:
        answers = Answers.load(section.answers).logits.shape[1]
        if answers > manifest.n_labels:
            raise ConfigError(
                f"train.distillation.answers: {section.answers} has answers for {answers} labels, "
                f"{manifest.folder} has {manifest.n_labels}"
            )


def _require_one_scaling(runs: Sequence[tuple[str, TrainedRun]]) -> None:
    """Raise ConfigError unless all earlier runs expect inputs that are scaled alike: they see the same ones here."""
    for (first, one), (second, other) in pairwise(runs):
        if one.data.scaler.to_dict() != other.data.scaler.to_dict():
            raise ConfigError(
                f"{second}: {other.folder.path} takes inputs that are scaled otherwise than those of {first}, "
                f"{one.folder.path}; both would see the same ones here"
            )


def _require_growth(config: Config, manifest: Manifest, shape: tuple[int, ...], run: TrainedRun) -> None:
    """Raise ConfigError unless the run's network can take the weights of an earlier run over."""
    made = unfilled_model(config, context_of_any(manifest.n_labels, shape))
    require_growth(config.model.name, run.weights(), made.state_dict())


def with_teacher_digest(config: Config) -> Config:
    """Return the configuration with the SHA-256 of its teacher's weights.

    Raises:
        ConfigError: when it names another one.
    """
    section = config.train.distillation
    if section is None:
        return config
    try:
        found = teacher_digest(section)
    except RunError as error:
        raise ConfigError(f"train.distillation: {error}") from None
    if section.sha256 not in (None, found):
        raise ConfigError(
            f"train.distillation.sha256={section.sha256}: the teacher {section.teacher or section.answers} has "
            f"{found}; leave it out, or name the run that is meant"
        )
    distillation = section.model_copy(update={"sha256": found})
    return config.model_copy(update={"train": config.train.model_copy(update={"distillation": distillation})})
