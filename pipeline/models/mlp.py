"""A plain multi-layer perceptron: the network everything else is compared with."""

from typing import ClassVar, Literal

from torch import Tensor, nn

from .api import ModelContext, MultiLabelModel, Output, checks_of, prior_logits

_ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU, "tanh": nn.Tanh}


class MLP(MultiLabelModel):
    """Linear layers with an activation and dropout after each hidden one; a linear unit per label.

    Args:
        context: what to build for.
        hidden: width of each hidden layer; empty for logistic regression.
        dropout: share of hidden units left out in training.
        activation: ``relu``, ``gelu`` or ``tanh``.
        prior_bias: start at the labels' training frequencies instead of at 0.5.
    """

    name: ClassVar[str] = "mlp"
    inputs: ClassVar[Literal["table", "image"]] = "table"
    embeds: ClassVar[bool] = True

    def __init__(
        self,
        context: ModelContext,
        *,
        hidden: tuple[int, ...] = (512, 512),
        dropout: float = 0.0,
        activation: str = "relu",
        prior_bias: bool = True,
    ) -> None:
        super().__init__(context)
        checks = checks_of(self.name)
        hidden = checks.widths("hidden", hidden, empty=True)
        checks.number("dropout", dropout, low=0, below=1)
        checks.choice("activation", activation, _ACTIVATIONS)
        layers: list[nn.Module] = []
        width = context.input_shape[0]
        for size in hidden:
            layers += [_linear(width, size, activation), _ACTIVATIONS[activation](), nn.Dropout(dropout)]
            width = size
        head = _linear(width, context.n_labels, "linear")
        if prior_bias:
            head.bias.data.copy_(prior_logits(context))
        self.layers = nn.Sequential(*layers, head)

    def embed(self, features: Tensor) -> Tensor:
        """Return the last hidden layer, float (B, width), or the features when there is none."""
        for layer in list(self.layers)[:-1]:
            features = layer(features)
        return features

    def forward(self, features: Tensor, labels: Tensor | None = None) -> Output:
        """Return the logits; the labels are not used."""
        embedding = self.embed(features)
        return Output(self.layers[-1](embedding), embedding=embedding)


def _linear(width: int, size: int, activation: str) -> nn.Linear:
    """Return a linear layer with biases 0 and weights that keep the scale of what flows through.

    Source: He et al. 2015 before rectifiers, Glorot & Bengio 2010 otherwise [paper].
    """
    layer = nn.Linear(width, size)
    if activation in ("relu", "gelu"):
        nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
    else:
        gain = nn.init.calculate_gain("tanh" if activation == "tanh" else "linear")
        nn.init.xavier_uniform_(layer.weight, gain)
    nn.init.zeros_(layer.bias)
    return layer
