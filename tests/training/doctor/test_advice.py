"""Every rule speaks when it should, says the numbers that matter, and is silent otherwise."""

import pytest

from d2ace.pipeline.training.doctor import advice, as_text
from d2ace.pipeline.training.doctor.advice import advise


def test_a_run_bound_by_its_steps_gets_one_piece_of_advice(make_findings):
    [told] = advise(make_findings())
    assert told == advice.step(make_findings()) and "as they should" in told


def test_a_slow_decoder_is_answered_with_cores_or_smaller_images(make_findings):
    told = advice.feed(make_findings(decode=300, training=290))
    assert "trains 1,000 rows/s" in told and "1 decoding thread makes 300" in told and "smaller images" in told
    assert "4 on as many cores" in told
    several = advice.feed(make_findings(decode=300, training=290, decode_threads=3))
    assert "3 decoding threads make 300: 10 on as many cores" in several and "images.threads" in several
    table = advice.feed(make_findings(decode=300, training=290, images=False))
    assert "scales 300" in table and "images" not in table
    assert "a GPU of its own" in advice.feed(make_findings(decode=300, training=290, gpu=True))
    assert advice.feed(make_findings()) is None


def test_slow_rows_are_told_apart_from_slow_decoding(make_findings):
    told = advice.feed(make_findings(gather=200, training=190))
    assert "object store" in told and "cores would" not in told


def test_too_few_cores(make_findings):
    assert "run.threads (3)" in advice.cores(make_findings(training=500, threads=3))
    assert advice.cores(make_findings()) is None


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({}, "or a GPU"),
        ({"idle_gpus": 2}, "set run.gpu=true"),
        ({"gpu": True}, "train.precision=bf16"),
        ({"gpu": True, "precision": "bf16", "idle_gpus": 3}, "3 more GPUs"),
        ({"gpu": True, "precision": "bf16"}, "train.batch_size"),
    ],
)
def test_faster_steps(make_findings, setting, words):
    assert words in advice.step(make_findings(**setting))


@pytest.mark.parametrize(("rate", "rule"), [("observe", advice.observing), ("rescore", advice.rescoring)])
def test_slow_selection(make_findings, rate, rule):
    slow = {rate: 500}
    assert rule(make_findings()) is None
    assert "selector.ranges splits" in rule(make_findings(**slow))
    assert "More nodes" in rule(make_findings(**slow, can_split=False))
    assert "lighter method than balanced" in rule(
        make_findings(**slow, method="balanced", splits=False, can_split=False)
    )


def test_rescoring_is_told_from_a_twentieth_of_an_epoch_on(make_findings):
    before = make_findings().epoch_s - 0.025
    for share, told in ((0.04, False), (0.06, True)):
        seconds = share / (1 - share) * before
        found = make_findings(rescore=10_000 / seconds)
        assert found.share("rescore") == pytest.approx(share)
        assert (advice.rescoring(found) is not None) == told


def test_slow_evaluation(make_findings):
    assert "1,000 validation rows" in advice.evaluation(make_findings(evaluation=100))
    assert advice.evaluation(make_findings()) is None


def test_slow_checkpoints(make_findings):
    slow = advice.checkpoint(make_findings(checkpoint=500))
    assert "takes 20.0 s an epoch, and training waits for 45% of it: put run.storage on faster storage" in slow
    often = advice.checkpoint(make_findings(checkpoint=5_000, checkpoint_steps=5))
    assert "larger run.checkpoint_steps (now 5)" in often
    assert "run.storage" in advice.checkpoint(make_findings(checkpoint=500, checkpoint_steps=500))
    assert advice.checkpoint(make_findings()) is None


def test_slow_storage_counts_against_the_whole_run(make_findings):
    assert advice.reading(make_findings(storage=400)) is not None  # 30 s before ten epochs of 11 s
    assert advice.reading(make_findings(storage=400, epochs=100)) is None


def test_memory(make_findings):
    assert advice.state_memory(make_findings()) is None and advice.data_memory(make_findings()) is None
    told = advice.state_memory(make_findings(state=5 * 10**9))
    assert "takes 5.0 GB" in told and "has 1.0 GB" in told and "history_dtype=float16" in told
    assert "spilled to disk" in advice.data_memory(make_findings(data=2 * 10**9))
    unknown = make_findings(state=5 * 10**9, data=2 * 10**9, head=0, store=0)
    assert advice.state_memory(unknown) is None and advice.data_memory(unknown) is None


def test_the_text_has_a_line_a_stage_the_bound_memory_and_advice(make_findings):
    lines = as_text(make_findings(decode=300, training=290)).splitlines()
    assert [line.split()[0] for line in lines[2:11]] == [*make_findings().rates]
    decode = next(line for line in lines if line.startswith("decode"))
    assert decode.split()[1:3] == ["300", "33.333"]
    assert "bound by the feed" in lines[12] and "10,000 rows (paper)" in lines[12]
    assert lines[13] == "memory: data set 0.10 GB (object store: 1.0 GB), selection state 0.10 GB (head: 1.0 GB)"
    assert lines[14:] == advise(make_findings(decode=300, training=290))
    assert "(head" not in as_text(make_findings(head=0))
