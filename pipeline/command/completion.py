"""What a shell needs to complete the command: written by shtab from the parser, with the keys of a configuration."""

import argparse
from collections.abc import Iterator
from typing import Any, get_args

import shtab
from pydantic import BaseModel

from ..common.config.config import Config

SHELLS = ("bash", "zsh")
_KEYS = "_d2ace_keys"
_FOLDERS = {"run", "first", "second", "run_folder", "data", "out", "resume", "source", "folder"}
"""Arguments that name folders, by where argparse keeps them; files complete as well, since folders hold them."""
_FILES = {"config", "study", "sweep", "sequence", "wheel", "module", "verdicts", "label_file", "label_mask"}

_NO_SPACE = """
# no space after a key of the configuration: its value follows
_d2ace() {
  _shtab_d2ace "$@"
  [[ ${COMPREPLY[0]} != *= ]] || compopt -o nospace
}
complete -o bashdefault -F _d2ace d2ace
"""


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """Return the completion of a parser as a script of ``bash`` or ``zsh``."""
    for each in _all_parsers(parser):
        for action in each._actions:
            _complete(action)
    text = shtab.complete(parser, shell, preamble=_preamble(shell))
    return f"{text}\n{_NO_SPACE}" if shell == "bash" else text


def _all_parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.values()


def _complete(action: argparse.Action) -> None:
    """Say what completes an argument: keys of a configuration, files, folders, or nothing of its own."""
    if action.dest == "overrides":
        action.complete = {"bash": _KEYS, "zsh": _KEYS}  # type: ignore[attr-defined]
    elif action.dest in _FOLDERS or action.dest in _FILES:
        action.complete = shtab.FILE  # type: ignore[attr-defined]


def _preamble(shell: str) -> str:
    """Return the function that completes keys of a configuration, in the language of a shell."""
    keys = [f"{key}=" for key in configuration_keys(Config)]
    if shell == "bash":
        return f'{_KEYS}() {{ compgen -W "{" ".join(keys)}" -- "$1"; }}'
    return f"{_KEYS}() {{ compadd -S '' -- {' '.join(keys)}; }}"


def configuration_keys(section: type[BaseModel], prefix: str = "") -> list[str]:
    """Return the dotted keys of a configuration, such as ``train.epochs``, in its order."""
    found: list[str] = []
    for name, field in section.model_fields.items():
        inner = _section_of(field.annotation)
        found += [f"{prefix}{name}"] if inner is None else configuration_keys(inner, f"{prefix}{name}.")
    return found


def _section_of(annotation: Any) -> type[BaseModel] | None:
    """Return the section that a field holds, also one that may be left out; None for a plain value."""
    for each in (annotation, *get_args(annotation)):
        if isinstance(each, type) and issubclass(each, BaseModel):
            return each
    return None
