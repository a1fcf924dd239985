"""The word that comes before imports of seconds."""

from contextlib import AbstractContextManager

from ..common.stages import stage


def loading() -> AbstractContextManager[object]:
    """Give the first word before imports that take seconds."""
    return stage("loading PyTorch and Ray")
