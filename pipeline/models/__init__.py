"""Base networks behind one interface; one network a file, no Ray."""

from typing import TYPE_CHECKING

from ..common.lazy import on_first_use

if TYPE_CHECKING:
    from .api import (
        ModelContext,
        MultiLabelModel,
        Output,
        check_options,
        create,
        get,
        names,
        names_with,
        options,
        resolve,
    )

__all__ = [
    "ModelContext",
    "MultiLabelModel",
    "Output",
    "check_options",
    "create",
    "get",
    "names",
    "names_with",
    "options",
    "resolve",
]

# Their names (``known``) need no PyTorch.
__getattr__ = on_first_use(__name__, dict.fromkeys(__all__, "api"))
