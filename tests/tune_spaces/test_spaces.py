"""Every space: all its points make settings that its method accepts, in the right order of stages."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from d2ace.selectors import api as selectors
from d2ace.selectors.common.randomness import generator
from d2ace.tune_spaces import api
from d2ace.tune_spaces.api import PRESETS, SpaceError
from d2ace.tune_spaces.knobs import Choice, Real, Whole
from d2ace.tune_spaces.stages import stage, warm_up

LABELS = generator(0, "test").random((40, 4)) < 0.4
LABELS[0] = True


def make(method, epochs, options):
    extra = {"reference": np.zeros((40, 4), np.float32)} if method == "learnability" else {}
    if selectors.get(method).uses_neighbours:
        extra["features"] = generator(1, "test").random((40, 3)).astype(np.float32)
    return selectors.create(method, labels=LABELS, batch_size=8, epochs=epochs, **options, **extra)


def test_every_method_with_settings_to_search_has_a_space():
    without = {"uniform", "balanced"}  # nothing there changes what is drawn, up to speed
    assert set(api.names()) == set(selectors.names()) - without
    assert all(api.get(name).method == name for name in api.names())


@pytest.mark.parametrize("name", api.names())
@pytest.mark.parametrize("preset", PRESETS)
def test_every_random_point_makes_settings_that_the_method_accepts(name, preset):
    space, rng = api.get(name), generator(3, "points")
    for epochs in (2, 3, 7, 30, 100):
        for _ in range(8):
            point = space.sample(rng, preset)
            assert set(point) == set(space.knobs(preset))
            make(name, epochs, space.settings(point, epochs))


@pytest.mark.parametrize("name", api.names())
def test_the_defaults_of_a_space_are_settings_too(name):
    make(name, 20, api.get(name).settings({}, 20))


@settings(max_examples=200, deadline=None)
@given(
    shares=st.lists(st.floats(0, 1, exclude_max=True), min_size=24, max_size=24),
    epochs=st.integers(2, 200),
)
def test_stages_of_d2ace_are_in_order_for_every_point(shares, epochs):
    space = api.get("d2ace")
    knobs = space.knobs("wide")
    chosen = space.settings({name: knob.at(s) for (name, knob), s in zip(knobs.items(), shares, strict=False)}, epochs)
    assert 1 <= chosen["warmup"] < epochs
    for kind in ("pressure", "mixture"):
        assert chosen["warmup"] <= chosen[f"{kind}_start"] < chosen[f"{kind}_end"] <= epochs + (kind == "pressure")


def test_a_pressure_that_does_not_decay_stays():
    space = api.get("d2ace")
    chosen = space.settings({"pressure": 16.0, "pressure_decays": False}, 20)
    selector = make("d2ace", 20, chosen)
    assert [selector._pressure.at(epoch) for epoch in (0, 10, 19)] == [16.0] * 3
    falling = make("d2ace", 20, space.settings({"pressure": 16.0}, 20))
    assert falling._pressure.at(19) < 2


@pytest.mark.parametrize("epochs", [2, 3, 10])
@pytest.mark.parametrize("start", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("length", [0.0, 0.3, 1.0])
def test_stages_stay_inside_the_run(epochs, start, length):
    for share in (0.0, 0.4, 1.0):
        warmup = warm_up(share, epochs)
        first, last = stage(start, length, warmup, epochs)
        assert 1 <= warmup <= first < last <= epochs
    with pytest.raises(ValueError, match="at least 2 epochs, got 1"):
        warm_up(0.1, 1)


def test_stages_use_the_whole_range():
    assert stage(0.0, 1.0, 10, 100) == (10, 100)
    assert stage(0.5, 0.5, 0, 100) == (50, 75)
    assert warm_up(0.1, 100) == 10


def test_real_and_whole_knobs_cover_their_ranges_evenly():
    shares = (np.arange(3000) + 0.5) / 3000
    whole = [Whole(2, 4).at(s) for s in shares]
    assert np.bincount(whole).tolist() == [0, 0, 1000, 1000, 1000]
    log = [Whole(1, 7, log=True).at(s) for s in shares]
    assert np.bincount(log)[1] == pytest.approx(1000, abs=2)  # 1, 2..3 and 4..7 are as wide as each other
    assert Real(1, 100, log=True).at(0.5) == pytest.approx(10)
    assert Real(-1, 3).at(0.5) == 1
    assert [Choice("abc").at(s) for s in (0, 0.34, 0.99)] == ["a", "b", "c"]


def test_grids_have_both_ends_and_no_value_twice():
    assert Real(0, 1).grid(3) == [0, 0.5, 1]
    assert Real(1, 4, log=True).grid(1) == pytest.approx([2])
    assert Whole(1, 3).grid(10) == [1, 2, 3]
    assert Choice([5, 6]).grid(1) == [5]
    points = list(api.get("uncertainty").grid(2, "paper"))
    assert len(points) == 8 and len({tuple(sorted(point.items())) for point in points}) == 8


@pytest.mark.parametrize(("low", "high", "log"), [(2, 2, False), (3, 1, False), (0, 1, True)])
def test_ranges_that_are_none_are_refused(low, high, log):
    for kind in (Real, Whole):
        with pytest.raises(ValueError, match="expected low < high"):
            kind(low, high, log)
    with pytest.raises(ValueError, match="at least one value"):
        Choice([])


def test_a_users_own_space_is_found_by_its_import_path(monkeypatch, tmp_path):
    (tmp_path / "my_spaces.py").write_text(
        "from d2ace.tune_spaces.api import Space\nfrom d2ace.tune_spaces.knobs import Real\n"
        "class Mine(Space):\n    method = 'd2ace'\n"
        "    presets = dict.fromkeys(['quick', 'paper', 'wide'], {'pressure': Real(2, 3)})\n"
        "    def settings(self, point, epochs): return dict(point)\nno_space = 3\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert 2 <= api.get("my_spaces:Mine").sample(generator(0, "x"))["pressure"] <= 3
    with pytest.raises(SpaceError, match="is no search space"):
        api.get("my_spaces:no_space")
    with pytest.raises(SpaceError, match="module my_spaces has no 'Yours'; known: Mine"):
        api.get("my_spaces:Yours")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("d2acee", "no search space is called 'd2acee'; did you mean 'd2ace'"),
        ("uniform", "it has no settings to search"),
        ("nothing.here:Space", "there is no module nothing"),
    ],
)
def test_wrong_names_are_told(name, message):
    with pytest.raises(SpaceError, match=message):
        api.get(name)


def test_wrong_presets_and_knobs_are_told():
    space = api.get("d2ace")
    with pytest.raises(SpaceError, match="did you mean 'quick'"):
        space.knobs("quik")
    with pytest.raises(SpaceError, match="no knob 'presure'; did you mean 'pressure'"):
        space.settings({"presure": 3}, 10)


def test_spaces_need_neither_ray_nor_torch():
    code = (
        "import sys, d2ace.tune_spaces.api as a; [a.get(n) for n in a.names()]; "
        "sys.exit(bool({'ray', 'torch'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "knob",
    [Real(0.5, 3.0), Real(0.01, 10.0, log=True), Whole(2, 9), Whole(1, 100, log=True), Choice(["a", "b", [1]])],
)
def test_a_value_lies_at_its_share(knob):
    for share in np.linspace(0, 0.999, 37):
        value = knob.at(float(share))
        back = knob.at(knob.share(value))
        assert back == value if not isinstance(value, float) else back == pytest.approx(value)
    assert 0 <= knob.share(knob.at(0.0)) < knob.share(knob.at(0.999)) <= 1


@pytest.mark.parametrize("name", api.names())
def test_live_knobs_are_knobs_of_the_space(name):
    assert api.get(name).live <= set(api.get(name).knobs("wide"))
