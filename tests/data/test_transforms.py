"""Colour jitter against references of its own, and the published preparation against Pillow."""

import colorsys

import av
import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from helpers.media import places
from hypothesis import given
from PIL import Image, ImageEnhance

from vtrans.data import ArraySequence, Clips, FrameSource, tensor_to_frames
from vtrans.data.transforms import PRESETS, Colouring, Jitter

FULL = Jitter(brightness=0.4, contrast=0.3, saturation=0.5, hue=0.1)
GREY = torch.tensor([0.299, 0.587, 0.114], dtype=torch.float64)[:, None, None]


def clip_of(seed=0, time=3, channels=3, height=7, width=5, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(time, channels, height, width, generator=generator, dtype=dtype) * 2 - 1


def by_formula(clip, colouring):
    """The documented steps one after the other, with the hue turned pixel by pixel."""
    v = (clip + 1) / 2
    v = (colouring.brightness * v).clamp(0, 1)
    mean = (GREY * v).sum(dim=1).mean() if clip.shape[1] == 3 else v.mean()
    v = (colouring.contrast * v + (1 - colouring.contrast) * mean).clamp(0, 1)
    if clip.shape[1] == 3:
        v = (colouring.saturation * v + (1 - colouring.saturation) * (GREY * v).sum(dim=1, keepdim=True)).clamp(0, 1)
        for t, row, column in np.ndindex(v.shape[0], *v.shape[2:]):
            h, s, level = colorsys.rgb_to_hsv(*v[t, :, row, column].tolist())
            v[t, :, row, column] = torch.tensor(colorsys.hsv_to_rgb((h + colouring.hue) % 1, s, level))
    return v * 2 - 1


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("channels", [1, 3])
def test_all_steps_follow_the_formula(seed, channels):
    jitter = FULL if channels == 3 else Jitter(brightness=0.4, contrast=0.9)
    colouring, clip = jitter.draw(np.random.default_rng(seed)), clip_of(seed, channels=channels)
    changed = jitter.apply(clip, colouring)
    torch.testing.assert_close(changed, by_formula(clip, colouring), rtol=0, atol=1e-6)
    assert changed.shape == clip.shape and changed.dtype == clip.dtype and changed.is_contiguous()
    assert (changed - clip).abs().max() > 0.02


@pytest.mark.parametrize(
    ("name", "enhancer"), [("brightness", "Brightness"), ("contrast", "Contrast"), ("saturation", "Color")]
)
@pytest.mark.parametrize("factor", [0.6, 1.5])
def test_one_step_on_one_frame_is_pillows(name, enhancer, factor):
    frame = np.random.default_rng(0).integers(0, 256, (32, 40, 3)).astype(np.uint8)
    expected = np.asarray(getattr(ImageEnhance, enhancer)(Image.fromarray(frame)).enhance(factor))
    clip = torch.from_numpy(frame.transpose(2, 0, 1)[None]).float() / 127.5 - 1
    changed = tensor_to_frames(Jitter.apply(clip, Colouring(**{name: factor})))[0]
    assert np.abs(changed.astype(int) - expected).max() <= 1


@given(
    st.integers(0, 2**32 - 1),
    st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 0.5)),
)
def test_draws_stay_in_their_ranges_and_so_do_values(seed, widths):
    jitter = Jitter(*widths)
    colouring = jitter.draw(np.random.default_rng(seed))
    for name in ("brightness", "contrast", "saturation"):
        assert abs(getattr(colouring, name) - 1) <= getattr(jitter, name)
    assert abs(colouring.hue) <= jitter.hue
    changed = jitter.apply(clip_of(seed % 5, dtype=torch.float32), colouring)
    assert changed.dtype == torch.float32
    assert changed.abs().max() <= 1 and changed.isfinite().all()


def test_four_numbers_of_0_to_1_become_shares_of_the_half_widths():
    class Known:
        def random(self, count):
            return np.array([0.75, 0.0, 0.25, 1.0])[:count]

    drawn = Jitter(brightness=0.4, contrast=0.3, saturation=0.5, hue=0.1).draw(Known())
    assert vars(drawn) == pytest.approx({"brightness": 1.2, "contrast": 0.7, "saturation": 0.75, "hue": 0.1})


def test_draws_are_uniform_and_each_is_a_function_of_the_generator():
    random = np.random.default_rng(0)
    drawn = np.array([list(vars(FULL.draw(random)).values()) for _ in range(4000)])
    shares = (drawn - [1, 1, 1, 0]) / [0.4, 0.3, 0.5, 0.1]
    for column in shares.T:
        counts, _ = np.histogram(column, bins=10, range=(-1, 1))
        assert ((counts - 400) ** 2 / 400).sum() < 33.7  # chi squared of 9 degrees, 99.99 %
    assert np.abs(np.corrcoef(shares.T) - np.eye(4)).max() < 0.06
    assert FULL.draw(np.random.default_rng(7)) == FULL.draw(np.random.default_rng(7))


