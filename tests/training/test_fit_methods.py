"""Whole runs with methods that ask more of the pipeline than ids: row weights and fewer draws, or no observations."""

import pandas as pd
import pytest

from d2ace.pipeline import fit


def test_epochs_of_fewer_draws(make_config):
    """That their row weights reach the loss on any number of workers is asserted in ``test_backbone_fit``."""
    options = ("selector.name=infobatch", "selector.options={prune: 0.5}", "train.epochs=4")
    run = fit(make_config("run.name=a", *options), quiet=True)
    draws = pd.read_parquet(run.folder / "selection.parquet").sort_values("epoch")["draws_per_row"].map(sum)
    assert draws.iloc[0] > draws.iloc[1:3].max()
    assert draws.iloc[3] == draws.iloc[0]  # the last epochs are whole


@pytest.mark.parametrize(("name", "options"), [("balanced", "{}"), ("hard-imbalance-correlation", "{warmup: 1}")])
def test_runs_learn(make_config, name, options):
    result = fit(make_config(f"selector.name={name}", f"selector.options={options}"), quiet=True)
    losses = [record["train_loss"] for record in result.history]
    assert losses[-1] < losses[0]
    assert result.test["macro_auc"] > 0.7
