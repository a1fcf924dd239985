"""Whether a configuration names what there is: asked before PyTorch is loaded, so that a typo is told at once."""

from ..common.config.config import Config
from ..common.errors import ConfigError, did_you_mean
from ..models.known import LOSSES, NETWORKS
from .metric_names import METRICS


def require_names(config: Config) -> None:
    """Raise ConfigError (with "did you mean") for a network, loss or metric that there is not.

    One's own, ``package.module:Class``, is imported later; the method's name is checked when the configuration is made.
    """
    NETWORKS.require(config.model.name)
    LOSSES.require(config.train.loss)
    require_metric(config.train.monitor, "train.monitor")


def require_metric(name: str, where: str) -> None:
    """Raise ConfigError (with "did you mean") unless there is a metric of that name."""
    if name not in METRICS:
        raise ConfigError(f"{where}: no metric is called {name!r}{did_you_mean(name, METRICS)}")
