"""The ``images`` section of a run's configuration."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from .section import Fraction, NonNegativeInt, PositiveInt, Section

NonNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(gt=0, le=1)]
Range = tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]]


class ImagesSection(Section):
    """How images become a network's inputs; without images nothing may be set here.

    ``size``: height and width in pixels (one number: square); None takes the common size that the data has.
    ``fit``: ``crop`` cuts out the largest middle part of the size's shape, ``stretch`` changes the shape.
    ``centre_share``: how much of that middle part's sides is kept (0.875 is the usual "256, then crop 224").
    ``random_crop_scale``: in training, cut out a random part whose share of the area lies in this range; None: do not.
    ``random_crop_ratio``: the range of its width over its height.
    ``flip``: probability that a drawn image is mirrored left to right.
    ``brightness``, ``contrast``, ``saturation``: each factor is uniform in [1 - x, 1 + x], not below 0.
    ``hue``: colours turn by up to this share of the colour circle, either way.
    ``randaugment``: so many random operations on colours, of ``randaugment_magnitude`` (0 to 30), after these.
    ``cutout``: a square with this share of the shorter side becomes 0 after scaling.
    ``scaled_decoding``: let JPEG decode to 1/2, 1/4 or 1/8 where that still is no smaller than what is wanted.
    ``threads``: that decode, in each worker; None takes run.cpus_per_worker, else an equal part of the machine's CPUs.
    ``statistics_rows``: most training rows that ``data.scale`` is fitted on.
    """

    size: tuple[PositiveInt, PositiveInt] | None = None
    fit: Literal["crop", "stretch"] = "crop"
    centre_share: Share = 1.0
    random_crop_scale: Range | None = None
    random_crop_ratio: Range = (3 / 4, 4 / 3)
    flip: Annotated[float, Field(ge=0, le=1)] = 0.0
    brightness: NonNegative = 0.0
    contrast: NonNegative = 0.0
    saturation: NonNegative = 0.0
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    randaugment: NonNegativeInt = 0
    randaugment_magnitude: Annotated[int, Field(ge=0, le=30)] = 9
    cutout: Fraction = 0.0
    scaled_decoding: bool = True
    threads: PositiveInt | None = None
    statistics_rows: PositiveInt = 4096

    @field_validator("size", mode="before")
    @classmethod
    def _square(cls, value: object) -> object:
        return (value, value) if isinstance(value, int) else value

    @field_validator("random_crop_scale", "random_crop_ratio")
    @classmethod
    def _ordered(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and value[0] > value[1]:
            raise ValueError("expected the lower end first, [low, high]")
        return value

    @field_validator("random_crop_scale")
    @classmethod
    def _parts(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and value[1] > 1:
            raise ValueError("a part of an image cannot be larger than the image: expected at most 1")
        return value

    @property
    def recolours(self) -> bool:
        """Whether brightness, contrast, saturation or hue change in training."""
        return bool(self.brightness or self.contrast or self.saturation or self.hue)

    def changed(self) -> list[str]:
        """Return the keys whose values are not the defaults."""
        defaults = ImagesSection()
        return [name for name in ImagesSection.model_fields if getattr(self, name) != getattr(defaults, name)]
