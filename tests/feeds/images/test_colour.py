"""Each colour operation against Pillow's own, or against a plain loop."""

import colorsys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pictures import smooth
from PIL import Image, ImageEnhance, ImageOps
from scipy import stats

from d2ace.pipeline.feeds.images.colour import Colours, drawn_colours, grey_means, recoloured
from d2ace.pipeline.feeds.images.cutout import cut_out
from d2ace.pipeline.feeds.images.randaugment import OPERATIONS, randaugmented

PIXELS = torch.from_numpy(np.stack([smooth(24, 31, seed=seed).transpose(2, 0, 1) for seed in range(6)]))


def colours(n=1, **changed):
    values = {"brightness": 1.0, "contrast": 1.0, "saturation": 1.0, "hue": 0.0} | changed
    return Colours(**{name: np.full(n, value) for name, value in values.items()})


def recolour(pixels, **changed):
    return recoloured(pixels.float(), grey_means(pixels), colours(len(pixels), **changed))


def as_picture(pixels):
    return Image.fromarray(pixels.numpy().transpose(1, 2, 0).squeeze())


ENHANCERS = {"brightness": ImageEnhance.Brightness, "contrast": ImageEnhance.Contrast, "saturation": ImageEnhance.Color}


@pytest.mark.parametrize("name", ENHANCERS)
@pytest.mark.parametrize("factor", [0.0, 0.5, 1.0, 1.7])
@pytest.mark.parametrize("grey", [False, True])
def test_single_operations_are_pillows(name, factor, grey):
    if grey and name == "saturation":
        pytest.skip("Pillow has no saturation of grey images")
    pixels = PIXELS[:, :1] if grey else PIXELS
    for got, one in zip(recolour(pixels, **{name: factor}), pixels, strict=True):
        expected = np.asarray(ENHANCERS[name](as_picture(one)).enhance(factor)).reshape(24, 31, -1).transpose(2, 0, 1)
        assert np.abs(got.numpy() - expected).max() < 1.6  # Pillow rounds its grey, and cuts off the result


def test_all_together_are_one_after_the_other_where_nothing_clips():
    pixels = (PIXELS.float() * 0.25 + 90).round().to(torch.uint8)
    steps = {"brightness": 1.1, "contrast": 0.8, "saturation": 1.2, "hue": 0.05}
    means, levels = grey_means(pixels), pixels.float()
    for name, value in steps.items():
        levels = recoloured(levels, means, colours(len(pixels), **{name: value}))
        if name == "brightness":
            means = means * value
    torch.testing.assert_close(recolour(pixels, **steps), levels, atol=1e-3, rtol=0)


def test_hue_turns_colours_and_leaves_grey_and_luma():
    grey = PIXELS[:, :1].expand(-1, 3, -1, -1).contiguous()
    torch.testing.assert_close(recolour(grey, hue=0.3), grey.float(), atol=1e-3, rtol=0)
    soft = (PIXELS.float() * 0.2 + 100).round().to(torch.uint8)
    weights = torch.tensor([0.299, 0.587, 0.114])
    luma = torch.einsum("nchw,c->nhw", soft.float(), weights)
    turned = recolour(soft, hue=0.3)
    torch.testing.assert_close(torch.einsum("nchw,c->nhw", turned, weights), luma, atol=1e-3, rtol=0)
    torch.testing.assert_close(recolour(soft, hue=1.0), soft.float(), atol=1e-2, rtol=0)
    back = recoloured(turned, grey_means(soft), colours(6, hue=-0.3))
    torch.testing.assert_close(back, soft.float(), atol=1e-2, rtol=0)


@pytest.mark.parametrize("turn", [0.25, -0.25, 0.5])
def test_hue_is_the_angle_in_the_standard_librarys_yiq(turn):
    pixels = (PIXELS.float() * 0.1 + 110).round().to(torch.uint8)
    turned = recolour(pixels, hue=turn)
    for place in [(0, 3, 5), (4, 20, 11)]:
        before, after = (
            colorsys.rgb_to_yiq(*image[place[0], :, place[1], place[2]].tolist()) for image in (pixels, turned)
        )
        angles = [np.angle(complex(i, q)) for _, i, q in (before, after)]
        assert (angles[1] - angles[0] - 2 * np.pi * turn + np.pi) % (2 * np.pi) == pytest.approx(np.pi, abs=0.15)


