"""Frames to tensors and back."""

import numpy as np
import pytest
import torch
from PIL import Image

from vtrans.data.tensors import frames_to_tensor, resize_frames, tensor_to_frames


def test_every_level_survives_the_round_trip():
    frames = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, axis=3)
    tensor = frames_to_tensor(frames)
    assert tensor.dtype == torch.float32
    assert tensor.shape == (1, 3, 16, 16)
    assert (tensor.min(), tensor.max()) == (-1, 1)
    np.testing.assert_array_equal(tensor_to_frames(tensor), frames)


def test_levels_are_scaled_and_channels_come_before_rows():
    frames = np.array([[[[0, 51, 102], [153, 204, 255]]], [[[255, 0, 0], [0, 0, 0]]]], np.uint8)  # two frames of 1x2
    expected = [[[[-1, 0.2]], [[-0.6, 0.6]], [[-0.2, 1]]], [[[1, -1]], [[-1, -1]], [[-1, -1]]]]
    tensor = frames_to_tensor(frames)
    torch.testing.assert_close(tensor, torch.tensor(expected, dtype=torch.float32), rtol=0, atol=1e-7)
    assert tensor.is_contiguous()
    np.testing.assert_array_equal(tensor_to_frames(tensor), frames)
    assert tensor_to_frames(tensor).flags.c_contiguous


def test_values_between_levels_are_rounded_and_the_tensor_is_left_alone():
    levels = torch.tensor([0.0, 0.49, 0.51, 99.6, 100.4, 254.51]).reshape(1, 1, 2, 3)
    tensor = levels / 127.5 - 1
    before = tensor.clone()
    frames = tensor_to_frames(tensor)
    assert frames.dtype == np.uint8 and frames.ravel().tolist() == [0, 0, 1, 100, 100, 255]
    assert torch.equal(tensor, before)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_values_outside_are_clamped(dtype):
    tensor = torch.tensor([-7.0, -1.0, 1.0, 9.0], dtype=dtype, requires_grad=True).reshape(1, 1, 2, 2)
    assert tensor_to_frames(tensor).ravel().tolist() == [0, 0, 255, 255]


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_other_precisions_are_read_exactly(dtype):
    """Computed in 16 bits, a level would be off by one."""
    tensor = (torch.arange(256) / 127.5 - 1).reshape(1, 1, 16, 16).to(dtype)
    np.testing.assert_array_equal(tensor_to_frames(tensor), tensor_to_frames(tensor.float()))


def smooth_frames(channels):
    rows, columns = np.mgrid[:60, :48]
    return np.stack([rows * 4, columns * 5, (rows + columns) * 2, 255 - rows][:channels], axis=-1)[None].astype(
        np.uint8
    )


@pytest.mark.parametrize("size", [(20, 30), (286, 286), (61, 24)])
def test_resizing_is_pillows(size):
    noise = np.random.default_rng(0).integers(0, 256, (2, 60, 48, 3), dtype=np.uint8)
    expected = np.stack([np.asarray(Image.fromarray(f).resize(size[::-1], Image.Resampling.BICUBIC)) for f in noise])
    np.testing.assert_array_equal(resize_frames(noise, size), expected)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [(20, 30), (100, 90)])
def test_resizing_is_the_usual_bicubic(size, channels):
    frames = smooth_frames(channels)
    tensor = torch.from_numpy(frames).permute(0, 3, 1, 2).double()
    expected = torch.nn.functional.interpolate(tensor, size=size, mode="bicubic", antialias=True).clamp(0, 255)
    difference = np.abs(resize_frames(frames, size) - expected.permute(0, 2, 3, 1).numpy())
    assert difference.max() < 1.2


@pytest.mark.parametrize(
    ("call", "argument", "error", "message"),
    [
        (frames_to_tensor, np.zeros((1, 2, 2, 3)), TypeError, "frames: expected a uint8 array with values 0 to 255"),
        (frames_to_tensor, np.zeros((2, 2, 3), np.uint8), ValueError, r"\(time, height, width, channel\)"),
        (frames_to_tensor, [[0]], TypeError, "got list"),
        (tensor_to_frames, np.zeros((1, 3, 2, 2)), TypeError, "expected a floating tensor .* got ndarray"),
        (lambda frames: resize_frames(frames, (2, 2)), np.zeros((1, 2, 2, 3)), TypeError, "frames: .* of float64"),
        (tensor_to_frames, torch.zeros(1, 3, 2, 2, dtype=torch.uint8), TypeError, "tensor: expected a floating tensor"),
        (tensor_to_frames, torch.zeros(3, 2, 2), ValueError, r"expected axes \(time, channel, height, width\)"),
        (
            tensor_to_frames,
            torch.full((1, 1, 1, 1), torch.nan),
            ValueError,
            "got NaN. A network that diverged gives such",
        ),
    ],
)
def test_what_is_refused(call, argument, error, message):
    with pytest.raises(error, match=message):
        call(argument)


@pytest.mark.parametrize("size", [(5, 7), (20, 30), (10, 12)])
def test_the_nearest_pixel_is_that_at_the_centre(size):
    frames = np.random.default_rng(0).integers(0, 256, (2, 10, 12, 3), dtype=np.uint8)
    rows, columns = (((np.arange(n) + 0.5) * m // n).astype(int) for n, m in zip(size, (10, 12), strict=True))
    resized = resize_frames(frames, size, nearest=True)
    np.testing.assert_array_equal(resized, frames[:, rows][:, :, columns])
    assert resized.flags.c_contiguous


@pytest.mark.parametrize("nearest", [False, True])
def test_frames_of_that_size_are_the_same_array(nearest):
    frames = np.zeros((2, 4, 6, 3), np.uint8)
    assert resize_frames(frames, (4, 6), nearest=nearest) is frames
    assert resize_frames(frames, (6, 4), nearest=nearest).shape == (2, 6, 4, 3)
