"""What a base network must do, and the registry of those there are.

    B rows of a batch   L labels   d features   C, H, W channels, height and width of an image

Rules for every network, so that a run does not depend on how its batches are cut over workers:
no statistics over more rows than a micro-batch (batch normalisation only as in ``batch_norm.py``), no state that a
forward pass changes, and noise from torch's global generator only, which the worker seeds for each micro-batch.
"""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn

from ...selectors.common.registry import settings_of
from ...selectors.common.settings import Checks
from ..common.errors import ConfigError
from .known import NETWORKS


@dataclass(frozen=True)
class ModelContext:
    """What a network is built for.

    Attributes:
        n_labels: L.
        input_shape: ``(d,)`` for tables, ``(C, H, W)`` for images.
        label_counts: known positives of each label among the training rows, L numbers.
        n_rows: training rows.
        cooccurrence: float (L, L), training rows that have both labels (the diagonal: ``label_counts``), or None; CSR,
            since most of many labels never meet, or dense. Where labels are unknown, entry (i, j) is the share of the
            rows with label j that have label i too, among those where i is known, times ``label_counts[j]``.
        known_counts: training rows in which each label is known, L numbers; None when all are known in all rows.
    """

    n_labels: int
    input_shape: tuple[int, ...]
    label_counts: tuple[int, ...]
    n_rows: int
    cooccurrence: sparse.csr_array | np.ndarray | None = None
    known_counts: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.n_labels < 1 or self.n_rows < 1 or not self.input_shape or min(self.input_shape) < 1:
            raise ConfigError(
                f"a network needs at least one label, row and input, got {self.n_labels} labels, {self.n_rows} rows "
                f"and inputs of shape {self.input_shape}"
            )
        if len(self.label_counts) != self.n_labels:
            raise ConfigError(f"got {len(self.label_counts)} label counts for {self.n_labels} labels")
        if self.known_counts is not None and len(self.known_counts) != self.n_labels:
            raise ConfigError(f"got {len(self.known_counts)} counts of known rows for {self.n_labels} labels")
        square = (self.n_labels, self.n_labels)
        if self.cooccurrence is not None and self.cooccurrence.shape != square:
            raise ConfigError(f"expected label co-occurrence of shape {square}, got {self.cooccurrence.shape}")


class Output(NamedTuple):
    """What a forward pass returns.

    Attributes:
        logits: float (B, L); their sigmoid is the prediction and feeds the selector. They come from the branch that
            does not see the labels, in training too.
        row_loss: float (B,), the network's own training loss of each row; None uses the configured criterion on
            the logits.
        penalty: scalar, a regulariser that is a mean over the batch's rows, or None.
        embedding: float (B, e), what ``embed`` returns, where the network has it; else None.
    """

    logits: Tensor
    row_loss: Tensor | None = None
    penalty: Tensor | None = None
    embedding: Tensor | None = None


class MultiLabelModel(nn.Module, ABC):
    """A network with one logit per label.

    Args of every subclass: ``context``, then its own settings as keyword arguments with defaults. A subclass raises
    ConfigError for settings out of range.

    Attributes:
        inputs: ``table`` for rows of shape (d,), ``image`` for (C, H, W).
        embeds: whether ``embed`` works.
        entrywise: whether the configured criterion of each entry is all that it learns from, so that single entries can
            be left out or weighed; False for a network with a ``row_loss`` of its own.
        layered: whether ``layer_groups`` tells layers apart.
        pretrained: whether ``load_pretrained`` has weights to load.
    """

    name: ClassVar[str]
    embeds: ClassVar[bool] = False
    entrywise: ClassVar[bool] = True
    layered: ClassVar[bool] = False
    pretrained: bool = False
    inputs: ClassVar[Literal["table", "image"]] = "table"

    def __init__(self, context: ModelContext) -> None:
        super().__init__()
        expected = {"table": 1, "image": 3}[self.inputs]
        if len(context.input_shape) != expected:
            kinds = {1: "a table row (d,)", 3: "an image (C, H, W)"}
            raise ConfigError(
                f"network {self.name!r} takes {kinds[expected]}, but the data has rows of shape {context.input_shape}"
            )

    def embed(self, features: Tensor) -> Tensor:
        """Return inner features of rows, float (B, e), in which neighbours can be looked for.

        Raises:
            ConfigError: when the network has none to offer.
        """
        raise ConfigError(f"network {self.name!r} gives no embeddings")

    @classmethod
    def resolve(cls, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return settings that say the same without anything outside of them but the initial weights."""
        return dict(options)

    def load_pretrained(self) -> None:
        """Replace the initial weights by those that the settings name; a network that goes on is made without."""

    def layer_groups(self) -> list[list[nn.Parameter]]:
        """Return all parameters in groups from the input on, the head's last; a single group tells nothing apart."""
        return [list(self.parameters())]

    @abstractmethod
    def forward(self, features: Tensor, labels: Tensor | None = None) -> Output:
        """Predict; with labels also compute what the network's own loss needs.

        Args:
            features: float (B, *input_shape).
            labels: float (B, L), 0 or 1, in training only; None in evaluation and prediction.
        """


REGISTRY = replace(NETWORKS, base=MultiLabelModel)


def names() -> list[str]:
    """Return the names of all registered networks, sorted."""
    return REGISTRY.names()


def get(name: str) -> type[MultiLabelModel]:
    """Return the class of a network, by name or as ``package.module:Class``; raises ConfigError otherwise."""
    return REGISTRY.find(name)


def names_with(fits: Callable[[type[MultiLabelModel]], bool]) -> str:
    """Return the names of the networks that something works with, for a message."""
    return ", ".join(name for name in sorted(NETWORKS.places) if fits(get(name)))


def options(name: str) -> dict[str, inspect.Parameter]:
    """Return the network's own settings by name, with defaults and annotations."""
    return settings_of(get(name), ("context",))


def check_options(name: str, chosen: Mapping[str, Any]) -> None:
    """Raise ConfigError (with "did you mean") for an unknown network or a setting it does not have."""
    REGISTRY.check_settings(name, chosen, options(name))


def resolve(name: str, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Return a network's settings as a run keeps them, with which it is made again without a hub.

    Raises:
        ConfigError: for an unknown name or setting, or a source of weights that cannot be read.
    """
    check_options(name, chosen)
    return get(name).resolve(chosen)


def create(name: str, context: ModelContext, **chosen: Any) -> MultiLabelModel:
    """Make a network by name with initial weights from torch's global generator (see ``load_pretrained``, too).

    Raises:
        ConfigError: for an unknown name or setting, a setting out of range, or inputs it cannot take.
    """
    check_options(name, chosen)
    return get(name)(context, **chosen)


def checks_of(name: str) -> Checks:
    """Return checks of a network's settings, which raise ConfigError naming setting and network."""
    return Checks(ConfigError, f"network {name!r}")


def prior_logits(context: ModelContext) -> Tensor:
    """Return the logit of each label's smoothed training frequency, (c + 1) / (n + 2); float32 (L,).

    Of n training rows in which the label is known c have it.
    As biases of the last layer they start a network at the label frequencies, so that the first epochs are not
    spent on learning that most labels are rare. [own; Lin et al. 2017, section 3.3, for the idea]
    """
    counts = torch.tensor(context.label_counts, dtype=torch.float64)
    rows = torch.tensor(context.known_counts or context.n_rows, dtype=torch.float64)
    return torch.log((counts + 1) / (rows - counts + 1)).float()
