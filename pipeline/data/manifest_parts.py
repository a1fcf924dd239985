"""The parts of a manifest: a shard, the file with its images, and how images decode."""

from dataclasses import dataclass

from ..common.errors import DataError


@dataclass(frozen=True)
class PackedFile:
    """The encoded images of a shard, back to back: the file's name in the folder, its bytes, its SHA-256."""

    file: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Shard:
    """One Parquet file of a prepared data set: its name in the folder, its rows, its SHA-256 in hexadecimal.

    For images it is the index into ``packed``; tables have no packed file.
    """

    file: str
    rows: int
    sha256: str
    packed: PackedFile | None = None

    @property
    def checksums(self) -> list[tuple[str, str]]:
        """Name and SHA-256 of each of its files."""
        files = [(self.file, self.sha256)]
        return files if self.packed is None else [*files, (self.packed.file, self.packed.sha256)]


@dataclass(frozen=True)
class ImageHint:
    """How encoded images decode: ``mode`` "L" (grey) or "RGB"; sizes in pixels, None where they vary."""

    mode: str
    height: int | None = None
    width: int | None = None

    def __post_init__(self) -> None:
        if self.mode not in ("L", "RGB"):
            raise DataError(f"image mode must be 'L' or 'RGB', got {self.mode!r}")
        if (self.height is None) != (self.width is None):
            raise DataError("image height and width go together: give both or neither")

    @property
    def channels(self) -> int:
        """Colour channels of a decoded image: 1 or 3."""
        return 1 if self.mode == "L" else 3
