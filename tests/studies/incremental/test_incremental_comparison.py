"""Methods of class-incremental learning are compared over pairs that share all else."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from small_sequences import synthetic_outcome, synthetic_outcomes

from d2ace.pipeline.common.errors import RunError
from d2ace.pipeline.studies.incremental.comparison import cells, judged, sign_of, values


@pytest.fixture(scope="module")
def outcomes():
    return synthetic_outcomes({"er": 0.2, "kd": 0.3, "rebll": 0.6}, seeds=4)


def test_a_method_is_judged_by_its_pairs(outcomes):
    verdicts = {verdict.method: verdict for verdict in judged(outcomes, "last_map", "er")}
    assert list(verdicts) == ["kd", "rebll"]
    by_place = {(o.name, o.order, o.seed): o.overall["last_map"] for o in outcomes}
    gains = [value - by_place["er", order, seed] for (name, order, seed), value in by_place.items() if name == "rebll"]
    found = verdicts["rebll"]
    assert (found.pairs, found.wins, found.verdict) == (8, 8, "better")
    assert found.difference == pytest.approx(np.mean(gains))
    assert found.p == pytest.approx(stats.wilcoxon(gains).pvalue)
    assert found.holm_p == pytest.approx(2 * found.p) or found.holm_p == pytest.approx(found.p)


def test_fewer_false_positives_and_less_forgetting_are_better():
    assert [sign_of(name) for name in ("last_map", "average_cf1@0.8", "last_fpr@0.5", "forgetting")] == [1, 1, -1, -1]


def test_a_gain_in_false_positives_is_positive_where_there_are_fewer(outcomes):
    lower = {v.method: v.difference for v in judged(outcomes, "last_fpr@0.5", "er")}
    rates = values(outcomes, "last_fpr@0.5").groupby("method")["value"].mean()
    assert lower["rebll"] == pytest.approx(rates["er"] - rates["rebll"])


def test_sequences_without_a_partner_or_with_tasks_to_come_do_not_count(outcomes):
    some = [o for o in outcomes if not (o.name == "er" and o.seed == 3)]
    some = [replace(o, tasks=o.tasks[:2]) if (o.name, o.seed) == ("kd", 0) else o for o in some]
    assert [v.pairs for v in judged(some, "last_map", "er")] == [4, 6]


def test_cells_are_data_sets_with_protocols():
    one = synthetic_outcome()
    found = list(cells([one, replace(one, protocol="B2-C2"), replace(one, seed=1)]))
    assert [(data, protocol, len(members)) for data, protocol, members in found] == [
        ("zoo", "B0-C2", 2),
        ("zoo", "B2-C2", 1),
    ]


def test_unknown_numbers_and_methods_are_asked_about(outcomes):
    with pytest.raises(RunError, match="no number 'last_mapp'; did you mean 'last_map'"):
        judged(outcomes, "last_mapp", "er")
    with pytest.raises(RunError, match="of the method 'reblll'; did you mean 'rebll'"):
        judged(outcomes, "last_map", "reblll")


def test_sequences_that_are_there_twice_make_no_pairs(outcomes):
    with pytest.raises(RunError, match=r"two sequences are of er, classes \w+, seed 0; expected one"):
        judged([*outcomes, outcomes[0]], "last_map", "er")
