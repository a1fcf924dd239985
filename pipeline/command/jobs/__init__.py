"""``d2ace submit``: a verb as a job of a Ray cluster."""

from typing import TYPE_CHECKING

from ...common.lazy import on_first_use

if TYPE_CHECKING:
    from .jobs import cancel, dry_run, follow, submit
    from .local_checks import check_command

__all__ = ["cancel", "check_command", "dry_run", "follow", "submit"]

# The module that a job runs to send its results needs nothing of Ray.
__getattr__ = on_first_use(__name__, dict.fromkeys(__all__, "jobs") | {"check_command": "local_checks"})
