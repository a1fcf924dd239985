"""Base networks behind one interface; one network a file, no Ray."""

from .api import (
    ModelContext,
    MultiLabelModel,
    Output,
    check_options,
    create,
    get,
    names,
    options,
    resolve,
)

__all__ = ["ModelContext", "MultiLabelModel", "Output", "check_options", "create", "get", "names", "options", "resolve"]
