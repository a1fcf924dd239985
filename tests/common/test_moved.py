"""Imports that documents of version 0.1 showed go on working, and give the very modules of today."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from d2ace.pipeline.common.moved import MOVED

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(("old", "new"), sorted(MOVED.items()))
def test_an_old_name_is_the_module_of_today(old, new):
    name, place = f"d2ace.pipeline.{old}", f"d2ace.pipeline.{new}"
    sys.modules.pop(name, None)
    with pytest.warns(DeprecationWarning, match=f"{name} is {place} now"):
        found = import_module(name)
    assert found is import_module(place)
    assert found.__name__ == found.__spec__.name == place


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_submodule_is_not_loaded_twice():
    from d2ace.pipeline.compare.study import Study as Old
    from d2ace.pipeline.studies.compare.study import Study

    assert Old is Study


def test_other_names_are_not_touched():
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'd2ace\.pipeline\.configuration'"):
        import_module("d2ace.pipeline.configuration")


def test_a_fresh_interpreter_finds_them():
    code = "from d2ace.pipeline.config import Config; import d2ace.pipeline.errors; print(Config.__module__)"
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "d2ace.pipeline.common.config.config"
