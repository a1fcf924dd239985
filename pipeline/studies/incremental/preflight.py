"""Checks of a sequence before anything is started or written: what would fail in the last task fails here."""

from pathlib import Path

from ... import models
from ...common.config.config import Config
from ...common.errors import ConfigError
from ...data.manifest import Manifest
from ...feeds.inputs import input_shape
from ...models.growing_head import require_growth
from ...training.checks import check, check_data, require_entrywise, with_absolute_paths
from ...training.initial_weights import context_of_any, unfilled_model
from ...training.selector_setup import held_out_after
from .sequence import TaskSequence
from .tasks import Tasks


def check_sequence(sequence: TaskSequence, manifest: Manifest, tasks: Tasks) -> None:
    """Raise ConfigError for what could not work in any task.

    Args:
        sequence: with its data.
        manifest: of that data.
        tasks: cut from it.
    """
    for number in (1, 2):  # all later ones are alike
        config = sequence.run_config(number, Path("task"), None)  # no run is made
        try:
            check(config)
            check_data(config, manifest)
            if not sequence.made.sees_all:
                require_entrywise(config, "a task, which shows its own labels only,")
            _require_no_held_out_rows(config)
        except ConfigError as error:
            raise ConfigError(f"sequence {sequence.name}, task {number}: {error}") from None
    if sequence.made.continues:
        _require_growth(config, manifest, tasks)
    _check_memory(sequence, config, len(tasks.order))
    _check_relabelling(sequence, manifest, tasks)


def _require_no_held_out_rows(config: Config) -> None:
    """Raise ConfigError for a policy for entries that needs validation rows: those of a sequence are in no task."""
    entries = config.selector.entries
    if entries is not None and held_out_after(config) is not None:
        raise ConfigError(
            f"selector.entries: policy {entries.policy!r} counts wrong labels on validation rows, and tasks have none: "
            "say in selector.entries.options.expected which share is wrong"
        )


def _require_growth(config: Config, manifest: Manifest, tasks: Tasks) -> None:
    """Raise ConfigError unless the network of the first task can grow to that of the last."""
    config, shape = with_absolute_paths(config), input_shape(config.images, manifest)
    first, last = (
        unfilled_model(config, context_of_any(labels, shape)).state_dict()
        for labels in (tasks.seen(1), len(tasks.order))
    )
    require_growth(config.model.name, first, last)


def _check_memory(sequence: TaskSequence, config: Config, classes: int) -> None:
    memory = sequence.memory
    if memory is None:
        return
    if memory.kind == "herding" and not models.get(config.model.name).embeds:
        able = models.names_with(lambda network: network.embeds)
        raise ConfigError(
            f"memory.kind='herding' needs a network that gives embeddings ({able}), but model.name is "
            f"{config.model.name!r}; take kind='random'"
        )
    if memory.total is not None and memory.total < classes:
        raise ConfigError(f"memory.total={memory.total}: expected at least a row for each of {classes} classes")


def _check_relabelling(sequence: TaskSequence, manifest: Manifest, tasks: Tasks) -> None:
    rule = sequence.relabelling
    needs = sequence.made.predicts_labels and rule.labels == "hard" and rule.threshold != "fixed"
    if needs and not len(tasks.validation):
        raise ConfigError(
            f"relabelling.threshold={rule.threshold!r} needs validation rows, {manifest.folder} has none: set "
            "data.validation_fraction above 0"
        )
