"""Studies that are trained over several evenings: what is missing of each, and what is kept of those that are whole."""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from _common import commit, left_out, machine
from _proof_page import kept_runs, load
from _proof_studies import DATA

from d2ace.pipeline.studies.compare import Study, compare


@dataclass(frozen=True)
class KeptStudies:
    """A study for each of several names, such as data sets.

    Attributes:
        kept: the file with the runs of complete studies.
        page: the page that shows it.
        write: makes the page's text from what is kept.
        study: makes the study of a name, given a folder for its data.
        names: in the order in which they are trained.
    """

    kept: Path
    page: Path
    write: Callable[[dict], str]
    study: Callable[[str, Path], Study]
    names: tuple[str, ...]

    @property
    def full(self) -> Path:
        """The folder of all runs, outside git."""
        return self.kept.with_suffix("") / "full"

    def main(self, about: str | None) -> None:
        """Parse, and train what is missing within the time."""
        parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("--minutes", type=float, default=float("inf"), help="start no run after that time")
        parser.add_argument("--only", default=",".join(self.names), help="comma-separated")
        parser.add_argument("--parallel", type=int, default=None, help="runs at a time")
        parser.add_argument("--page", action="store_true", help="write the page of what is kept, and train nothing")
        told = parser.parse_args()
        if not told.page:
            if not DATA.is_dir():
                left_out(f"the real data is not here: {DATA}")
            until = time.monotonic() + 60 * told.minutes
            for name in told.only.split(","):
                if (left := (until - time.monotonic()) / 60) > 0:
                    self._train(name, left, told.parallel)
        self.page.write_text(self.write(self._load()))

    def _load(self) -> dict:
        return load(self.kept.read_text() if self.kept.exists() else None)

    def _train(self, name: str, minutes: float, parallel: int | None) -> None:
        """Train what is missing of a study, and keep it when it is complete."""
        study = self.study(name, self.full / "data")
        within = minutes if minutes < float("inf") else None
        table = compare(study, self.full / name, parallel=parallel, minutes=within, commit=commit())
        wanted = len(study.arms()) * len(study.seeds)
        if len(table) < wanted or table["error"].notna().any():
            print(f"{name}: {table['error'].isna().sum()} of {wanted} runs are there")
            return
        kept = self._load()
        kept["sets"][name] = {"machine": machine(), "runs": kept_runs(table)}
        self.kept.write_text(json.dumps(kept, indent=1) + "\n")
