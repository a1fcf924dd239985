"""A sweep in Tune's terms."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from ray.tune.schedulers import FIFOScheduler, PopulationBasedTraining

from d2ace.pipeline.studies.tune import search

KNOBS = {"model.options.hidden": {"choice": [[8], [16]]}}


def test_points_known_from_the_start_are_listed_whole(make_sweep):
    sweep = make_sweep()
    space = search.param_space(sweep)
    assert space == {"point": {"grid_search": sweep.points()}}
    assert search.point_of(sweep, {"point": sweep.points()[1]}) == sweep.points()[1]
    assert search.search_algorithm(sweep) is None


def test_optuna_proposes_shares_that_become_values(make_sweep):
    sweep = make_sweep(sampler="optuna", knobs=KNOBS)
    shares = dict.fromkeys(sweep.dimensions, 0.5) | {"importance": 2, "draws": 0, "model.options.hidden": 1}
    assert set(search.param_space(sweep)["shares"]) == set(shares)
    point = search.point_of(sweep, {"shares": shares})
    assert point["pressure"] == pytest.approx((2 * 64) ** 0.5)  # the middle of a logarithmic range
    assert point["mixture_final"] == 0.5
    assert (point["importance"], point["draws"], point["model.options.hidden"]) == (1.0, "systematic", [16])


@pytest.mark.parametrize(
    ("name", "kind"), [("asha", search.RememberingASHA), ("pbt", PopulationBasedTraining), ("none", FIFOScheduler)]
)
def test_schedulers(make_sweep, name, kind):
    assert type(search.scheduler(make_sweep(scheduler=name), "score", "epoch", Path("told"))) is kind


def test_asha_compares_by_epoch_from_the_grace_period_on(make_sweep):
    sweep = make_sweep(config={"train": {"epochs": 90}}, grace_epochs=9)
    made = search.scheduler(sweep, "score", "epoch", Path("told"))
    assert made._time_attr == "epoch"
    assert sweep.first_rung == 9
    assert [milestone for milestone, _ in made._brackets[0]._rungs] == [36, 9]
    assert make_sweep(grace_epochs=50).first_rung == 6  # no longer than the run


def test_by_default_nobody_is_stopped_before_every_trial_selects(make_sweep):
    sweep = make_sweep(config={"train": {"epochs": 90}})
    latest = max(sweep.selection_start(point) for point in sweep.points())
    assert latest > 0
    assert sweep.first_rung == latest + 9


def test_smaller_is_better_for_losses(make_sweep):
    assert search.mode(make_sweep()) == "max"
    assert search.mode(make_sweep(config={"train": {"monitor": "ranking_loss"}})) == "min"


def test_exploring_changes_live_knobs_only_and_stays_in_their_ranges(make_sweep):
    sweep = make_sweep(scheduler="pbt", knobs=KNOBS)
    explore, point = search.Explore(sweep), sweep.points()[0]
    seen = [explore({"point": point})["point"] for _ in range(200)]
    for name, knob in sweep.dimensions.items():
        values = {str(new[name]) for new in seen}
        if name in sweep.live:
            assert len(values) > 1
            assert all(0 <= knob.share(new[name]) <= 1 for new in seen)
        else:
            assert values == {str(point[name])}
    assert sweep.live == ["pressure", "mixture_final", "importance", "draws"]
    near = [
        abs(sweep.dimensions["pressure"].share(new["pressure"]) - sweep.dimensions["pressure"].share(point["pressure"]))
        for new in seen
    ]
    assert 0.6 < sum(distance <= 0.2 + 1e-9 for distance in near) / 200 < 1  # mostly a step, sometimes anew


def test_exploring_is_repeatable(make_sweep):
    sweep = make_sweep(scheduler="pbt")
    one, other = search.Explore(sweep), search.Explore(sweep)
    point = sweep.points()[0]
    assert [one({"point": point}) for _ in range(5)] == [other({"point": point}) for _ in range(5)]


def told(path, **curves):
    """Write what trials told, one after the other."""
    rows = [
        {"elapsed": 0.0, "trial": trial, "epoch": epoch, "score": score}
        for trial, scores in curves.items()
        for epoch, score in enumerate(scores, 1)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.mark.parametrize(("status", "decision"), [("TERMINATED", "STOP"), ("PENDING", "CONTINUE")])
def test_a_resumed_asha_compares_with_trials_that_ended_before(make_sweep, tmp_path, status, decision):
    told(tmp_path / "told", a=[0.5, 0.6, 0.7], b=[0.4, 0.5])
    sweep = make_sweep(grace_epochs=2)
    resumed = search.scheduler(sweep, "score", "epoch", tmp_path / "told")
    resumed.set_search_properties("score", "max")
    resumed.on_trial_add(None, SimpleNamespace(trial_id="a", status=status))
    trial = SimpleNamespace(trial_id="c", status="PENDING")
    resumed.on_trial_add(None, trial)
    assert resumed.on_trial_result(None, trial, {"epoch": 1, "score": 0.1}) == "CONTINUE"
    assert resumed.on_trial_result(None, trial, {"epoch": 2, "score": 0.55}) == decision
