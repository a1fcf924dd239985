"""``choose``: which selection method, if any, for a user's own data, at a small multiple of the cost of one run."""

from .execution import choose
from .outcome import CHOICE_FILE, Choice
from .text import describe

__all__ = ["CHOICE_FILE", "Choice", "choose", "describe"]
