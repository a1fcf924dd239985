"""The whole transform: what each option changes, and what nothing may change."""

import pickle
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import file_of, manifest_of, smooth
from PIL import Image

from d2ace.pipeline.common.config.images import ImagesSection
from d2ace.pipeline.common.errors import ConfigError, DataError
from d2ace.pipeline.data.scaler import Scaler
from d2ace.pipeline.feeds.image_transform import ImageTransform
from d2ace.pipeline.feeds.request import Request

SCALER = Scaler("standard", np.array([0.4, 0.5, 0.45]), np.array([4.0, 4.2, 3.9]), image=True)
EVERYTHING = {
    "size": (20, 24),
    "random_crop_scale": (0.2, 1.0),
    "flip": 0.5,
    "brightness": 0.3,
    "contrast": 0.3,
    "saturation": 0.3,
    "hue": 0.1,
    "randaugment": 2,
    "cutout": 0.4,
}


@cache
def files() -> list[bytes]:
    return [file_of(smooth(40 + k, 61 - k, seed=k), "PNG" if k % 3 else "JPEG") for k in range(12)]


def transform(threads=1, seed=3, **options) -> ImageTransform:
    made = ImagesSection.make({"size": [20, 24]} | options)
    return ImageTransform(made, manifest_of().image, seed, SCALER, threads)


def request(rows, epoch=None, first=0) -> Request:
    return Request(np.asarray(rows), epoch, first)


def run(made: ImageTransform, rows=range(12), epoch=0, first=0) -> torch.Tensor:
    wanted = request(list(rows), epoch, first)
    pixels = made.pixels([files()[row] for row in rows], wanted, manifest_of())
    return made.batch(torch.from_numpy(pixels), wanted)


def test_evaluation_is_the_middle_resized_and_scaled():
    made = transform(**EVERYTHING, centre_share=0.9)
    wanted = request([4])
    pixels = made.pixels([files()[4]], wanted, manifest_of())
    picture = Image.fromarray(smooth(44, 57, seed=4))
    height, width = round(0.9 * 44), round(0.9 * 24 * 44 / 20)
    top, left = (44 - height) // 2, (57 - width) // 2
    expected = picture.crop((left, top, left + width, top + height)).resize((24, 20), Image.Resampling.BILINEAR)
    assert np.abs(pixels[0].astype(int) - np.asarray(expected).transpose(2, 0, 1)).max() <= 1
    batch = made.batch(torch.from_numpy(pixels), wanted).numpy()
    offset, factor = ((v[:, None, None]).astype(np.float32) for v in (SCALER.offset * 255.0, SCALER.factor / 255.0))
    np.testing.assert_array_equal(batch, (pixels.astype(np.float32) - offset) * factor)
    assert batch.dtype == np.float32 and batch.flags.c_contiguous


def test_stretching_takes_everything():
    pixels = transform(fit="stretch").pixels([files()[4]], request([4]), manifest_of())
    expected = Image.fromarray(smooth(44, 57, seed=4)).resize((24, 20), Image.Resampling.BILINEAR)
    assert np.abs(pixels[0].astype(int) - np.asarray(expected).transpose(2, 0, 1)).max() <= 1


def test_evaluation_does_not_know_augmentation():
    assert torch.equal(run(transform(), epoch=None), run(transform(**EVERYTHING), epoch=None))
    assert torch.equal(run(transform(), epoch=0), run(transform(), epoch=None))


@pytest.mark.parametrize("option", [name for name in EVERYTHING if name != "size"])
def test_every_option_changes_pixels_alone_and_with_all_others(option):
    alone = transform(**{option: EVERYTHING[option]})
    assert not torch.equal(run(alone), run(transform()))
    without = {name: value for name, value in EVERYTHING.items() if name != option}
    assert not torch.equal(run(transform(**EVERYTHING)), run(transform(**without)))


def test_flips_are_flips_of_about_half():
    plain, flipped = run(transform()), run(transform(flip=0.5))
    kinds = [(torch.equal(a, b), torch.equal(a.flip(2), b)) for a, b in zip(plain, flipped, strict=True)]
    assert all(same != mirrored for same, mirrored in kinds)
    assert {same for same, _ in kinds} == {True, False}
    assert torch.equal(run(transform(flip=1.0)), plain.flip(3))


def test_cutout_sets_zeros_and_nothing_else():
    plain, cut = run(transform()), run(transform(cutout=0.4))
    changed = plain != cut
    assert (cut[changed] == 0).all()
    assert 0 < changed.float().mean() <= 64 / 480


def test_seed_epoch_and_draw_matter_and_nothing_else():
    made = transform(**EVERYTHING)
    base = run(made)
    assert torch.equal(base, run(transform(**EVERYTHING)))
    for other in (run(transform(seed=4, **EVERYTHING)), run(made, epoch=1), run(made, first=12)):
        assert not any(torch.equal(a, b) for a, b in zip(base, other, strict=True))
    same_row = run(made, rows=[5, 5])
    assert not torch.equal(same_row[0], same_row[1])


