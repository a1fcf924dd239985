"""``report``: one HTML file about a run or a comparison, to be opened anywhere."""

from pathlib import Path

from ..errors import RunError
from ..files import replacing


def report(source: str | Path, out: str | Path | None = None) -> Path:
    """Write the report of a run or a comparison and return its path.

    The page needs nothing from elsewhere, and the same source gives the same bytes.

    Args:
        source: a run folder, a comparison's ``table.parquet``, or the folder that holds it.
        out: the file to write; None for ``report.html`` in the source's folder.

    Raises:
        ConfigError: when a run's configuration is not one of this version.
        RunError: when the source is neither, or cannot be read.
    """
    path = Path(source)
    folder = path.parent if path.is_file() else path
    target = Path(out) if out is not None else folder / "report.html"
    text = _page(path)
    with replacing(target) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return target


def _page(path: Path) -> str:
    if (path / "config.yaml").is_file():
        from .run_report import run_page
        from .run_source import RunSource

        return run_page(RunSource.open(path))
    if path.is_file() or (path / "table.parquet").is_file() or (path / "parts").is_dir():
        from ..compare.table import read_table
        from .comparison_report import comparison_page

        folder = path.resolve().parent if path.is_file() else path.resolve()
        return comparison_page(read_table(path), folder.name)
    raise RunError(
        f"{path}: nothing to report on; expected a run folder (it holds config.yaml), a comparison's table.parquet, "
        "or the folder of one"
    )
