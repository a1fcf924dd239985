"""Image data sets in the formats they come in, cleaned and packed into a prepared data set."""

from typing import TYPE_CHECKING

from ...common.lazy import on_first_use

if TYPE_CHECKING:
    from .prepare import prepare_images

__all__ = ["prepare_images"]

__getattr__ = on_first_use(__name__, {"prepare_images": "prepare"})
