"""From which epoch a run selects, known before anything is started; a run that never does is refused.

N rows, L labels, K neighbours.
"""

import warnings
from typing import Any

import numpy as np

from ...selectors import api as selectors
from ...selectors.common.errors import SelectionError
from ...selectors.common.label_matrix import LabelMatrix
from ...selectors.common.settings import whole
from ..common.config.config import Config
from ..common.config.selector_section import SelectorSection
from ..common.errors import ConfigError

_LABELS = LabelMatrix.of(np.tile(np.eye(2, dtype=np.uint8), (4, 1)))


def sample_selector(config: Config, labels: LabelMatrix = _LABELS) -> selectors.Selector:
    """Return the run's selector on some rows without their features: each has the next K rows as its neighbours.

    Args:
        config: the run's configuration.
        labels: (N, L); by default a few made-up rows.

    Raises:
        ConfigError: for settings that the method refuses.
    """
    arguments: dict[str, Any] = dict(config.selector.settings)
    if "reference" in arguments:
        arguments["reference"] = np.zeros(labels.shape, np.float32)
    run = {"batch_size": config.train.batch_size, "epochs": config.train.epochs, "seed": config.run.seed}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a selection that never starts: the caller says it
        try:
            if selectors.get(config.selector.name).uses_neighbours:
                arguments["neighbour_ids"] = cyclic_neighbours(config.selector, labels.shape[0])
            return selectors.create(config.selector.name, labels=labels, **run, **arguments)
        except SelectionError as error:
            raise ConfigError(f"selector.options of {config.selector.name!r}: {error}") from None


def cyclic_neighbours(selector: SelectorSection, rows: int) -> np.ndarray:
    """Return each row and the K next ones, int64 (N, K + 1)."""
    count = whole("neighbours", option(selector, "neighbours"))
    return (np.arange(rows)[:, None] + np.arange(count + 1)) % rows


def option(selector: SelectorSection, name: str) -> Any:
    """Return a setting of the run's method as configured, or its default."""
    return selector.settings.get(name, selectors.options(selector.name)[name].default)


def require_selection(config: Config) -> None:
    """Raise ConfigError when the run's method would choose no batch, unless ``selector.allow_uniform`` says so.

    In a run of one epoch no method can: it has not seen anything yet. That needs no permission.
    """
    selector, epochs = sample_selector(config), config.train.epochs
    if not selector.selects or selector.selection_start is not None or config.selector.allow_uniform or epochs == 1:
        return
    warmup = getattr(selector, "warmup", 0)
    reason = f"its warm-up takes {warmup}" if warmup >= epochs else "its settings give all rows the same chance"
    raise ConfigError(
        f"method {config.selector.name!r} would choose no batch in this run of {epochs} epochs: {reason}. Change "
        "selector.options (warmup: 0.1 is a tenth of the run) or train.epochs, or say selector.allow_uniform=true if "
        "uniform batches are meant"
    )


def selection_line(config: Config) -> str:
    """Return the sentence that tells from which epoch the run selects, counted from 1."""
    selector, epochs = sample_selector(config), config.train.epochs
    if selector.selection_start is None:
        return f"no selection: every epoch of {config.selector.name} is a permutation of all rows"
    return f"selection from epoch {selector.selection_start + 1} of {epochs} ({config.selector.name})"
