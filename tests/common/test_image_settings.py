import re
from pathlib import Path

import pytest
import yaml

from d2ace.pipeline.common.config.config import Config
from d2ace.pipeline.common.config.images import ImagesSection
from d2ace.pipeline.common.errors import ConfigError


def make(**images):
    return Config.make({"data": {"path": "x"}, "images": images}).images


def test_a_size_may_be_one_number_and_survives_a_file(tmp_path):
    assert make(size=96).size == (96, 96) and make(size=[96, 128]).size == (96, 128)
    config = Config.make({"data": {"path": "x"}, "images": {"size": 96, "random_crop_scale": [0.3, 1]}})
    config.save(tmp_path / "config.yaml")
    assert Config.load(tmp_path / "config.yaml").images == config.images
    changed = Config.load(tmp_path / "config.yaml", ["images.size=32", "images.random_crop_scale=null"])
    assert changed.images.changed() == ["size"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"sise": 3}, "unknown key 'images.sise'; did you mean 'size'"),
        ({"size": 0}, "images.size"),
        ({"size": [1, 2, 3]}, "images.size"),
        ({"fit": "pad"}, "images.fit"),
        ({"random_crop_scale": [0.5, 0.2]}, "lower end first"),
        ({"random_crop_scale": [0.5, 1.5]}, "at most 1"),
        ({"random_crop_ratio": [0, 1]}, "images.random_crop_ratio"),
        ({"flip": 1.5}, "images.flip"),
        ({"hue": 0.6}, "images.hue"),
        ({"brightness": -1}, "images.brightness"),
        ({"randaugment_magnitude": 31}, "images.randaugment_magnitude"),
        ({"cutout": 1}, "images.cutout"),
        ({"centre_share": 0}, "images.centre_share"),
        ({"threads": 0}, "images.threads"),
    ],
)
def test_bad_values_are_refused(values, words):
    with pytest.raises(ConfigError) as caught:
        make(**values)
    assert words in str(caught.value)


def test_nothing_changed_is_nothing_set():
    assert ImagesSection().changed() == []
    assert make(flip=0.5, threads=2).changed() == ["flip", "threads"]


def test_the_guide_names_every_option():
    guide = (Path(__file__).resolve().parents[2] / "docs" / "images.md").read_text()
    assert [name for name in ImagesSection.model_fields if f"`{name}`" not in guide] == []
    block = re.search(r"```yaml\n(.*?)```", guide, re.DOTALL)
    assert block is not None
    Config.make(yaml.safe_load(block[1]))
