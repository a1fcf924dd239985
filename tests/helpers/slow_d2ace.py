"""D2ACE written the obvious way: a dict of deques and one Python loop inside another.

The oracle of the tests, and the rival of ``benchmarks/selection_state.py``. Float64, no NumPy, nothing clever;
the steps are those of the method's description, dense over labels as it states them.
"""

import math
from collections import deque

EPS = 1e-7


class SlowD2ACE:
    """State and rescoring; rows never observed count as predicted 0.5 with loss ln 2."""

    def __init__(self, labels, neighbours, *, history=5, weight=0.5, alpha=0.7, mean=0.5, std=0.5, floor=0.0):
        self.labels = [[int(value) for value in row] for row in labels]
        self.n_rows, self.n_labels = len(self.labels), len(self.labels[0])
        self.weight, self.alpha, self.mean, self.std, self.floor = weight, alpha, mean, std, floor
        self.window = {row: deque(maxlen=history) for row in range(self.n_rows)}
        zeros, full = [0.0] * self.n_labels, [math.log(2)] * self.n_labels
        self.flip = {row: list(zeros) for row in range(self.n_rows)}
        self.loss = {row: list(full) for row in range(self.n_rows)}
        self.uncertainty = {row: [1 - weight] * self.n_labels for row in range(self.n_rows)}
        self.context = [self._context(row, neighbours[row]) for row in range(self.n_rows)]

    def _context(self, row, near):
        return [int(any(self.labels[i][j] for i in [row, *near])) for j in range(self.n_labels)]

    def observe(self, ids, probabilities, losses):
        for row, new, loss in zip(ids, probabilities, losses, strict=True):
            window = self.window[row]
            for j in range(self.n_labels):
                change = abs(new[j] - window[-1][j]) if window else 0.0
                self.flip[row][j] = self.alpha * change + (1 - self.alpha) * self.flip[row][j]
                self.loss[row][j] = loss[j]
            window.append(new)
            for j in range(self.n_labels):
                self.uncertainty[row][j] = self._uncertainty(window, j)

    def _uncertainty(self, window, j):
        moved = 0.0
        for before, after in zip(window, list(window)[1:], strict=False):
            moved += abs(after[j] - before[j])
        if len(window) > 1:
            moved /= len(window) - 1
        p = min(max(window[-1][j], EPS), 1 - EPS)
        entropy = -p * math.log2(p) - (1 - p) * math.log2(1 - p)
        return self.weight * moved + (1 - self.weight) * entropy

    def hardness(self):
        return [
            [(self.floor + 1 - math.exp(-self.loss[row][j])) * (1 - self.flip[row][j]) for j in range(self.n_labels)]
            for row in range(self.n_rows)
        ]

    def scores(self):
        """Return (label weights, correlation, score of each row) of both branches."""
        uncertainty = [self.uncertainty[row] for row in range(self.n_rows)]
        return self._branch(uncertainty), self._branch(self.hardness())

    def _branch(self, values):
        weights = self.label_weights(values)
        masked = [
            [v * y for v, y in zip(row, labels, strict=True)] for row, labels in zip(values, self.labels, strict=True)
        ]
        correlation = self.correlation(masked)
        return weights, correlation, self.row_scores(values, weights, correlation)

    def label_weights(self, values):
        weights = []
        for j in range(self.n_labels):
            mean = sum(row[j] for row in values) / self.n_rows
            std = math.sqrt(sum((row[j] - mean) ** 2 for row in values) / self.n_rows)
            weights.append(math.exp(self.mean * mean + self.std * std))
        return weights

    def correlation(self, masked):
        size = self.n_labels
        products = [[0.0] * size for _ in range(size)]
        for row in masked:
            for j in range(size):
                for k in range(size):
                    products[j][k] += row[j] * row[k]
        norms = [math.sqrt(products[j][j]) for j in range(size)]
        for j in range(size):
            cosines = [p / (norms[j] * n) if norms[j] * n > 0 else 0.0 for p, n in zip(products[j], norms, strict=True)]
            total = sum(cosines) + 1e-8
            products[j] = [c / total for c in cosines]
        return products

    def row_scores(self, values, weights, correlation):
        scores = []
        for row in range(self.n_rows):
            score = 0.0
            for j in range(self.n_labels):
                support = 0.0
                for k in range(self.n_labels):
                    support += correlation[j][k] * self.context[row][k]
                score += weights[j] * values[row][j] * (1 + self.labels[row][j] * support)
            scores.append(score)
        return scores
