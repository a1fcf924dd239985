"""The complete, typed configuration of a run: what ``config.yaml`` in a run folder holds.

Every section refuses unknown keys (with "did you mean") and values out of range when it is made.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, model_validator

from ..storage.any_path import AnyPath
from .images import ImagesSection
from .overrides import apply_overrides
from .paths import absolute_paths
from .section import Section
from .sections import DataSection, ModelSection, OptimizerSection, RunSection, TrainSection
from .selector_section import SelectorSection
from .yaml_file import merged, read_settings


class Config(Section):
    """A whole run. ``Config.load`` reads YAML, ``with_overrides`` applies ``section.key=value`` strings."""

    data: DataSection
    images: ImagesSection = Field(default_factory=ImagesSection)
    model: ModelSection = Field(default_factory=ModelSection)
    selector: SelectorSection = Field(default_factory=SelectorSection)
    optimizer: OptimizerSection = Field(default_factory=OptimizerSection)
    train: TrainSection = Field(default_factory=TrainSection)
    run: RunSection = Field(default_factory=RunSection)

    @model_validator(mode="after")
    def _fits_together(self) -> "Config":
        self.selector.require_known()
        if self.run.workers > self.train.micro_batches:
            raise ValueError(
                f"run.workers={self.run.workers} needs train.micro_batches of at least as many, "
                f"got {self.train.micro_batches}: each worker computes whole micro-batches"
            )
        if self.train.micro_batches > self.train.batch_size:
            raise ValueError(
                f"train.micro_batches={self.train.micro_batches} is more than "
                f"train.batch_size={self.train.batch_size}: a micro-batch needs a row"
            )
        if self.train.precision == "fp16" and not self.run.gpu:
            raise ValueError("train.precision='fp16' needs run.gpu=true; on CPU use bf16 or fp32")
        return self

    @classmethod
    def load(
        cls, path: "str | AnyPath", overrides: Sequence[str] = (), *, absent: Mapping[str, Any] | None = None
    ) -> "Config":
        """Read a YAML file and apply overrides; raises ConfigError with the file (and line, for bad YAML).

        Relative paths in the file are relative to it, those in overrides to the working folder. ``absent`` has values
        for keys that the file does not have.
        """
        values = merged(absent or {}, read_settings(path, "sections such as 'data:' and 'train:'"))
        if isinstance(path, str | Path):  # in a bucket lies only what a run wrote, with absolute paths
            values = absolute_paths(values, Path(path).resolve().parent)
        return cls.make(apply_overrides(values, overrides, cls), str(path))

    def with_absolute_paths(self) -> "Config":
        """Return a copy with absolute paths; relative ones are relative to the working folder."""
        return self.make(absolute_paths(self.model_dump(), Path.cwd()), "configuration")

    def save(self, path: str | Path) -> None:
        """Write the complete configuration, defaults included, as YAML."""
        Path(path).write_text(yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False))

    def with_overrides(self, overrides: Sequence[str]) -> "Config":
        """Return a copy with ``section.key=value`` strings applied and everything validated again."""
        return self.make(apply_overrides(self.model_dump(), overrides, type(self)), "overrides")
