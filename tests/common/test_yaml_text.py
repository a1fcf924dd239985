"""YAML that means more than it says, or says a thing twice."""

import pytest

from d2ace.pipeline.common.config.yaml_file import read_settings
from d2ace.pipeline.common.config.yaml_text import parse_yaml
from d2ace.pipeline.common.errors import ConfigError

LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LAUGHS, "more than 100,000 values, with its aliases written out"),
        ("a: &a [*a]\n", "holds itself, by an alias"),
        ("[" * 100_000, "line 1: more than 50 lists or mappings in each other"),
        ("data: {path: x}\ntrain: {}\ndata: {path: y}\n", r"c\.yaml:3: not valid YAML: the key 'data' stands twice"),
        ("a: !!python/object/apply:os.system ['true']\n", r"c\.yaml:1: not valid YAML: could not determine"),
        ("a: 2026-13-45\n", "not valid YAML: month must be in"),
        ("a: b\nc: 'd'\ne: \"f\\0g\"\n", r"line 3: a null character \(\\0\)"),
        ('a: b\nc: "\\uD800"\n', r"line 2: half of a character \('\\ud800'\)"),
        ('a: "\\uDCFF"\nb: ' + "[" * 2000, "line 2: more than 50 lists"),
        ("1: x\n", "the key 1 is no text"),
        ("a: " + "x" * (4 << 20), "more than 4 MiB"),
    ],
    ids=["aliases", "cycle", "depth", "twice", "object", "date", "null", "half", "half and depth", "key", "size"],
)
def test_settings_are_refused_with_their_file(tmp_path, text, message):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message) as refused:
        read_settings(tmp_path / "c.yaml", "settings")
    assert str(refused.value).startswith(str(tmp_path)) and len(str(refused.value)) < 500


def test_anchors_and_merges_mean_what_they_say():
    assert parse_yaml("base: &b {lr: 1, wd: 2}\nmine: {<<: *b, lr: 3}\n")["mine"] == {"lr": 3, "wd": 2}


def test_names_that_are_no_utf8_are_read_as_python_writes_them():
    assert parse_yaml('"/data/\\uDCFF"') == "/data/\udcff"
