"""deploy/runtime_env.yaml ships what ``make wheel`` unpacks (tests/command/jobs runs a job with it)."""

import yaml
from pins import ROOT, wheel_recipe
from ray.runtime_env import RuntimeEnv


def test_it_names_the_folder_that_make_wheel_unpacks():
    settings = yaml.safe_load((ROOT / "deploy" / "runtime_env.yaml").read_text())
    assert settings == {"py_modules": ["dist/unpacked/d2ace"]}
    assert "-m zipfile -e dist/d2ace-*.whl dist/unpacked" in wheel_recipe()


def test_ray_knows_every_key():
    settings = yaml.safe_load((ROOT / "deploy" / "runtime_env.yaml").read_text())
    assert set(settings) <= RuntimeEnv.known_fields
