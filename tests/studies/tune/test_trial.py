"""What a trial does with an error: keep one that would happen again, hand others to Tune, which tries once more."""

from types import SimpleNamespace

import pytest

from d2ace.pipeline.common.errors import ConfigError, DataError, DivergedError, RunError
from d2ace.pipeline.studies.tune import trial
from d2ace.pipeline.studies.tune.progress import SweepProgress
from d2ace.pipeline.studies.tune.table import SweepFolder, kept_error
from d2ace.selectors.common.errors import SelectionError


@pytest.fixture
def failing(tmp_path, monkeypatch):
    """Return a function that runs a trial whose training raises an error, in the folder of a sweep."""
    monkeypatch.setattr(trial.ray.tune, "get_context", lambda: SimpleNamespace(get_trial_id=lambda: "a_00000"))

    def run(error):
        monkeypatch.setattr(trial, "_train", lambda *_: (_ for _ in ()).throw(error))
        trial.run_trial({}, trial.TrialSetup(None, tmp_path, None))

    return run


@pytest.mark.parametrize("kind", [ConfigError, DataError, SelectionError, DivergedError])
def test_an_error_that_would_happen_again_is_kept_and_not_tried_again(failing, make_sweep, tmp_path, capsys, kind):
    failing(kind("pressure must be at least 1"))
    assert kept_error(tmp_path / "trials" / "a_00000") == "pressure must be at least 1"
    progress = SweepProgress(tmp_path / "progress.jsonl", "macro_auc", 1, quiet=False)
    progress.on_trial_complete(1, [], SimpleNamespace(trial_id="a_00000", last_result=None))
    assert "failed after 0 epochs, and would again: pressure must be at least 1" in capsys.readouterr().out
    with pytest.raises(RunError, match="no trial trained an epoch: pressure must be at least 1"):
        SweepFolder(tmp_path).write([{"trial": "a_00000", "point": {}, "error": None}], make_sweep())
    assert SweepFolder(tmp_path).table["status"].tolist() == ["failed"]


def test_what_another_try_may_spare_goes_to_tune(failing, tmp_path):
    with pytest.raises(RunError, match="a worker was lost"):
        failing(RunError("a worker was lost"))
    assert kept_error(tmp_path / "trials" / "a_00000") is None
