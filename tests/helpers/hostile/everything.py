"""All targets."""

from hostile.kept import KEPT
from hostile.sources import SOURCES

TARGETS = (*SOURCES, *KEPT)
