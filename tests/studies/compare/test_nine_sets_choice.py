"""How the benchmark on nine data sets chooses settings on validation rows."""

import sys
from pathlib import Path

import pandas as pd
import pytest

BENCHMARKS = Path(__file__).resolve().parents[3] / "benchmarks"


@pytest.fixture
def studies(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])
    import _nine_sets_studies

    return _nine_sets_studies


def runs(gains, pairs=3):
    """Runs whose validation mAP is 0.5 plus the gains of (data, method), one a pair; test rows say nothing."""
    return pd.DataFrame(
        {"data": data, "network": "mlp", "method": method, "fold": fold, "seed": 100, "error": None}
        | {"protocol": "clean", "best_epoch": 0, "validation/map": [0.5 + gain[fold]], "test/map": [0.5]}
        for (data, method), gain in gains.items()
        for fold in range(pairs)
    )


def gains_of(studies, special):
    """No gain for any set and setting, but for some."""
    return {(data, method): [0.0] * 3 for data in studies.SETS for method in studies.SHORTLIST} | special


def test_a_set_takes_its_best_setting_if_it_is_surely_better(studies):
    first, second = [name for name in studies.SHORTLIST if name != "uniform"][:2]
    special = {
        ("yeast", first): [0.02, 0.03, 0.02],
        ("yeast", second): [0.01, 0.01, 0.01],
        ("scene", second): [0.09, -0.06, 0.0],  # 0.01 with a standard error of 0.044
    }
    chosen = studies.choices(runs(gains_of(studies, special)))
    assert chosen["yeast"].setting == first and chosen["yeast"].difference == pytest.approx(0.07 / 3)
    assert chosen["scene"].best == second and chosen["scene"].setting == "uniform"
    assert chosen["birds"].setting == "uniform" and set(chosen) == set(studies.SETS)


def test_the_common_setting_is_ahead_on_most_sets_not_far_ahead_on_one(studies):
    first, second = [name for name in studies.SHORTLIST if name != "uniform"][:2]
    often = {(data, second): [0.01] * 3 for data in studies.SETS[:5]}
    table = runs(gains_of(studies, often | {("birds", first): [0.3] * 3}))
    assert studies.common_setting(table) == second
    assert studies.common_setting(table[table["data"] != "yeast"]) is None


def test_a_set_that_lacks_a_setting_is_not_chosen_for(studies):
    table = runs(gains_of(studies, {}))
    missing = (table["data"] == "enron") & (table["method"] == list(studies.SHORTLIST)[-1])
    assert "enron" not in studies.choices(table[~missing])
