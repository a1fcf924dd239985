"""A network for more labels that starts as one for fewer: what it knew stays, bit for bit.

K old labels, which come first   L labels
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from ..common.errors import ConfigError
from .api import MultiLabelModel


def grow(model: MultiLabelModel, weights: Mapping[str, Tensor]) -> None:
    """Give a network the weights of the same network for fewer labels, or as many; new labels keep theirs.

    Args:
        model: for L labels; it is changed in place.
        weights: the state of a network of the same kind for K labels, the first K of the L.

    Raises:
        ConfigError: when they are not of such a network, or its head cannot grow.
    """
    own = model.state_dict()
    require_growth(model.name, weights, own)
    with torch.no_grad():
        for name, tensor in own.items():
            old = weights[name]
            (tensor[: len(old)] if old.ndim else tensor).copy_(old)


def require_growth(network: str, old: Mapping[str, Tensor], new: Mapping[str, Tensor]) -> None:
    """Raise ConfigError unless each tensor of ``new`` has the shape of the old one, or more lines of that shape."""
    if differing := old.keys() ^ new.keys():
        raise ConfigError(
            f"the weights of network {network!r} are of another network: {min(differing)!r} is in one of them only"
        )
    for name, tensor in new.items():
        before, after = tuple(old[name].shape), tuple(tensor.shape)
        grown = len(before) == len(after) > 0 and before[1:] == after[1:] and before[0] <= after[0]
        if before != after and not grown:
            raise ConfigError(
                f"network {network!r} cannot grow by labels: {name!r} has shape {before} and would have {after}; "
                "expected the same network with the same options, and a head with lines of its own for each label "
                "(a query head: head_options.queries of at least the number of all labels)"
            )
