"""Checks of a configuration before anything is started: what would fail in a worker minutes later fails here."""

from .. import models
from ..common.config.config import Config
from ..common.errors import ConfigError, did_you_mean
from ..models import losses
from . import optim
from .metrics import METRICS
from .selection_start import require_selection
from .selector_setup import check_neighbour_features


def check(config: Config) -> None:
    """Raise ConfigError now for what would fail in a worker minutes later."""
    models.check_options(config.model.name, config.model.options)
    losses.check_options(config.train.loss, config.train.loss_options)
    network = models.get(config.model.name)
    optim.require_layers(network, config.optimizer.backbone_lr_factor, config.optimizer.layer_decay)
    check_neighbour_features(config)
    require_selection(config)
    if config.train.monitor not in METRICS:
        hint = did_you_mean(config.train.monitor, METRICS)
        raise ConfigError(f"train.monitor: no metric is called {config.train.monitor!r}{hint}")


def with_absolute_paths(config: Config) -> Config:
    """Return it with absolute paths: workers run in other folders, and a run may be resumed from another.

    What a pretrained network is, is read from its source and written down, too.
    """
    config = config.with_absolute_paths()
    model = config.model.model_copy(update={"options": models.resolve(config.model.name, config.model.options)})
    return config.model_copy(update={"model": model})
