"""``d2ace compare``: methods against each other, and what may be concluded."""

from typing import TYPE_CHECKING

from ...common.lazy import on_first_use

if TYPE_CHECKING:
    from .comparison import compare_methods
    from .execution import compare
    from .study import Study
    from .table import read_table

__all__ = ["Study", "compare", "compare_methods", "read_table"]

# The statistics need neither Ray nor the networks.
__getattr__ = on_first_use(
    __name__,
    {"compare": "execution", "compare_methods": "comparison", "Study": "study", "read_table": "table"},
)
