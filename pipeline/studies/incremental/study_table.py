"""The outcomes of a study of sequences: a file with a line for each, added to as they end."""

from collections.abc import Hashable, Sequence
from functools import cached_property
from typing import Any

from ...common.errors import RunError
from ...common.storage.any_path import AnyPath, make_folder, place_of
from ...common.storage.json_files import append_json_lines, drop_torn_line, read_json_lines
from .outcome import OUTCOMES_FILE, Outcome
from .study import Member


class OutcomeTable:
    """The results in a folder; several studies may share one.

    Args:
        folder: made by the first line.
    """

    def __init__(self, folder: "str | AnyPath") -> None:
        self.folder = place_of(folder)
        self.path, self.failures = self.folder / OUTCOMES_FILE, self.folder / "failures.jsonl"

    def begin(self) -> None:
        """Drop the lines that a kill cut off, so that the next ones are not glued to them; for the one who writes."""
        for path in (self.path, self.failures):
            drop_torn_line(path)

    def add(self, member: Member, outcome: Outcome, about: dict[str, Any]) -> None:
        """Keep the outcome of a sequence, with what is worth knowing about how it was made."""
        make_folder(self.folder)
        append_json_lines(self.path, [{"key": member.key, **about, **member.named(outcome).as_record()}])
        self.__dict__.pop("_records", None)  # they are read again

    def add_failure(self, member: Member, error: str, about: dict[str, Any]) -> None:
        """Keep why a sequence failed."""
        make_folder(self.folder)
        append_json_lines(self.failures, [{"key": member.key, "sequence": member.told, **about, "error": error}])

    def done(self) -> set[str]:
        """Return the keys of the sequences that are complete."""
        return {record["key"] for record in self._records}

    def outcomes(self, members: Sequence[Member] | None = None) -> list[Outcome]:
        """Return all outcomes, the newest of those of one name; of some members, theirs by their names, in their order.

        Two have one name, which is data set, protocol, method, class order and seed, where a study was changed, or
        trained again by another version.

        Raises:
            RunError: when the file is not one of this version.
        """
        found = {record["key"]: Outcome.of_record(record, self.path) for record in self._records}
        if members is None:
            return list({_name(outcome): outcome for outcome in found.values()}.values())
        return [member.named(found[member.key]) for member in members if member.key in found]

    def replaced(self) -> int:
        """Return how many outcomes ``outcomes()`` leaves out, since a newer one has their name."""
        return len(self.done()) - len(self.outcomes())

    def reference(self) -> str | None:
        """Return the method that the last study in the folder compared the others with; None before its first line."""
        return next((record["reference"] for record in reversed(self._records)), None)

    @cached_property
    def _records(self) -> list[dict[str, Any]]:
        try:
            return read_json_lines(self.path)
        except (OSError, ValueError) as error:
            raise RunError(f"{self.path}: cannot be read: {error}") from None


def _name(outcome: Outcome) -> tuple[Hashable, ...]:
    """Return what tells sequences apart that are compared."""
    return outcome.data, outcome.protocol, outcome.name, outcome.order, outcome.seed
