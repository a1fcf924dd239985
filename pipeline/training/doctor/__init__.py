"""``d2ace doctor``: measures what bounds a run on the present cluster, and says what to change."""

from typing import TYPE_CHECKING

from ...common.lazy import on_first_use

if TYPE_CHECKING:
    from .advice import advise
    from .examination import examine
    from .findings import Findings
    from .report import as_json, as_text

__all__ = ["Findings", "advise", "as_json", "as_text", "examine"]

__getattr__ = on_first_use(
    __name__,
    {"examine": "examination", "Findings": "findings", "advise": "advice", "as_json": "report", "as_text": "report"},
)