@given(st.lists(st.integers(0, 11), min_size=1, max_size=12), st.data())
@settings(max_examples=30)
def test_requests_may_be_cut_anywhere(rows, data):
    made = transform(**EVERYTHING)
    whole = run(made, rows, epoch=2, first=100)
    cut = data.draw(st.integers(0, len(rows)))
    parts = [run(made, rows[:cut], 2, 100), run(made, rows[cut:], 2, 100 + cut)]
    assert torch.equal(whole, torch.cat(parts))


@pytest.mark.parametrize("cached", [1, 1 << 30])
def test_how_much_is_done_at_once_on_the_cpu_does_not_matter(cached, monkeypatch):
    whole = run(transform(**EVERYTHING))
    monkeypatch.setattr("d2ace.pipeline.feeds.image_transform._CACHED_VALUES", cached)
    assert torch.equal(run(transform(**EVERYTHING)), whole)


@pytest.mark.parametrize("threads", [2, 4, 32])
def test_threads_do_not_matter_and_it_travels(threads):
    made = transform(threads, **EVERYTHING)
    assert torch.equal(run(made), run(transform(1, **EVERYTHING)))
    assert torch.equal(run(pickle.loads(pickle.dumps(made))), run(made))


def test_threads_come_from_argument_settings_or_machine(monkeypatch):
    monkeypatch.setattr("d2ace.pipeline.feeds.image_transform.usable_cpus", lambda: 7)
    assert (transform(5).threads, transform(None).threads) == (5, 7)
    made = ImagesSection.make({"size": 8, "threads": 3})
    assert ImageTransform(made, manifest_of().image, 0).threads == 3


def test_nothing_asked_for_is_nothing():
    for threads in (1, 4):
        assert run(transform(threads, **EVERYTHING), rows=[]).shape == (0, 3, 20, 24)


def test_scaled_decoding_is_close_and_can_be_off():
    photo = file_of(smooth(400, 500), quality=95)
    full, small = (
        transform(scaled_decoding=on).pixels([photo], request([0]), manifest_of()).astype(int) for on in (False, True)
    )
    assert not np.array_equal(full, small)
    assert np.abs(full - small).mean() < 2
    picture = Image.fromarray(smooth(400, 500))
    expected = np.asarray(picture.crop((10, 0, 490, 400)).resize((24, 20), Image.Resampling.BILINEAR))
    assert np.abs(full[0].transpose(1, 2, 0) - expected).mean() < 2


@pytest.fixture
def known_origins(monkeypatch):
    monkeypatch.setattr("d2ace.pipeline.feeds.image_transform.origin", lambda manifest, row: f"{row}.jpg")


@pytest.mark.usefixtures("known_origins")
@pytest.mark.parametrize("threads", [1, 4])
def test_a_broken_image_names_its_row_and_where_it_came_from(threads):
    encoded = [files()[0], files()[1][:80], files()[2]]
    with pytest.raises(DataError, match=r"the image of row 8 \(8.jpg\) cannot be decoded: image file is truncated"):
        transform(threads).pixels(encoded, request([5, 8, 2]), manifest_of())


@pytest.mark.usefixtures("known_origins")
def test_without_a_size_all_must_have_the_common_one():
    made = ImageTransform(ImagesSection(), manifest_of("L", 9, 7).image, 0, threads=1)
    same, other = smooth(9, 7, 1), smooth(7, 9, 1)
    pixels = made.pixels([file_of(same, "PNG")], request([3]), manifest_of())
    np.testing.assert_array_equal(pixels[0, 0], same)
    with pytest.raises(DataError, match=r"row 8 \(8.jpg\) is 7x9 \(height x width\), expected 9x7: set images.size"):
        made.pixels([file_of(same, "PNG"), file_of(other, "PNG")], request([3, 8]), manifest_of())
    with pytest.raises(ConfigError, match="no common size: set images"):
        ImageTransform(ImagesSection(), manifest_of().image, 0)


def test_grey_images_have_no_colours_but_brightness():
    with pytest.raises(ConfigError, match="grey"):
        ImageTransform(ImagesSection(hue=0.1), manifest_of("L", 9, 7).image, 0)
    scaler = Scaler("none", np.zeros(1), np.ones(1), image=True)
    options = ImagesSection(brightness=0.5, randaugment=2, cutout=0.5, random_crop_scale=(0.5, 1), flip=0.5)
    made = ImageTransform(options, manifest_of("L", 9, 7).image, 0, scaler, 1)
    wanted = request([0, 1], 0)
    pixels = made.pixels([file_of(smooth(9, 7, 1), "PNG")] * 2, wanted, manifest_of())
    batch = made.batch(torch.from_numpy(pixels), wanted)
    assert batch.shape == (2, 1, 9, 7) and batch.min() >= 0 and batch.max() <= 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_same_up_to_rounding():
    made, wanted = transform(**EVERYTHING), request(list(range(12)), 0)
    pixels = torch.from_numpy(made.pixels(files(), wanted, manifest_of()))
    on_gpu = made.batch(pixels.cuda(), wanted)
    assert on_gpu.device.type == "cuda"
    close = torch.isclose(on_gpu.cpu(), made.batch(pixels, wanted), atol=1e-4, rtol=1e-4)
    assert close.float().mean() > 0.999  # posterising and solarising have steps, where rounding shows
    plain = transform()
    assert torch.equal(plain.batch(pixels.cuda(), wanted).cpu(), plain.batch(pixels, wanted))
