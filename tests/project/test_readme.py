"""The runner of the README's code blocks can fail, and every block of the README either runs or says why not."""

import importlib.util
import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from d2ace.selectors import api

ROOT = Path(__file__).resolve().parents[2]
RUN = "```python\nx = 1\nprint(x)\n```\n"


@pytest.fixture(scope="module")
def runner() -> ModuleType:
    spec = importlib.util.spec_from_file_location("readme_blocks", ROOT / ".ci" / "readme_blocks.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def write(folder: Path, text: str) -> Path:
    path = folder / "README.md"
    path.write_text(text)
    return path


def test_blocks_are_found_with_line_and_reason(runner: ModuleType):
    text = f"# Title\n\n{RUN}\n```text\nno code\n```\n```bash no-run: needs a cluster\nray up\n```\n"
    first, second = runner.blocks(text)
    assert (first.language, first.line, first.reason) == ("python", 4, None)
    assert first.code == "x = 1\nprint(x)\n"
    assert (second.language, second.reason) == ("bash", "needs a cluster")


@pytest.mark.parametrize("info", ["no-run", "no-run:", "norun: x", "title=x"])
def test_a_block_is_not_skipped_without_a_reason(runner: ModuleType, info: str):
    with pytest.raises(ValueError, match="no-run: REASON"):
        runner.blocks(f"```bash {info}\ntrue\n```\n")


def test_blocks_share_a_folder_and_run_in_order(runner: ModuleType, tmp_path: Path):
    text = "```bash\necho 7 > n\n```\n```python\nassert open('n').read() == '7\\n'\n```\n"
    assert runner.check(write(tmp_path, text)) == 0


@pytest.mark.parametrize(
    "block", ["```python\nraise SystemExit(3)\n```\n", "```bash\nfalse\ntrue\n```\n", "```bash\nfalse | true\n```\n"]
)
def test_a_failing_block_is_counted_and_shown(runner: ModuleType, tmp_path: Path, capsys, block: str):
    assert runner.check(write(tmp_path, block + RUN)) == 1
    assert "README.md:2" in capsys.readouterr().out


def test_a_block_that_never_ends_fails(runner: ModuleType, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(runner, "LIMIT_S", 0.2)
    assert runner.main([str(write(tmp_path, "```bash\nsleep 60\n```\n"))]) == 1


def test_the_readme_has_blocks_that_run(runner: ModuleType):
    languages = {block.language for block in runner.blocks((ROOT / "README.md").read_text()) if not block.reason}
    assert languages == {"python", "bash"}


def test_the_readme_names_every_method():
    named = set(
        re.findall(r"`([\w-]+)`", (ROOT / "README.md").read_text().partition("## Methods")[2].partition("\n## ")[0])
    )
    assert named == set(api.names())


def test_the_badges_say_what_the_package_says():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    badges = {path.stem: path.read_text() for path in (ROOT / "docs" / "badges").glob("*.svg")}
    assert f">{project['license']}<" in badges["licence"]
    versions = [name.rpartition(" :: ")[2] for name in project["classifiers"] if re.search(r":: 3\.\d+$", name)]
    assert versions and f">{' | '.join(versions)}<" in badges["python"]
