"""A parser whose errors are one line that names the nearest word and ends with where to read on."""

import argparse
from typing import Any, NoReturn, TypeAlias

from ..common.errors import did_you_mean

Subparsers: TypeAlias = "argparse._SubParsersAction[Parser]"

MOVED = "where the run's data lies now, if it was moved"
"""The help of ``--data`` of verbs that take a run."""
CONFIGURATION = "a YAML file, or the folder of a prepared data set to use the defaults for"
"""The help of what verbs that take a configuration begin with."""


class Parser(argparse.ArgumentParser):
    """As argparse's, with the help's examples as they are written."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        settings.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(*args, **settings)

    def error(self, message: str) -> NoReturn:
        """End the command with code 2 and a line; the whole usage, a page for some verbs, is in the help."""
        command, _, verb = self.prog.partition(" ")
        self.exit(2, f"{command}: error: {f'{verb}: ' if verb else ''}{message}; {see_help(verb)}\n")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Refuse what is no choice, with "did you mean"."""
        if action.choices is not None and value not in action.choices:
            choices = [str(choice) for choice in action.choices]
            raise argparse.ArgumentError(action, f"{value!r} is no choice{did_you_mean(str(value), choices)}")


def see_help(verb: str) -> str:
    """Return where to read on after an error of a verb, or of the command without one."""
    return f"see d2ace {verb} --help" if verb else "see d2ace --help"
