"""Epochs of a schedule from shares of a run, so that every point of a space gives stages in the right order."""

from ..selectors.plans.schedules import share_of


def warm_up(share: float, epochs: int) -> int:
    """Return a warm-up of ``share`` of the run, in epochs: at least 1, and one epoch left after it.

    Raises:
        ValueError: when the run has fewer than two epochs: nothing could be selected.
    """
    if epochs < 2:
        raise ValueError(f"a search needs runs of at least 2 epochs, got {epochs}")
    return share_of(share, epochs)


def stage(start: float, length: float, warmup: int, epochs: int) -> tuple[int, int]:
    """Return the first and last epoch of a stage: warmup <= first < last <= epochs.

    Args:
        start: share of the epochs after the warm-up at which it begins, in [0, 1].
        length: share of the rest of the run that it takes, in [0, 1].
        warmup: epochs of permutations, below ``epochs``.
        epochs: length of the run.
    """
    first = warmup + min(int(start * (epochs - warmup)), epochs - warmup - 1)
    last = first + min(max(round(length * (epochs - first)), 1), epochs - first)
    return first, last
