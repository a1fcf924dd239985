"""Plain values from YAML that somebody wrote: no objects, no key twice, and no more than it seems to hold."""

import os
from collections.abc import Hashable
from typing import Any

import yaml
from yaml.events import CollectionEndEvent, CollectionStartEvent, ScalarEvent

_DEEPEST, _MOST_VALUES = 50, 100_000
"""Bounds of settings. An alias (``*name``) repeats what it stands for: ten lines can mean more than a memory holds."""
_MERGE = "tag:yaml.org,2002:merge"
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml is ten times as fast


def parse_yaml(text: str) -> Any:
    """Return what YAML says, read by libyaml where it is there; its twin in Python words problems better.

    Raises:
        yaml.YAMLError: for what is no YAML, or has an object, or a key twice in one mapping, with its line.
        ValueError: for values that cannot be, such as a date of a 13th month, or beyond the bounds.
    """
    try:
        value = _loaded(text, _Loader)
    except yaml.YAMLError:
        value = _loaded(text, _SlowLoader)
    _count(value, {}, ())
    return value


def _loaded(text: str, loader: Any) -> Any:
    _check_events(text, loader)
    try:
        return yaml.load(text, Loader=loader)
    except TypeError as error:  # a list or a mapping as a key of a set
        raise ValueError(f"a key must be a plain value ({error})") from None


def _check_events(text: str, loader: Any) -> None:
    """Raise ValueError for deep nesting, which would take the loader's stack with it, and for what no path can have.

    These are null characters and halves of characters: what is done with them would end in an error that names no file.
    """
    depth = 0
    for event in yaml.parse(text, Loader=loader):
        if isinstance(event, ScalarEvent) and (what := _never_in_a_path(event.value)):
            raise ValueError(f"line {_line(event)}: {what}, which no setting can have")
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > _DEEPEST:
            raise ValueError(f"line {_line(event)}: more than {_DEEPEST} lists or mappings in each other")


def _never_in_a_path(text: str) -> str | None:
    if "\0" in text:
        return "a null character (\\0)"
    try:
        os.fsencode(text)  # takes the bytes of names that are no UTF-8, which Python writes as other halves
    except UnicodeEncodeError as error:
        return f"half of a character ({text[error.start]!r})"
    return None


def _line(event: yaml.Event) -> int | None:
    return event.start_mark.line + 1 if event.start_mark else None


def _count(value: Any, counted: dict[int, int], above: tuple[int, ...]) -> int:
    """Return how many values a value holds, aliases written out; raises ValueError for too many, or itself inside."""
    if not isinstance(value, dict | list | set | tuple):
        return 1
    if id(value) in above:
        raise ValueError("a list or mapping holds itself, by an alias")
    if id(value) not in counted:
        parts = [*value.keys(), *value.values()] if isinstance(value, dict) else list(value)
        counted[id(value)] = 1 + sum(_count(part, counted, (*above, id(value))) for part in parts)
    if counted[id(value)] > _MOST_VALUES:
        raise ValueError(f"more than {_MOST_VALUES:,} values, with its aliases written out")
    return counted[id(value)]


class _KeysOnce:
    """What a loader needs to refuse a key that stands twice: the first would be lost without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Return the mapping of a node."""
        places: dict[tuple[str, str], int] = {}
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if not isinstance(key, yaml.ScalarNode) or key.tag == _MERGE:
                continue
            if places.setdefault((key.tag, key.value), id(key)) != id(key):
                problem = f"the key {key.value[:60]!r} stands twice in one mapping"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
        mapping: dict[Hashable, Any] = super().construct_mapping(node, deep)  # type: ignore[misc]
        return mapping


class _Loader(_KeysOnce, _Base):
    """The fast loader."""


class _SlowLoader(_KeysOnce, yaml.SafeLoader):
    """Its twin in Python."""
