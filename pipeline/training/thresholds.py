"""Thresholds that rows with known labels ask for: where a label's probability is larger, it counts as predicted.

    n rows   L labels

A threshold lies half-way between two neighbouring predictions. Unknown entries take no part.
"""

from dataclasses import dataclass

import numpy as np

from ..common.errors import ConfigError, did_you_mean

RULES = ("f1", "precision", "recall", "cardinality")
"""What a threshold may be chosen for."""
_WITH_TARGET = ("precision", "recall")


@dataclass(frozen=True)
class ThresholdRule:
    """What thresholds are chosen for.

    - ``f1``: the largest F1 of a label.
    - ``precision``: the largest recall at which the precision is at least ``target``; the largest precision where none
      reaches it.
    - ``recall``: the largest precision at which the recall is at least ``target``.
    - ``cardinality``: as many predicted rows as there are positive ones (PCut; Yang, A study of thresholding strategies
      for text categorization, SIGIR 2001).

    Attributes:
        name: one of ``RULES``.
        target: of a wanted precision or recall, above 0 and at most 1; None of the others.
    """

    name: str = "f1"
    target: float | None = None

    @classmethod
    def of(cls, text: str) -> "ThresholdRule":
        """Return the rule that a text such as ``f1`` or ``precision=0.9`` means.

        Raises:
            ConfigError: for another text.
        """
        name, _, value = text.partition("=")
        if name not in RULES:
            raise ConfigError(f"no rule is called {name!r}{did_you_mean(name, RULES)}")
        if (name in _WITH_TARGET) != bool(value):
            example = f"{name}=0.9" if name in _WITH_TARGET else name
            raise ConfigError(f"rule {text!r}: expected {example!r}")
        try:
            target = float(value) if value else None
        except ValueError:
            target = np.nan
        if target is not None and not 0 < target <= 1:
            raise ConfigError(f"rule {text!r}: expected a {name} above 0 and at most 1")
        return cls(name, target)

    def __str__(self) -> str:
        return self.name if self.target is None else f"{self.name}={self.target:g}"

    def threshold(self, scores: np.ndarray, relevant: np.ndarray) -> float:
        """Return the threshold of one label; of equally good ones the highest.

        Args:
            scores: float (n,), in 0..1, of rows in which the label is known.
            relevant: bool (n,), True in some row.
        """
        order = np.argsort(-scores, kind="stable")
        ranked, hits = scores[order].astype(np.float64), np.cumsum(relevant[order])
        lower, predicted = np.append(ranked[1:], 0.0), np.arange(1, len(ranked) + 1)
        value = np.where(ranked > lower, self._value(hits, predicted), -np.inf)
        best = int(np.argmax(value))
        return float((ranked[best] + lower[best]) / 2)

    def _value(self, hits: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        """Return how good it is to predict so many rows, of which so many are hits, float64 (n,)."""
        positives = hits[-1]
        if self.name == "f1":
            return 2 * hits / (predicted + positives)
        if self.name == "cardinality":
            return -np.abs(predicted - positives).astype(np.float64)
        precision, recall = hits / predicted, hits / positives
        wanted, other = (precision, recall) if self.name == "precision" else (recall, precision)
        return np.where(wanted >= self.target, 1 + other, wanted)


def best_thresholds(
    probabilities: np.ndarray, truth: np.ndarray, default: float = 0.5, rule: ThresholdRule | None = None
) -> np.ndarray:
    """Return the threshold of each class by a rule, the best F1 without one, on its known rows, float64 (L,).

    Args:
        probabilities: float (n, L), in 0..1.
        truth: float (n, L), NaN where unknown.
        default: of a class without a known positive.
        rule: what for.
    """
    rule, result = rule or ThresholdRule(), np.full(truth.shape[1], default)
    for label in range(truth.shape[1]):
        known = ~np.isnan(truth[:, label])
        relevant = truth[known, label] >= 0.5
        if relevant.any():
            result[label] = rule.threshold(probabilities[known, label], relevant)
    return result