def test_one_change_more_leaves_the_others_as_they_were():
    one, other = (jitter.draw(np.random.default_rng(3)) for jitter in (Jitter(brightness=0.2), FULL))
    assert one.brightness - 1 == pytest.approx((other.brightness - 1) / 2)
    a, b = np.random.default_rng(3), np.random.default_rng(3)
    Jitter().draw(a), FULL.draw(b)
    assert a.random() == b.random()


def test_no_jitter_changes_nothing_at_all():
    clip = clip_of(dtype=torch.float32)
    colouring = Jitter().draw(np.random.default_rng(0))
    assert colouring == Colouring()
    assert Jitter().apply(clip, colouring) is clip


def test_equal_colours_stay_equal_in_every_frame():
    """A wall behind something bright that comes into view keeps one look."""
    clip = torch.full((4, 3, 8, 8), -0.2)
    clip[2:, :, 2:6, 2:6] = torch.tensor([1.0, 0.1, -0.5])[:, None, None]
    changed = FULL.apply(clip, Colouring(brightness=1.2, contrast=0.7, saturation=1.3, hue=0.05))
    torch.testing.assert_close(changed[:, :, 0, 0], changed[:1, :, 0, 0].expand(4, 3), rtol=0, atol=0)
    assert not torch.equal(changed, clip)


def test_other_kinds_of_numbers_do():
    jitter = Jitter(np.float32(0.5), 1, hue=np.float64(0.25))
    assert jitter == Jitter(brightness=0.5, contrast=1.0, hue=0.25) and type(jitter.brightness) is float
    clip = clip_of()
    for colouring in (
        jitter.draw(np.random.default_rng(0)),
        Colouring(brightness=2, hue=0),
        *(Colouring(contrast=c, saturation=s) for c in (0, 1, 2) for s in (0, 1, 2)),
    ):
        torch.testing.assert_close(jitter.apply(clip, colouring), by_formula(clip, colouring), rtol=0, atol=1e-6)


def test_the_clip_given_is_left_alone():
    clip = clip_of()
    before = clip.clone()
    FULL.apply(clip, Colouring(1.2, 1.2, 1.2, 0.1))
    torch.testing.assert_close(clip, before, rtol=0, atol=0)


@pytest.mark.parametrize("shape", [(0, 3, 4, 4), (2, 3, 0, 4), (1, 3, 1, 1)])
def test_small_and_empty_clips(shape):
    assert FULL.apply(torch.zeros(shape), Colouring(1.2, 0.8, 1.2, 0.1)).shape == shape


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: Jitter(hue=0.6), ValueError, "hue: expected a half-width from 0 to 0.5, got 0.6."),
        (lambda: Jitter(brightness=-0.1), ValueError, "brightness: expected a half-width from 0 to 1, got -0.1."),
        (lambda: Jitter(contrast=float("nan")), ValueError, "contrast: expected a half-width from 0 to 1, got nan."),
        (lambda: Jitter(saturation="0.1"), TypeError, "saturation: expected a half-width from 0 to 1, got '0.1'."),
        (lambda: Jitter(saturation=True), TypeError, "got True."),
        (
            lambda: Jitter(brightness=0.1, hue=0.1).check_channels(1),
            ValueError,
            "hue: expected no change, got some. Frames of 1 channel have none. Leave hue at 0.",
        ),
        (
            lambda: FULL.apply(clip_of(channels=1), Colouring(saturation=1.1)),
            ValueError,
            "saturation: expected no change, got some. Frames of 1 channel have none. Leave saturation at 0.",
        ),
        (
            lambda: FULL.apply(clip_of(channels=2), Colouring(hue=0.1)),
            ValueError,
            "hue: expected no change, got some. Frames of 2 channels have none. Leave hue at 0.",
        ),
        (lambda: FULL.apply(clip_of()[0], Colouring()), ValueError, "clip: expected axes (time, channel, height"),
        (lambda: FULL.apply(torch.zeros(1, 3, 2, 2).byte(), Colouring()), TypeError, "got torch.uint8."),
        (lambda: FULL.apply(np.zeros((1, 3, 2, 2)), Colouring()), TypeError, "got ndarray."),
    ],
)
def test_what_is_refused(make, kind, message):
    with pytest.raises(kind) as error:
        make()
    assert message in str(error.value)


def test_colours_can_change_where_there_are_some():
    FULL.check_channels(3)
    Jitter(brightness=1, contrast=1).check_channels(1)


def test_the_published_preparation_resizes_as_pillow_does(real_clips):
    with av.open(str(real_clips["bigbuckbunny"])) as container:
        frame = next(container.decode(video=0)).to_ndarray(format="rgb24")
    for picture in (frame, frame[:256, :256]):
        source = FrameSource([ArraySequence(picture[None].copy())], name="one frame")
        resized = Clips(source, length=1, size=PRESETS["published"]["size"])[0]
        expected = np.asarray(Image.fromarray(picture).resize((286, 286), Image.Resampling.BICUBIC))
        np.testing.assert_array_equal(tensor_to_frames(resized)[0], expected)


def test_presets_are_fixed():
    assert PRESETS["published"] == {"size": 286, "crop": 256, "flip": False}
    assert Clips(places(), **PRESETS["published"])[0].shape == (3, 3, 256, 256)
    with pytest.raises(TypeError):
        PRESETS["mine"] = PRESETS["published"]
