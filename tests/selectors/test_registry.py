"""The registry, what importing costs, and the standard library's module of the same name."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from d2ace.selectors import api
from d2ace.selectors.common.errors import SelectionError
from d2ace.selectors.ranges.ranges import LocalRanges
from d2ace.selectors.uniform import Uniform

ROOT = Path(__file__).resolve().parents[2]


def fresh(code, *flags):
    """Run code in a new interpreter started in the repository root; return what it prints."""
    done = subprocess.run([sys.executable, *flags, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_standard_library_keeps_its_selectors():
    code = "import selectors, subprocess, asyncio; print(selectors.__file__); selectors.DefaultSelector().close()"
    found = Path(fresh(code))
    assert ROOT not in found.parents
    assert found.name == "selectors.py"


def test_no_init_file_shadows_it():
    assert not list((ROOT / "selectors").rglob("__init__.py"))


@pytest.mark.parametrize("module", ["d2ace", "d2ace.selectors.d2ace", "d2ace.selectors.api"])
def test_importing_a_method_brings_neither_ray_nor_torch(module):
    code = f"import sys, {module}; print([m for m in ('ray', 'torch', 'pandas') if m in sys.modules])"
    assert fresh(code) == "[]"


def test_every_registered_method_names_itself():
    assert {"d2ace", "uniform"} <= set(api.names())
    for name in api.names():
        assert api.get(name).name == name


def test_only_methods_that_say_so_are_split_by_rows():
    settings = {"labels": np.eye(200), "batch_size": 8, "epochs": 3}
    split = api.create_split("d2ace", 2, LocalRanges, neighbours=0, **settings)
    whole = api.create("d2ace", neighbours=0, **settings)
    assert len(split._ranges) == 2
    np.testing.assert_array_equal(split.plan(2).ids, whole.plan(2).ids)
    with pytest.raises(SelectionError, match="state of method 'loss-rank' cannot be split into ranges; that of d2ace"):
        api.create_split("loss-rank", 2, LocalRanges, **settings)


def test_unknown_names_and_settings_get_a_suggestion():
    with pytest.raises(SelectionError, match="did you mean 'uniform'"):
        api.get("unifrom")
    with pytest.raises(SelectionError, match="did you mean 'neighbours'"):
        api.create("d2ace", labels=np.eye(3), batch_size=1, epochs=1, neighbors=3)
    assert {"neighbours", "warmup", "pressure"} <= set(api.options("d2ace"))
    assert api.options("uniform") == {}


def test_uniform_is_a_new_permutation_every_epoch():
    selector = api.create("uniform", labels=np.eye(50), batch_size=8, epochs=3, seed=1)
    assert isinstance(selector, Uniform)
    first, second = selector.plan(0), selector.plan(1)
    assert sorted(first.ids) == sorted(second.ids) == list(range(50))
    assert (first.ids != second.ids).any()
    np.testing.assert_array_equal(selector.plan(0).ids, first.ids)
    selector.end_epoch(0)
    other = Uniform(np.eye(50), batch_size=8, epochs=3, seed=2)
    other.load_state_dict(selector.state_dict())
    assert (other.plan(0).ids != first.ids).any()


def test_features_of_another_length_are_refused():
    with pytest.raises(SelectionError, match="features has 4 rows, but labels has 5"):
        api.create("d2ace", labels=np.eye(5), batch_size=2, epochs=3, features=np.ones((4, 2)))
