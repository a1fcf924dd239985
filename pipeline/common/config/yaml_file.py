"""Settings from YAML files, and validation problems in words."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from ..errors import ConfigError, did_you_mean
from ..storage.addresses import redacted
from ..storage.any_path import AnyPath
from ..storage.local_paths import local_path
from .yaml_text import parse_yaml

_MOST_BYTES = 4 << 20


def read_settings(path: "str | AnyPath", expected: str) -> dict[str, Any]:
    """Return the mapping that a YAML file holds.

    Args:
        path: the file; of an address only its location.
        expected: what it should hold, for the message.

    Raises:
        ConfigError: with the file, and the line for bad YAML; for an address, which shows no keys.
    """
    try:
        content = _content(path)
        if len(content) > _MOST_BYTES:
            raise ConfigError(f"{path}: has more than {_MOST_BYTES >> 20} MiB, too many for settings")
        values = parse_yaml(content.decode("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        number, byte = error.object[: error.start].count(b"\n") + 1, error.object[error.start]
        raise ConfigError(f"{path}:{number}: not UTF-8 (byte 0x{byte:02x}); save the file in UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise ConfigError(f"{path}{line}: not valid YAML: {getattr(error, 'problem', error)}") from None
    except ValueError as error:
        raise error if isinstance(error, ConfigError) else ConfigError(f"{path}: not valid YAML: {error}") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: expected {expected}, got {repr(values)[:200]}")
    if odd := [key for key in values if not isinstance(key, str)]:
        raise ConfigError(f"{path}: the key {odd[0]!r} is no text; write it in quotes")
    return values


def _content(path: "str | AnyPath") -> bytes:
    if isinstance(path, str | Path):
        with local_path(path, "settings").open("rb") as file:
            return file.read(_MOST_BYTES + 1)
    return path.read()


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with the values of ``over`` put in, section by section."""
    result = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merged(result[key], value) if both else value
    return result


_MESSAGES = {
    "tuple_type": "expected a list",
    "list_type": "expected a list",
    "dict_type": "expected keys and values",
    "model_type": "expected keys and values",
    "too_short": "expected at least one",
}
"""In place of what is said in words of Python."""


def explain_problems(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """Word each problem of validating ``model`` as what was got, what was expected and, for a typo, did you mean."""
    lines, problems = [], error.errors()
    for problem in problems:
        if problem["type"] == "too_short" and any(_is_within(other["loc"], problem["loc"]) for other in problems):
            continue  # values that are wrong themselves are not counted
        location = [str(part) for part in problem["loc"]]
        where = ".".join(location)
        if problem["type"] == "extra_forbidden":
            known = _fields_at(model, location[:-1])
            lines.append(f"unknown key {where!r}{did_you_mean(location[-1], known)}")
        elif problem["type"] == "missing":
            lines.append(f"{where}: is required and missing")
        else:
            message = _MESSAGES.get(problem["type"], problem["msg"].removeprefix("Value error, "))
            got = "" if isinstance(problem["input"], dict | BaseModel) else f" (got {redacted(repr(problem['input']))})"
            if isinstance(problem["input"], dict) and problem["type"] in _MESSAGES:
                got = " (got keys and values)"
            if problem["type"] == "string_type" and not isinstance(problem["input"], dict | list | BaseModel):
                got += "; write it in quotes"
            lines.append(f"{where}: {message}{got}" if where else f"{message}{got}")
    return lines


def _is_within(inner: Sequence[int | str], outer: Sequence[int | str]) -> bool:
    return len(inner) > len(outer) and tuple(inner[: len(outer)]) == tuple(outer)


def _fields_at(model: type[BaseModel], location: Sequence[str]) -> list[str]:
    """Return the fields of the section at ``location``; a key of a mapping of sections leads to its section."""
    for part in location:
        field = model.model_fields.get(part)
        if field is None:  # a key of the mapping that the part before named
            continue
        inner = [kind for kind in (field.annotation, *get_args(field.annotation)) if isinstance(kind, type)]
        sections = [kind for kind in inner if issubclass(kind, BaseModel)]
        if not sections:
            return []
        model = sections[0]
    return list(model.model_fields)
