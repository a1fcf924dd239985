"""``report``: one HTML file about a run, a comparison, a sweep, a choice or sequences of tasks, to open anywhere."""

from pathlib import Path

from ...common.errors import RunError
from ...common.storage.any_path import AnyPath, any_path, is_there, place_of, replacing
from ...runs.run_folder import RunFolder
from ...studies.choose.outcome import CHOICE_FILE, CHOSEN, Choice
from ...studies.incremental.outcome import OUTCOME_FILE, OUTCOMES_FILE, Outcome


def report(source: "str | AnyPath", out: "str | AnyPath | None" = None, *, data: str | Path | None = None) -> AnyPath:
    """Write the report of a run, a comparison, a sweep, a choice or a sequence of tasks and return its path.

    The page needs nothing from elsewhere, and the same source gives the same bytes.

    Args:
        source: a run folder, or the ``table.parquet`` of a comparison or a sweep, or the folder that holds it, or the
            folder of a choice, of a sequence of tasks or of a study of such.
        out: the file to write; None for ``report.html`` in the source's folder.
        data: where a run's data lies now, if it was moved.

    Raises:
        ConfigError: when the configuration of a run or a sweep is not one of this version.
        RunError: when the source is none of them, or cannot be read.
    """
    path = place_of(source)
    folder = path.parent if path.is_file() else path
    target = place_of(out) if out is not None else folder / "report.html"
    text = _page(path, folder, data, target)
    with replacing(target) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return target


def _page(path: AnyPath, folder: AnyPath, data: str | Path | None, target: AnyPath) -> str:
    if RunFolder(path).config.is_file():
        from .run_report import run_page
        from .run_source import RunSource

        return run_page(RunSource.open(path, data), target)
    if data is not None:
        raise RunError(f"--data says where a run's data lies now; {path} is no run folder")
    return _page_of_several(path, folder)


def _page_of_several(path: AnyPath, folder: AnyPath) -> str:
    """Return the page of what is made of several runs."""
    name = any_path(folder).name
    if (folder / "sweep.yaml").is_file():
        from .sweep_report import sweep_page
        from .sweep_source import SweepSource

        return sweep_page(SweepSource.open(folder))
    if (folder / CHOICE_FILE).is_file():
        from .choice_report import choice_page

        chosen = (folder / CHOSEN).read_text(encoding="utf-8")
        return choice_page(Choice.read(folder), name, chosen)
    if (folder / OUTCOME_FILE).is_file():
        from .incremental_report import incremental_page

        return incremental_page([Outcome.read(folder)], name)
    if (folder / OUTCOMES_FILE).is_file():
        from ...studies.incremental.study_table import OutcomeTable
        from .incremental_report import incremental_page

        table = OutcomeTable(folder)
        return incremental_page(table.outcomes(), name, table.reference(), replaced=table.replaced())
    if path.is_file() or (path / "table.parquet").is_file() or is_there(path / "parts"):
        from ...studies.compare.table import read_table
        from .comparison_report import comparison_page

        compared = read_table(path)
        if compared.empty:
            raise RunError(f"{path}: no run of the study that was compared here last has ended; d2ace compare goes on")
        return comparison_page(compared, name)
    raise RunError(
        f"{path}: nothing to report on; expected a run folder (it holds config.yaml), a comparison's table.parquet "
        "or its folder, the folder of a sweep (it holds sweep.yaml), of a choice (choice.json), or that of a sequence "
        "of tasks or of a study of sequences (outcome.json, outcomes.jsonl)"
    )
