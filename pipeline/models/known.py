"""The networks and losses there are, by name: what a typo is told by before PyTorch is loaded.

Places are imported on first use and begin with a dot: they count from this package. One network a file.
"""

from ...selectors.common.registry import Registry
from ..common.errors import ConfigError

NETWORKS = Registry(
    "network",
    {
        "c2ae": ".c2ae:C2AE",
        "clif": ".clif:CLIF",
        "dela": ".dela:DELA",
        "huggingface": ".huggingface:HuggingFace",
        "mlp": ".mlp:MLP",
        "mpvae": ".mpvae:MPVAE",
        "paca": ".paca:PACA",
        "small-cnn": ".small_cnn:SmallCNN",
        "timm": ".timm:Timm",
    },
    __package__,
    error=ConfigError,
    group="d2ace.networks",
)
"""Their base class brings PyTorch: ``api.REGISTRY`` is this one with it."""

LOSSES = Registry(
    "loss",
    {
        "asl": ".losses:asl",
        "bce": ".losses:bce",
        "hill": ".hill:hill",
        "ll-ct": ".large_loss:large_loss_correction",
        "ll-r": ".large_loss:large_loss_rejection",
        "negative-weight": ".negative_weight:negative_weight",
        "positive-focus": ".positive_focus:positive_focus",
        "splc": ".splc:splc",
    },
    __package__,
    error=ConfigError,
    group="d2ace.losses",
)
