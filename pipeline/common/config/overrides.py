"""Settings from the command line: ``section.key=value`` strings, read by the type that the key is declared with."""

import types
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel

from ..errors import ConfigError
from .yaml_text import parse_yaml

_NOTHING = ("", "null", "~")
"""How YAML spells None."""


def apply_overrides(
    values: Mapping[str, Any], overrides: Sequence[str], model: type[BaseModel] | None = None
) -> dict[str, Any]:
    """Return ``values`` with each ``a.b.c=value`` set.

    Args:
        values: nested sections; they stay as they are.
        overrides: the value of a key that ``model`` declares as text stays text, so that names such as ``007``,
            ``no`` or ``2026-11-28`` are no numbers, truth values or dates; every other value is read as YAML (1e-3 is a
            number, too).
        model: declares the types; None reads everything as YAML.

    Raises:
        ConfigError: when an override has no ``=``, is not valid YAML, or goes through something that is not a section.
    """
    result: dict[str, Any] = _copy(values)
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not key:
            raise ConfigError(f"override {override!r}: expected section.key=value, for example train.epochs=20")
        *parents, last = key.split(".")
        node = result
        for parent in parents:
            if node.get(parent) is None:  # a section that is not there, or is left out by default
                node[parent] = {}
            child = node[parent]
            if not isinstance(child, dict):
                raise ConfigError(f"override {override!r}: {parent!r} is a value, not a section")
            node = child
        node[last] = _read(text, _declared(model, [*parents, last]), override)
    return result


def _read(text: str, declared: Any, override: str) -> Any:
    """Return the value of an override whose key is declared with a type (None: not declared)."""
    kinds = _alternatives(declared)
    if str in kinds:
        return None if type(None) in kinds and text in _NOTHING else text
    try:
        value = parse_yaml(text) if text else ""
    except (yaml.YAMLError, ValueError) as error:  # a date such as 2026-13-45 is a ValueError
        problem = getattr(error, "problem", None) or error
        raise ConfigError(
            f"override {override!r}: the value is not valid YAML: {problem}; "
            "close its brackets and quotes, and write text with special signs in quotes"
        ) from None
    if isinstance(value, str):  # YAML 1.1 reads 1e-3 as a string
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _declared(model: Any, keys: Sequence[str]) -> Any:
    """Return the annotation of the key that these parts lead to, or None where none is declared."""
    for key in keys:
        sections = [kind for kind in _alternatives(model) if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if sections:
            field = sections[0].model_fields.get(key)
            model = field.annotation if field else None
        elif get_origin(model) is dict:
            model = get_args(model)[1]
        else:
            return None
    return model


def _alternatives(declared: Any) -> set[Any]:
    """Return the plain types that an annotation allows; a choice between words counts as text."""
    origin = get_origin(declared)
    if origin in (Union, types.UnionType):
        return {kind for part in get_args(declared) for kind in _alternatives(part)}
    if origin is Annotated:
        return _alternatives(get_args(declared)[0])
    if origin is Literal:
        return {type(word) for word in get_args(declared)}
    return {declared}


def _copy(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _copy(value) if isinstance(value, Mapping) else value for key, value in values.items()}
