"""The methods that a choice is between, each uniform until the arms part.

W epochs of the shared part.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ....selectors import api as selectors
from ...common.config.config import Config
from ...common.config.overrides import apply_overrides
from ...common.config.selector_section import PRESETS, SelectorSection
from ...common.errors import ConfigError, did_you_mean

UNIFORM = "uniform"
DEFAULTS = (
    "d2ace",
    "repeat-factor",
    "class-feedback",
    "deferred-mixture",
    "hard-imbalance",
    "d2ace:pressure=64,draws=systematic",
    "uncertainty",
)
"""Candidates in the order in which they take part: one of each kind first, then what differs less [own]."""
_BEGINS = ("warmup", "uniform")
"""Settings that say how long a method is uniform at the start, by any of which it waits for the shared part."""
_WITH_SETTINGS = re.compile(r"(.+?):([^:=]*=.*)", re.DOTALL)
"""A method and its settings: what is before the first ``=`` tells the colon from that of ``package.module:Class``."""
_SIGNS = re.compile(r"""(?<=[=\[{,:\s])(?:"(?:\\.|[^"\\])*"|'(?:''|[^'])*')|[\[\]{},]""")
"""What decides whether a comma separates settings: brackets, braces, commas, and whole values in quotes as of YAML."""


@dataclass(frozen=True)
class Candidate:
    """A method with its settings.

    Attributes:
        name: as given.
        method: of the registry.
        options: its settings, without when it begins.
        preset: where settings are from that are not given.
    """

    name: str
    method: str
    options: dict[str, Any]
    preset: str = PRESETS[0]

    @classmethod
    def of(cls, text: str) -> "Candidate":
        """Read ``NAME`` or ``NAME:key=value,key=value``; a place such as ``package.module:Class`` is a name, too.

        Values are YAML, such as ``[1, 2]``; commas within brackets, braces and quotes are theirs. ``preset`` among
        the keys names where settings that are not given are from.

        Raises:
            ConfigError, SelectionError: (with "did you mean") for names and settings that there are not.
        """
        found = _WITH_SETTINGS.fullmatch(text)
        method, given = found.groups() if found else (text, "")
        plain, colon, _ = method.partition(":")
        if colon and plain in selectors.REGISTRY.names():
            raise ConfigError(f"candidate {text!r}: after {plain}: expected settings, KEY=VALUE,...")
        options = apply_overrides({}, [part for part in _settings(given) if part])
        preset = options.pop("preset", PRESETS[0])
        if preset not in PRESETS:
            raise ConfigError(f"candidate {text!r}: no preset is called {preset!r}{did_you_mean(str(preset), PRESETS)}")
        selectors.REGISTRY.check_settings(method, options, selectors.options(method))
        if clash := [name for name in _BEGINS if name in options]:
            raise ConfigError(f"candidate {text!r}: {clash[0]} is when the arms part, which the choice decides itself")
        if method == UNIFORM:
            raise ConfigError("uniform takes part anyway: candidates are what it is compared with")
        return cls(text, method, options, preset)

    @classmethod
    def configured(cls, section: SelectorSection) -> "Candidate":
        """Return the method of a configuration with its settings; its name says so where they are not the defaults."""
        options = {name: value for name, value in section.options.items() if name not in _BEGINS}
        plain = cls.of(section.name)
        own = cls(f"{section.name}, as configured", section.name, options, section.preset)
        return plain if plain.does_as(own) else own

    @property
    def _settings(self) -> dict[str, Any]:
        """All settings, without when the method begins."""
        defaults = {name: parameter.default for name, parameter in selectors.options(self.method).items()}
        settings = defaults | selectors.settings(self.method, self.preset, self.options)
        return {name: value for name, value in settings.items() if name not in _BEGINS}

    def does_as(self, other: "Candidate") -> bool:
        """Return whether both are the same method with the same settings."""
        return self.method == other.method and self._settings == other._settings

    def config(self, base: Config, shared: int) -> Config:
        """Return the configuration of a run that is uniform for ``shared`` epochs, then goes on with the method."""
        known = selectors.options(self.method)
        begins = next(({name: shared} for name in _BEGINS if name in known), {})
        own = {"name": self.method, "preset": self.preset, "options": {**self.options, **begins}}
        section = base.selector.model_copy(update=own)
        return base.model_copy(update={"selector": section})


def _settings(text: str) -> Iterator[str]:
    """Yield the parts of a text between commas outside brackets, braces and quotes."""
    begun, depth = 0, 0
    for found in _SIGNS.finditer(text):
        depth += (found[0] in ("[", "{")) - (found[0] in ("]", "}"))
        if found[0] == "," and depth == 0:
            yield text[begun : found.start()]
            begun = found.end()
    yield text[begun:]


def candidates_of(names: Sequence[str], base: Config) -> list[Candidate]:
    """Return the candidates by their names; without any, the configuration's own method and the defaults.

    Raises:
        ConfigError: for a name twice, a method that may take fewer steps than uniform, or as ``Candidate.of``.
    """
    found = [Candidate.of(name) for name in names or DEFAULTS]
    for number, each in enumerate(found):
        if any(each.does_as(other) for other in found[:number]):
            raise ConfigError(f"a candidate is named twice: {each.name}")
    if not names and base.selector.name != UNIFORM:
        own = Candidate.configured(base.selector)
        found = [own, *(each for each in found if not each.does_as(own))]
    for each in found:
        if selectors.get(each.method).leaves_out_rows:
            raise ConfigError(
                f"candidate {each.name!r} may draw fewer rows in an epoch than uniform and take fewer steps; a choice "
                "is between methods at equal steps. Name others by --method; d2ace compare takes it with "
                "'unequal: allowed'"
            )
    return found


def uniform_config(base: Config) -> Config:
    """Return the configuration with uniform batches."""
    return base.model_copy(update={"selector": base.selector.model_copy(update={"name": UNIFORM, "options": {}})})
