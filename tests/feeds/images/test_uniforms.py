import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from d2ace.pipeline.feeds.images.uniforms import uniforms


@given(st.integers(0, 10_000), st.lists(st.integers(0, 20), max_size=6), st.integers(1, 23))
def test_a_draw_gets_the_same_numbers_however_the_epoch_is_cut(first, counts, width):
    whole = uniforms(7, "crop", 3, first, sum(counts), width)
    starts = first + np.cumsum([0, *counts])
    parts = [uniforms(7, "crop", 3, int(at), rows, width) for at, rows in zip(starts, counts, strict=False)]
    np.testing.assert_array_equal(whole, np.concatenate([*parts, np.zeros((0, width))]))
    assert whole.shape == (sum(counts), width)


def test_seed_purpose_epoch_and_draw_all_count():
    base = uniforms(1, "flip", 0, 0, 50, 2)
    others = [(2, "flip", 0, 0), (1, "crop", 0, 0), (1, "flip", 1, 0), (1, "flip", 0, 50)]
    for other in others:
        assert not np.isin(uniforms(*other, 50, 2), base).any()


def test_the_numbers_are_uniform_and_not_related():
    numbers = uniforms(0, "colour", 0, 0, 5000, 4)
    assert all(stats.kstest(numbers[:, column], "uniform").pvalue > 0.01 for column in range(4))
    lagged = np.corrcoef(np.column_stack([numbers[1:], numbers[:-1]]).T)
    assert np.abs(lagged - np.eye(8)).max() < 0.06
