import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import smooth
from PIL import Image
from scipy import stats

from d2ace.pipeline.feeds.images.geometry import CROP_NUMBERS, Box, cut, middle, random_part, shrinking, within

SIDE = st.integers(1, 400)


@pytest.mark.parametrize("result", [(24, 24), (17, 40), (60, 90), (1, 1)])
@pytest.mark.parametrize("channels", [1, 3])
def test_resizing_is_pillows_within_one_level(result, channels):
    picture = smooth(75, 101, channels)
    box = Box(5, 11, 60, 83)
    got = cut(picture.reshape(75, 101, channels), box, result)
    part = Image.fromarray(picture[5:65, 11:94])
    expected = np.asarray(part.resize(result[::-1], Image.Resampling.BILINEAR)).reshape(*result, channels)
    assert got.shape == (channels, *result) and got.dtype == np.uint8
    assert np.abs(got.transpose(1, 2, 0).astype(int) - expected).max() <= 1


def test_a_part_of_the_right_size_is_not_touched():
    picture = smooth(20, 30)
    np.testing.assert_array_equal(cut(picture, Box(2, 3, 7, 9), (7, 9)), picture[2:9, 3:12].transpose(2, 0, 1))


def test_the_middle():
    assert middle((300, 400), (224, 224)) == Box(0, 50, 300, 300)
    assert middle((400, 300), (100, 200)) == Box(125, 0, 150, 300)
    assert middle((300, 400), (224, 224), 0.5) == Box(75, 125, 150, 150)
    assert middle((300, 400), (300, 400)) == Box(0, 0, 300, 400)


@given(SIDE, SIDE, SIDE, SIDE, st.floats(0.01, 1))
def test_the_middle_lies_inside_and_has_the_shape(h, w, height, width, share):
    box = middle((h, w), (height, width), share)
    assert box.top >= 0 and box.top + box.height <= h and box.left >= 0 and box.left + box.width <= w
    assert abs((h - box.height) - 2 * box.top) <= 1 and abs((w - box.width) - 2 * box.left) <= 1
    assert abs(box.height * width - box.width * height) <= max(height, width)  # a pixel's rounding


def parts(count, image, scale=(0.08, 1.0), ratio=(3 / 4, 4 / 3)):
    numbers = np.random.default_rng(5).random((count, CROP_NUMBERS))
    return [random_part(image, scale, ratio, line) for line in numbers]


def test_random_parts_have_the_published_distribution():
    """On a large square area and ratio always fit when the area is at most half: both laws can be tested alone."""
    boxes = parts(4000, (4000, 4000), scale=(0.08, 0.5))
    areas = np.array([box.height * box.width for box in boxes]) / 4000**2
    ratios = np.log([box.width / box.height for box in boxes])
    assert stats.kstest(areas, stats.uniform(0.08, 0.42).cdf).pvalue > 0.01
    assert stats.kstest(ratios, stats.uniform(math.log(3 / 4), 2 * math.log(4 / 3)).cdf).pvalue > 0.01
    assert abs(stats.pearsonr(areas, ratios)[0]) < 0.05
    tops = [box.top / (4000 - box.height) for box in boxes]
    lefts = [box.left / (4000 - box.width) for box in boxes]
    for places in (tops, lefts):
        assert stats.kstest(places, "uniform").pvalue > 0.01


def test_random_parts_are_those_of_a_plain_loop():
    """The same law as an independent rejection loop with its own generator, where many tries fail."""
    random, image, scale, ratio = np.random.default_rng(8), (300, 500), (0.08, 1.0), (3 / 4, 4 / 3)

    def slow():
        for _ in range(10):
            area = 150_000 * random.uniform(*scale)
            shape = np.exp(random.uniform(np.log(ratio[0]), np.log(ratio[1])))
            width, height = round(np.sqrt(area * shape)), round(np.sqrt(area / shape))
            if width <= 500 and height <= 300:
                return height * width, random.integers(0, 500 - width + 1)
        return 300 * 400, 50

    expected = np.array([slow() for _ in range(4000)])
    boxes = parts(4000, image, scale, ratio)
    got = np.array([(box.height * box.width, box.left) for box in boxes])
    for column in range(2):
        assert stats.ks_2samp(got[:, column], expected[:, column]).pvalue > 0.01


@given(SIDE, SIDE, st.integers(0, 2**32))
def test_random_parts_lie_inside(h, w, seed):
    numbers = np.random.default_rng(seed).random(CROP_NUMBERS)
    box = random_part((h, w), (0.08, 1.0), (3 / 4, 4 / 3), numbers)
    assert box.top >= 0 and box.top + box.height <= h and box.left >= 0 and box.left + box.width <= w
    assert box.height >= 1 and box.width >= 1


def test_where_no_part_fits_it_is_the_middle():
    assert parts(20, (100, 1000), scale=(0.9, 1.0)) == [Box(0, 433, 100, 133)] * 20
    assert parts(20, (1000, 100), scale=(0.9, 1.0)) == [Box(433, 0, 133, 100)] * 20


@pytest.mark.parametrize(
    ("box", "factor"), [((447, 900), 1), ((448, 448), 2), ((895, 896), 2), ((896, 896), 4), ((5000, 1792), 8)]
)
def test_decoding_smaller_leaves_at_least_what_is_wanted(box, factor):
    assert shrinking(Box(0, 0, *box), (224, 224)) == factor


@given(st.integers(1, 4000), st.integers(1, 4000), st.sampled_from([1, 2, 4, 8]), st.data())
def test_a_part_stays_the_same_part_when_the_image_is_smaller(h, w, factor, data):
    top, left = data.draw(st.integers(0, h - 1)), data.draw(st.integers(0, w - 1))
    box = Box(top, left, data.draw(st.integers(1, h - top)), data.draw(st.integers(1, w - left)))
    small = (-(-h // factor), -(-w // factor))
    part = within(box, (h, w), small)
    assert part.height >= 1 and part.top + part.height <= small[0]
    assert part.width >= 1 and part.left + part.width <= small[1]
    assert abs(part.top - box.top * small[0] / h) <= 1 and abs(part.width - box.width * small[1] / w) <= 1.5
    if factor == 1:
        assert part == box
