"""What is compared: sequences of tasks that differ in data, protocol, method, class order and seed."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ....selectors.common.randomness import generator
from ...common.config.section import Different, NonNegativeInt, PositiveInt, Section
from ...common.config.yaml_file import merged, read_settings
from ...common.errors import ConfigError, did_you_mean
from ..named_study import NamedStudy
from ..origin import versions
from .methods.api import create
from .outcome import Outcome
from .sequence import TaskSequence, absolute_parts

_SCHEMA = 1  # raise it when the same sequence would give other numbers
Order = Literal["alphabetical"] | NonNegativeInt
_OWN = ("name", "protocol", "class_order", "seed")


class StudyData(Section):
    """A data set: the protocols it is cut by, and what its sequences share, as keys of a sequence."""

    protocols: Annotated[tuple[str, ...], Field(min_length=1), Different]
    sequence: dict[str, Any]


class SequenceStudy(NamedStudy):
    """Data sets x protocols x methods x class orders x seeds.

    ``data``: by name, protocols and ``sequence``, which holds keys of a sequence such as ``data: {path: ...}``.
    ``methods``: by name, keys of a sequence such as ``method: {name: er}``, which come over those of the data.
    ``sequence``: keys of all sequences, under both. Memory and relabelling are left out for methods that take none,
    unless the method itself gives them.
    ``orders``: ``alphabetical``, or a number that a random order of the classes is drawn from, whatever the seed.
    ``reference``: the method that the others are compared with.
    """

    called: ClassVar[str] = "study"
    data: Annotated[dict[str, StudyData], Field(min_length=1)]
    methods: Annotated[dict[str, dict[str, Any]], Field(min_length=1)]
    reference: str
    orders: Annotated[tuple[Order, ...], Field(min_length=1), Different] = ("alphabetical",)
    seeds: Annotated[tuple[NonNegativeInt, ...], Field(min_length=1), Different] = (0,)
    sequence: dict[str, Any] = Field(default_factory=dict)
    threads: PositiveInt = 1

    @model_validator(mode="after")
    def _decides_what_sequences_leave_open(self) -> Self:
        if self.reference not in self.methods:
            hint = did_you_mean(self.reference, self.methods)
            raise ValueError(f"the reference {self.reference!r} is not one of the methods{hint}")
        parts = {"sequence": self.sequence}
        parts |= {f"data.{name}.sequence": part.sequence for name, part in self.data.items()}
        parts |= {f"methods.{name}": part for name, part in self.methods.items()}
        for place, part in parts.items():
            for key in _OWN:
                if key in part:
                    raise ValueError(f"{place}.{key} is decided by the study: leave it out")
        return self

    @classmethod
    def load(cls, path: str | Path) -> "SequenceStudy":
        """Read a YAML file; relative paths are relative to it.

        Raises:
            ConfigError: with the file, listing everything that is wrong.
        """
        return cls.of_file(read_settings(path, "keys such as 'data:' and 'methods:'"), path)

    @classmethod
    def of_file(cls, values: Mapping[str, Any], path: str | Path) -> "SequenceStudy":
        """Return the study that a file's keys describe; relative paths are relative to the file.

        Raises:
            ConfigError: with the file, listing everything that is wrong.
        """
        given, folder = cls.make(values, str(path)).model_dump(), Path(path).resolve().parent
        for part in given["data"].values():
            part["sequence"] = absolute_parts(part["sequence"], folder)
        given["methods"] = {name: absolute_parts(part, folder) for name, part in given["methods"].items()}
        study = cls.make(given | {"sequence": absolute_parts(given["sequence"], folder)}, str(path))
        study._file = str(path)
        return study

    def kinds(self) -> Iterator[TaskSequence]:
        """Yield a sequence of each data set, protocol and method, whatever orders and seeds; no data is looked at.

        Raises:
            ConfigError: when a sequence is not valid; it names data set and method.
        """
        for data, part in self.data.items():
            for protocol, method in product(part.protocols, self.methods):
                yield self._sequence(data, method, {"protocol": protocol})

    def members(self) -> Iterator["Member"]:
        """Yield every sequence; what comes first can be compared first: methods change fastest, seeds slowest.

        Raises:
            ConfigError: when a sequence is not valid; it names data set and method.
            DataError: when a prepared data set cannot be used.
        """
        manifests = {name: self._load_manifest(name, self.data_path(name)) for name in self.data}
        methods = sorted(self.methods, key=lambda name: name != self.reference)
        for seed in self.seeds:
            for order in self.orders:
                for data, part in self.data.items():
                    classes = ordered(manifests[data].labels, order)
                    for protocol in part.protocols:
                        for method in methods:
                            own = {"protocol": protocol, "class_order": classes, "seed": seed}
                            sequence = self._sequence(data, method, own)
                            yield Member(data, method, str(order), sequence, manifests[data].fingerprint())

    def data_path(self, name: str) -> str:
        """Return where the prepared data set of that name lies; raises ConfigError when the study does not say."""
        section = merged(self.sequence, self.data[name].sequence).get("data")
        path = section.get("path") if isinstance(section, Mapping) else None
        if not isinstance(path, str):
            raise ConfigError(f"{self.source}: data.{name}.sequence: expected data: {{path: ...}}, got {section!r}")
        return path

    def _sequence(self, data: str, method: str, own: Mapping[str, Any]) -> TaskSequence:
        shared = merged(self.sequence, self.data[data].sequence)
        try:
            values = merged(_taken_by(self.methods[method], shared), self.methods[method])
            return TaskSequence.make({**values, **own, "name": method})
        except ConfigError as error:
            raise ConfigError(f"{self.source}: {data} x {method}: {error}") from None


def _taken_by(method: Mapping[str, Any], shared: dict[str, Any]) -> dict[str, Any]:
    """Return what data sets and study say, without memory and relabelling for a method that takes none."""
    section = merged(shared, method).get("method")
    if not isinstance(section, Mapping) or not isinstance(section.get("name"), str):
        return shared  # making the sequence will say so
    made = create(section["name"], section.get("options", {}))
    refused = {"memory": made.replay == "never", "relabelling": not made.predicts_labels}
    return {key: value for key, value in shared.items() if not refused.get(key)}


def ordered(labels: Sequence[str], order: str | int) -> str | tuple[str, ...]:
    """Return a ``class_order``: "alphabetical", or all labels in a random order that a number decides."""
    if not isinstance(order, int):
        return order
    return tuple(labels[place] for place in generator(order, "class order of a study").permutation(len(labels)))


@dataclass(frozen=True)
class Member:
    """One sequence of a study.

    Attributes:
        data: name of the data set within the study.
        method: name of the method within the study.
        order: of the classes, as the study calls it.
        sequence: its complete description.
        fingerprint: of the prepared data.
    """

    data: str
    method: str
    order: str
    sequence: TaskSequence
    fingerprint: str

    @cached_property
    def key(self) -> str:
        """Hash of all that decides the numbers: equal keys, equal results. Names and paths do not count."""
        deciding = self.sequence.model_dump(mode="json", exclude_defaults=True, exclude={"name"})
        deciding["data"].pop("path")
        text = json.dumps([_SCHEMA, self.fingerprint, deciding, versions()], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:24]

    @property
    def told(self) -> str:
        """The member in a line."""
        sequence = self.sequence
        return f"{self.data} {sequence.protocol} x {self.method}, classes {self.order}, seed {sequence.seed}"

    def named(self, outcome: Outcome) -> Outcome:
        """Return an outcome by the names of the study."""
        return replace(outcome, name=self.method, data=self.data, order=self.order)
