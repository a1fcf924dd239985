"""The outcomes of a study of sequences: a file with a line for each, added to as they end."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from ...common.errors import RunError
from ...common.storage.any_path import AnyPath, make_folder, place_of
from ...common.storage.json_files import append_json_lines, ends_whole, read_json_lines, write_json_lines
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
        """Drop the line that a kill cut off, so that the next one is not glued to it; for the one who writes."""
        if self.path.is_file() and not ends_whole(self.path):
            write_json_lines(self.path, self._records)

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
        """Return all outcomes; of some members, theirs by their names, in their order.

        Raises:
            RunError: when the file is not one of this version.
        """
        found = {record["key"]: Outcome.of_record(record, self.path) for record in self._records}
        if members is None:
            return list(found.values())
        return [member.named(found[member.key]) for member in members if member.key in found]

    def reference(self) -> str | None:
        """Return the method that the last study in the folder compared the others with; None before its first line."""
        return next((record["reference"] for record in reversed(self._records)), None)

    @cached_property
    def _records(self) -> list[dict[str, Any]]:
        try:
            return read_json_lines(self.path)
        except (OSError, ValueError) as error:
            raise RunError(f"{self.path}: cannot be read: {error}") from None
