"""How measured stages add up to an epoch."""

import pytest

from d2ace.pipeline.training.doctor.rate import Rate, repeated


def test_an_epoch_is_training_and_what_follows_it(make_findings):
    found = make_findings()
    assert found.parts == pytest.approx(
        {"step": 10_000 / 950, "rescore": 10_000 / 400_000, "evaluation": 1_000 / 2_000, "checkpoint": 0}
    )
    assert found.epoch_s == pytest.approx(sum(found.parts.values()))
    assert found.bound == "step"
    assert found.share("evaluation", "checkpoint") == pytest.approx(0.5 / found.epoch_s)
    assert found.seconds("storage") == pytest.approx(0.12)


def test_training_waits_for_what_a_checkpoint_takes_longer_than_the_rest(make_findings):
    rest, found = make_findings().epoch_s, make_findings(checkpoint=500)
    assert found.seconds("checkpoint") == found.epoch_s == 20
    assert found.parts["checkpoint"] == pytest.approx(20 - rest)


def test_the_feed_is_one_thread_so_its_stages_add_up(make_findings):
    found = make_findings(gather=3_000, decode=3_000, transfer=3_000, step=1_500, training=990)
    assert found.feed_s == pytest.approx(10.0)
    assert found.bound == "feed"  # though each of its stages is twice as fast as the steps


@pytest.mark.parametrize(
    ("rates", "bound"),
    [
        ({"decode": 500, "training": 490}, "feed"),
        ({"training": 600}, "cores"),
        ({"observe": 100}, "observe"),
        ({"rescore": 100}, "rescore"),
        ({"evaluation": 10}, "evaluation"),
        ({"checkpoint": 100}, "checkpoint"),
    ],
)
def test_the_bound_is_what_takes_most_of_an_epoch(make_findings, rates, bound):
    assert make_findings(**rates).bound == bound


def test_workers_share_training_and_evaluation_but_not_the_actor(make_findings):
    one, three = make_findings(), make_findings(workers=3, share=0.5)
    assert three.seconds("step") == one.seconds("step") / 2  # the busiest has two of four micro-batches
    assert three.seconds("decode") == one.seconds("decode") / 2
    assert three.seconds("evaluation") == pytest.approx(one.seconds("evaluation") / 3)
    for stage in ("observe", "rescore", "checkpoint", "storage"):
        assert three.seconds(stage) == one.seconds(stage)


@pytest.mark.parametrize(("every", "written"), [(0, 1), (25, 4), (99, 2), (100, 1), (1000, 1)])
def test_checkpoints_within_an_epoch_count(make_findings, every, written):
    """As the worker does: after every n-th step but the last one, and once at the end."""
    slow = [done for done in range(1, 101) if every and done % every == 0 and done < 100]
    assert len(slow) + 1 == written
    assert make_findings(checkpoint_steps=every).seconds("checkpoint") == pytest.approx(0.05 * written)


def test_work_is_repeated_until_the_time_is_over_and_once_at_least():
    calls = []
    rate = repeated(lambda: calls.append(0) or 7, 0.0)
    assert (len(calls), rate.rows) == (2, 7)
    rate = repeated(lambda: 1, 0.02)
    assert rate.seconds >= 0.02 and rate.rows > 1
    assert Rate(50, 2.0).per_s == 25 and Rate(50, 2.0).seconds_for(100) == 4