def test_each_image_has_its_own_colours_and_no_other_counts():
    factors = np.linspace(0.5, 1.5, 6)
    drawn = Colours(factors, factors[::-1].copy(), factors, factors / 10)
    together = recoloured(PIXELS.float(), grey_means(PIXELS), drawn)
    for k in range(6):
        row = slice(k, k + 1)
        own = Colours(drawn.brightness[row], drawn.contrast[row], drawn.saturation[row], drawn.hue[row])
        assert torch.equal(recoloured(PIXELS[row].float(), grey_means(PIXELS[row]), own)[0], together[k])


def test_drawn_factors_have_the_documented_ranges():
    numbers = np.random.default_rng(0).random((4000, 4))
    drawn = drawn_colours(numbers, 0.4, 1.5, 0.0, 0.2)
    assert stats.kstest(drawn.brightness, stats.uniform(0.6, 0.8).cdf).pvalue > 0.01
    assert stats.kstest(drawn.contrast, stats.uniform(0.0, 2.5).cdf).pvalue > 0.01
    assert (drawn.saturation == 1).all()
    assert stats.kstest(drawn.hue, stats.uniform(-0.2, 0.4).cdf).pvalue > 0.01


def one_operation(name, magnitude, sign=0.9, pixels=PIXELS):
    numbers = np.tile([(OPERATIONS.index(name) + 0.5) / len(OPERATIONS), sign], (len(pixels), 1))
    return randaugmented(pixels.float(), grey_means(pixels), numbers, 1, magnitude)


@pytest.mark.parametrize("magnitude", [0, 9, 30])
@pytest.mark.parametrize("sign", [0.1, 0.9])
@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_are_pillows_with_torchvisions_strengths(name, magnitude, sign):
    strength = 0.9 * magnitude / 30 * (1 if sign > 0.5 else -1)
    oracle = {
        "identity": lambda picture: picture,
        "autocontrast": ImageOps.autocontrast,
        "solarize": lambda picture: ImageOps.solarize(picture, np.ceil(np.linspace(255, 0, 31)[magnitude])),
        "posterize": lambda picture: ImageOps.posterize(picture, 8 - round(magnitude / (30 / 4))),
        **{key: lambda p, kind=kind: kind(p).enhance(1 + strength) for key, kind in ENHANCERS.items()},
    }[name]
    for got, one in zip(one_operation(name, magnitude, sign), PIXELS, strict=True):
        expected = np.asarray(oracle(as_picture(one))).transpose(2, 0, 1)
        assert np.abs(got.numpy() - expected).max() < 1.6  # Pillow rounds its grey, and cuts off the result


def test_a_flat_image_has_no_contrast_to_spread():
    flat = torch.full((1, 3, 4, 4), 77, dtype=torch.uint8)
    assert torch.equal(one_operation("autocontrast", 5, pixels=flat), flat.float())


def test_operations_are_drawn_alike_and_follow_each_other():
    numbers = np.random.default_rng(0).random((7000, 4))
    small = torch.from_numpy(np.random.default_rng(1).integers(0, 256, (7000, 3, 4, 4), dtype=np.uint8))
    both = randaugmented(small.float(), grey_means(small), numbers, 2, 15)
    first = randaugmented(small.float(), grey_means(small), numbers[:, :2], 1, 15)
    assert torch.equal(randaugmented(first, grey_means(small), numbers[:, 2:], 1, 15), both)
    unchanged = (randaugmented(small.float(), grey_means(small), numbers, 1, 15) == small).flatten(1).all(1)
    assert abs(unchanged.float().mean() - 1 / len(OPERATIONS)) < 0.02


@given(st.integers(2, 40), st.integers(2, 40), st.floats(0, 0.99), st.integers(0, 999))
def test_cutout_is_the_authors_loop(height, width, share, seed):
    numbers = np.random.default_rng(seed).random((3, 2))
    got = cut_out(torch.ones(3, 2, height, width), numbers, share)
    length = 2 * (round(share * min(height, width)) // 2)
    for image, (down, across) in zip(got, numbers, strict=True):
        mask = np.ones((height, width), np.float32)
        y, x = int(down * height), int(across * width)
        y1, y2 = np.clip([y - length // 2, y + length // 2], 0, height)
        x1, x2 = np.clip([x - length // 2, x + length // 2], 0, width)
        mask[y1:y2, x1:x2] = 0.0
        np.testing.assert_array_equal(image.numpy(), np.broadcast_to(mask, (2, height, width)))
