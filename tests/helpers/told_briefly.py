"""Smaller statistics and fewer pictures, for tests of what is done with them."""

from collections.abc import Callable, Iterator

import pytest

FEW = 3
"""Metrics that pages tell besides the monitored one: every one of the others takes as long."""
FEW_RESAMPLES = 199


def draw_less(put: Callable[[object, str, object], None]) -> None:
    """Let pages tell few metrics, and rank knobs by small forests, after few bootstrap samples.

    Args:
        put: sets an attribute of an object, as ``setattr`` does.
    """
    compare_less(put)
    grow_less(put)
    resample_less(put)


def compare_less(put: Callable[[object, str, object], None]) -> None:
    """Let pages tell few metrics besides the monitored one."""
    from d2ace.pipeline.results.report import run_source, study_source
    from d2ace.pipeline.training.metrics import METRICS

    for source in (run_source, study_source):
        put(source, "METRICS", METRICS[:FEW])


def grow_less(put: Callable[[object, str, object], None]) -> None:
    """Let the forests that rank the knobs of a sweep be small."""
    from d2ace.pipeline.results.report import sweep_importance

    put(sweep_importance, "_TREES", 20)
    put(sweep_importance, "_REPEATS", 2)


def resample_less(put: Callable[[object, str, object], None]) -> None:
    """Let the intervals of a comparison be of few bootstrap samples."""
    from d2ace.pipeline.studies.compare import statistics

    for interval in (statistics.bootstrap_interval, statistics.hierarchical_interval):
        put(interval, "__kwdefaults__", {**interval.__kwdefaults__, "resamples": FEW_RESAMPLES})


@pytest.fixture
def few_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages that tell few metrics besides the monitored one."""
    compare_less(monkeypatch.setattr)


@pytest.fixture(scope="module")
def few_resamples() -> Iterator[None]:
    """Intervals of few bootstrap samples, for tests that are not about them."""
    with pytest.MonkeyPatch.context() as patch:
        resample_less(patch.setattr)
        yield
