"""D2ACE against the recorded run of its authors' program."""

import numpy as np
import pytest

from d2ace.selectors.d2ace import D2ACE

STATE = ("uncertainty", "flip")
MATRICES = (
    "hardness",
    "label_weight_uncertainty",
    "label_weight_hardness",
    "correlation_uncertainty",
    "correlation_hardness",
    "local_context",
    "score_uncertainty",
    "score_hardness",
    "beta",
)
LAWS = ("p_uncertainty", "p_hardness", "p")


@pytest.fixture(scope="module")
def trace(shared):
    with np.load(shared / "spec" / "d2ace-trace.npz") as archive:
        return dict(archive)


@pytest.mark.parametrize("variant", ["corrected", "released"])
@pytest.mark.parametrize("source", ["features", "neighbour_ids"])
def test_trace(trace, variant, source):
    near = {"features": trace["X"], "neighbour_ids": trace["neighbours"]}[source]
    selector = D2ACE(
        labels=trace["Y"],
        batch_size=int(trace["batch_size"]),
        epochs=100,
        neighbours=int(trace["k"]),
        variant=variant,
        **{source: near, **D2ACE.presets["paper"]},
    )
    for epoch in range(int(trace["epochs"])):
        replay(selector, trace, epoch)
        selector.end_epoch(int(trace[f"e{epoch}_schedule_epoch"]) if epoch else 0)
        if epoch:
            compare(selector.diagnostics(), trace, epoch, variant)


def replay(selector, trace, epoch):
    for batch in range(int(trace[f"e{epoch}_batches"])):
        at = f"e{epoch}_b{batch}"
        selector.observe(trace[f"{at}_ids"], trace[f"{at}_prob"], trace[f"{at}_loss"])


def compare(found, trace, epoch, variant):
    for name in STATE:
        np.testing.assert_allclose(found[name], trace[f"e{epoch}_{name}"], rtol=0, atol=1e-5, err_msg=name)
    for name in MATRICES:
        want = trace[f"e{epoch}_{variant}_{name}"]
        np.testing.assert_allclose(found[name], want, rtol=0, atol=1e-5, err_msg=name)
    for name in LAWS:
        want = trace[f"e{epoch}_{variant}_{name}"]
        one_step = 8 ** (1 / len(want)) - 1
        np.testing.assert_allclose(found[name], want, rtol=one_step * 1.01, err_msg=name)
        assert (np.abs(found[name] / want - 1) > 1e-5).mean() < 0.02, f"{name}: too many rows off by a step"
