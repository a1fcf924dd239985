"""The metrics there are: what a typo is told by before PyTorch is loaded."""

HIGHER_IS_BETTER: dict[str, bool] = {
    "macro_auc": True,
    "micro_auc": True,
    "map": True,
    "macro_f1": True,
    "micro_f1": True,
    "cf1": True,
    "of1": True,
    "ranking_loss": False,
    "hamming_loss": False,
    "one_error": False,
    "coverage": False,
    "label_ranking_ap": True,
    "subset_accuracy": True,
    "jaccard": True,
}
"""Every metric, and whether larger values are better."""

METRICS: tuple[str, ...] = tuple(HIGHER_IS_BETTER)


class MetricError(ValueError):
    """Predictions that cannot be evaluated."""
