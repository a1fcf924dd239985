"""The examples run and learn; those for frameworks that are not installed are skipped."""

import runpy
from pathlib import Path

import numpy as np
import pytest
import torch

from d2ace.selectors.contract.suite import Subject, verdicts

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def main_of(name: str):
    return runpy.run_path(str(EXAMPLES / name))["main"]


def assert_selected(selector, epochs: int) -> None:
    """All observations of all epochs arrived, and the law is no longer uniform."""
    found = selector.diagnostics()
    assert found["visits"].sum() == epochs * selector.n_rows
    assert found["effective_sample_size"] < 0.999
    assert (found["p"] > 1.2 / selector.n_rows).any()


@pytest.mark.parametrize("loader_processes", [0, 1])
def test_pytorch_loop(loader_processes, capsys):
    losses = main_of("pytorch_loop.py")(epochs=4, loader_processes=loader_processes)
    assert len(losses) == 4 and losses[-1] < 0.9 * losses[0]
    assert "epoch 4: loss" in capsys.readouterr().out


def test_own_selector_prefers_what_it_says(capsys):
    selector = main_of("own_selector.py")(epochs=4)
    assert_selected(selector, 4)
    labels_of_row, p = np.diff(selector.labels.indptr), selector.diagnostics()["p"]
    assert p[labels_of_row > 3].mean() > 1.5 * p[labels_of_row < 2].mean()
    again = type(selector)(selector.labels, batch_size=32, epochs=4, warmup=2, pressure=16.0)
    again.load_state_dict(selector.state_dict())
    np.testing.assert_array_equal(again.plan(4).ids, selector.plan(4).ids)


def test_own_selector_keeps_the_contract(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    assert [verdict for verdict in verdicts(Subject("own_selector:CrowdedLoss")) if verdict.trouble] == []


def test_the_template_in_contributing_is_the_tested_one():
    template = (EXAMPLES.parent / "CONTRIBUTING.md").read_text().split("```python\n")[1].split("```")[0]
    assert template.strip() in (EXAMPLES / "own_selector.py").read_text()


def test_lightning():
    pytest.importorskip("lightning", reason="Lightning is not installed; pip install lightning to run this example")
    assert_selected(main_of("lightning_trainer.py")(epochs=4), 4)


def test_hugging_face(tmp_path):
    for package in ("transformers", "accelerate"):
        pytest.importorskip(package, reason=f"{package} is not installed; pip install {package} to run this example")
    assert_selected(main_of("hugging_face.py")(str(tmp_path), epochs=4), 4)


def test_the_loop_in_the_documentation_runs():
    text = (EXAMPLES.parent / "docs" / "without-ray.md").read_text()
    code = text.split("```python\n")[1].split("```")[0]
    found: dict = {}
    exec(compile(code, "without-ray.md", "exec"), found)
    assert_selected(found["sampler"].selector, 6)
