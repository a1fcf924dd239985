"""What is compared: the typed description of a study, and the runs that it consists of."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, reduce
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ...common.config.config import Config
from ...common.config.paths import absolute_model_paths, absolute_paths, absolute_selector_paths
from ...common.config.section import Different, Folds, NonNegativeInt, PositiveInt
from ...common.config.sections import ModelSection
from ...common.config.selector_section import SelectorSection
from ...common.config.yaml_file import merged, read_settings
from ..named_study import NamedStudy
from ..origin import named_contents, package_version, versions
from .sections import Arm, StudyData, StudyNetwork, StudyRival
from .study_checks import require_known_arms, require_open, require_own_seeds
from .tuning_grid import NOTHING, Chosen, Settings, StudyTuning, settings_at

_SCHEMA = 3  # raise it when the same configuration would give other numbers, also because a default changed
_DECIDING = ("data", "images", "model", "selector", "optimizer", "train", "run")

Protocol = Literal["clean", "papers"]


class Study(NamedStudy):
    """Methods x networks x data sets x folds x seeds.

    ``reference`` names the method that the others are compared with. ``rivals`` are plain models beside every network,
    on the same folds and seeds. ``config`` holds settings of all runs, without what the study decides; those of
    a data set come over it, those of a network over these. ``folds`` cross-validates; without it the data's own split
    is used. Every seed makes folds of its own.

    ``protocol``: ``clean`` shuffles permutations, fits the scaler on training rows and tests the best epoch's
    weights. ``papers`` does what the released programs do: file order in permutation epochs, the scaler fitted on
    all rows, and the last epoch tested.

    ``tuning``: choose settings of every arm on validation rows before the study's own runs (``tuning.py``).
    ``unequal``: ``allowed`` takes methods that leave out rows too, whose runs have fewer steps than the others'.
    """

    called: ClassVar[str] = "study"
    data: Annotated[dict[str, StudyData], Field(min_length=1)]
    networks: Annotated[dict[str, StudyNetwork], Field(min_length=1)]
    methods: Annotated[dict[str, SelectorSection], Field(min_length=1)]
    rivals: dict[str, StudyRival] = Field(default_factory=dict)
    reference: str = "uniform"
    folds: Folds | None = 5
    seeds: Annotated[tuple[NonNegativeInt, ...], Field(min_length=1), Different] = (0,)
    protocol: Protocol = "clean"
    tuning: StudyTuning | None = None
    unequal: Literal["refused", "allowed"] = "refused"
    config: dict[str, Any] = Field(default_factory=dict)
    threads: PositiveInt = 1
    gpus_per_run: Annotated[float, Field(ge=0)] = 0.0

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        require_known_arms(self.methods, self.rivals, self.reference)
        parts = {"config": self.config} | {f"data.{name}.config": part.config for name, part in self.data.items()}
        require_open(parts | {f"networks.{name}.config": part.config for name, part in self.networks.items()})
        require_own_seeds(self.seeds, self.tuning)
        return self

    @classmethod
    def load(cls, path: str | Path) -> "Study":
        """Read a YAML file; relative paths are relative to it."""
        study = cls.make(read_settings(path, "keys such as 'data:' and 'methods:'"), str(path))
        study = study._with_absolute_paths(Path(path).resolve().parent)
        study._file = str(path)
        return study

    def _with_absolute_paths(self, folder: Path) -> "Study":
        parts: dict[str, Any] = self.model_dump(include={"config", "data", "networks", "methods"})
        data = {
            name: entry
            | absolute_paths({"data": {"path": entry["path"]}}, folder)["data"]
            | {"config": absolute_paths(entry["config"], folder)}
            for name, entry in parts["data"].items()
        }
        networks = {
            name: absolute_model_paths(entry, folder) | {"config": absolute_paths(entry["config"], folder)}
            for name, entry in parts["networks"].items()
        }
        methods = {name: absolute_selector_paths(entry, folder) for name, entry in parts["methods"].items()}
        changed = {
            "config": absolute_paths(parts["config"], folder),
            "data": data,
            "networks": networks,
            "methods": methods,
        }
        return self.make({**self.model_dump(), **changed})

    def arms(self) -> list[str]:
        """Return the names of methods and rivals, the reference first."""
        return [*sorted(self.methods, key=lambda name: name != self.reference), *self.rivals]

    def runs(self, tuned: Mapping[Arm, Chosen] | None = None) -> Iterator["StudyRun"]:
        """Yield every run of the study, the reference first within each fold.

        Args:
            tuned: by arm, what tuning chose; arms that are not in it have no runs. None: the study's own
                settings for all.

        Raises:
            ConfigError: when a configuration is not valid; it names data set, network and method.
            DataError: when a prepared data set cannot be used; it names the study and the data set.
        """
        folds = [None] if self.folds is None else range(self.folds)
        for data in self.data:
            fingerprint = self._load_manifest(data, self.data[data].path).fingerprint()
            for seed in self.seeds:
                for fold in folds:
                    for network in self.networks:
                        for method in self.arms():
                            arm = Arm(data, network, method)
                            if tuned is None:
                                yield self.run_of(arm, fold, seed, fingerprint)
                            elif arm in tuned:
                                chosen = tuned[arm]
                                yield self.run_of(arm, fold, seed, fingerprint, chosen.settings, chosen.as_json())

    def run_of(
        self,
        arm: Arm,
        fold: int | None,
        seed: int,
        fingerprint: str,
        settings: Settings = NOTHING,
        tuned: str | None = None,
    ) -> "StudyRun":
        """Return one run of an arm.

        Args:
            arm: data set, network and method.
            fold: which one tests; None for the data's own split.
            seed: of everything random.
            fingerprint: of the prepared data.
            settings: over those of the study, by their dotted keys; of a rival its options.
            tuned: what the table says of them, JSON.
        """
        rival = self.rivals.get(arm.method)
        if rival is not None:
            rival = rival.model_copy(update={"options": {**rival.options, **settings}})
            config = self._config(arm.data, arm.network, self.reference, fold, seed, NOTHING)
        else:
            config = self._config(*arm, fold, seed, settings)
        return StudyRun(self, *arm, fold or 0, seed, config, fingerprint, tuned, rival)

    def settings_of(self, data: str, network: str) -> dict[str, Any]:
        """Return what the configurations of the study, a data set and a network say together."""
        values: dict[str, Any] = {"train": {"reduction": "ddp"}}  # one process: nothing to add exactly
        for part in (self.config, self.data[data].config, self.networks[network].config):
            values = merged(values, part)
        return values

    def _config(self, data: str, network: str, method: str, fold: int | None, seed: int, settings: Settings) -> Config:
        values = self.settings_of(data, network)
        chosen = self.networks[network]
        own: dict[str, Any] = {
            "data": {"path": self.data[data].path, "fold": fold, "folds": self.folds},
            "model": chosen.model_dump(include=set(ModelSection.model_fields)),
            "selector": self.methods[method].model_dump(),
            "run": {"seed": seed, "threads": self.threads, "gpu": self.gpus_per_run > 0},
        }
        values = merged(merged(values, own), settings_at(settings))
        return Config.make(values, f"{self.source}: {data} x {network} x {method}")


@dataclass(frozen=True)
class StudyRun:
    """One run of a study.

    Attributes:
        study: the study it belongs to.
        data: name of the data set within the study.
        network: name of the network.
        method: name of the method, or of the rival.
        fold: which fold tests, 0 without cross-validation.
        seed: of everything random.
        config: complete configuration.
        fingerprint: of the prepared data.
        tuned: settings that are tried by this run, or ``Chosen`` ones with what is known of them, as JSON; or None.
        rival: what is fitted in place of the network; of the configuration only the data and the seed count then.
    """

    study: Study
    data: str
    network: str
    method: str
    fold: int
    seed: int
    config: Config
    fingerprint: str
    tuned: str | None = None
    rival: StudyRival | None = None

    @property
    def known(self) -> str | None:
        """What is known to be reached on the data set, by metric, and "from" where, as JSON; or None."""
        data = self.study.data[self.data]
        return json.dumps({**data.known, "from": data.known_from}) if data.known else None

    @cached_property
    def key(self) -> str:
        """Hash of all that decides the numbers: equal keys, equal results.

        Settings at their defaults do not count, nor do paths: of the data and of named files the content counts.
        """
        config = self.config.model_dump(mode="json", exclude_defaults=True)
        deciding = {name: config.get(name, {}) for name in _DECIDING}
        deciding["data"].pop("path")
        deciding["run"] = {name: deciding["run"].get(name) for name in ("seed", "threads", "gpu")}
        deciding["selector"].pop("preset", None)
        deciding["selector"]["options"] = self.config.selector.settings
        if self.rival is not None:
            rival = self.rival.model_dump(mode="json") | {"version": package_version("scikit-learn")}
            deciding = {name: deciding[name] for name in ("data", "run")} | {"rival": rival}
        named = named_contents(self.config) if self.rival is None else {}
        for key in named:
            *parents, last = key.split(".")
            reduce(dict.__getitem__, parents, deciding).pop(last)
        text = json.dumps([_SCHEMA, self.study.protocol, self.fingerprint, deciding, named, versions()], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:24]
