"""What every section of a configuration is, and the kinds of values that sections share."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from ..errors import ConfigError
from ..storage.addresses import refuse_keys
from ..storage.local_paths import address_problem
from .yaml_file import explain_problems

PositiveInt = Annotated[int, Field(ge=1, lt=2**63)]
NonNegativeInt = Annotated[int, Field(ge=0, lt=2**63)]
"""What numbers of 64 bits hold."""
Folds = Annotated[int, Field(ge=2, le=10_000)]
"""Parts of a cross-validation; a study trains a run for each."""
Fraction = Annotated[float, Field(ge=0, lt=1)]


def _no_address(text: str) -> str:
    if problem := address_problem(text):
        raise ValueError(problem)
    return text


def _no_value_twice(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if twice := [value for number, value in enumerate(values) if value in values[:number]]:
        raise ValueError(f"names {twice[0]!r} twice")
    return values


Different = AfterValidator(_no_value_twice)
"""Of values that are gone through one by one: the same work twice is a mistake."""


LocalPath = Annotated[str, AfterValidator(_no_address)]
"""A path of a file system, no ``s3://`` address."""


def _without_keys(text: str) -> str:
    refuse_keys(text)
    return text


Place = Annotated[str, AfterValidator(_without_keys)]
"""A path of a file system or an address such as ``s3://bucket/x``, without keys."""


class Section(BaseModel):
    """Base of all sections: immutable, no unknown keys, all numbers finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)
    called: ClassVar[str] = "configuration"
    """What messages call it when no source is named."""

    @classmethod
    def make(cls, values: Mapping[str, Any], source: str | None = None) -> Self:
        """Validate nested plain values; every problem is listed in one ConfigError naming ``source``."""
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise ConfigError(f"{source or cls.called}: " + "; ".join(explain_problems(error, cls))) from None
