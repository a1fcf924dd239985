"""Whole runs with methods that ask more of the pipeline than ids: row weights and fewer draws, or no observations."""

import pandas as pd
import pytest
import torch

from d2ace.pipeline import fit

pytestmark = pytest.mark.usefixtures("ray_session")


@pytest.mark.slow
def test_row_weights_reach_the_loss_the_same_way_on_any_number_of_workers(make_config):
    options = ("selector.name=infobatch", "selector.options={prune: 0.5}", "train.epochs=4")
    runs = [fit(make_config(f"run.name=w{w}", f"run.workers={w}", *options), quiet=True) for w in (0, 2)]
    draws = pd.read_parquet(runs[0].folder / "selection.parquet").sort_values("epoch")["draws_per_row"].map(sum)
    assert draws.iloc[0] > draws.iloc[1:3].max()
    assert draws.iloc[3] == draws.iloc[0]  # the last epochs are whole
    weights = [torch.load(run.folder / "model.pt", weights_only=True) for run in runs]
    for run, model in zip(runs[1:], weights[1:], strict=True):
        assert [r["train_loss"] for r in run.history] == [r["train_loss"] for r in runs[0].history]
        assert all(torch.equal(model[name], weights[0][name]) for name in model)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "options"), [("balanced", "{}"), ("hard-imbalance-correlation", "{warmup: 1}")])
def test_runs_learn(make_config, name, options):
    result = fit(make_config(f"selector.name={name}", f"selector.options={options}"), quiet=True)
    losses = [record["train_loss"] for record in result.history]
    assert losses[-1] < losses[0]
    assert result.test["macro_auc"] > 0.7
