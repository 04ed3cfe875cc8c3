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


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_values_outside_are_clamped(dtype):
    tensor = torch.tensor([-7.0, -1.0, 1.0, 9.0], dtype=dtype, requires_grad=True).reshape(1, 1, 2, 2)
    assert tensor_to_frames(tensor).ravel().tolist() == [0, 0, 255, 255]


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
        (tensor_to_frames, torch.zeros(1, 3, 2, 2, dtype=torch.uint8), TypeError, "expected a floating tensor"),
        (tensor_to_frames, torch.zeros(3, 2, 2), ValueError, r"expected axes \(time, channel, height, width\)"),
        (tensor_to_frames, torch.full((1, 1, 1, 1), torch.nan), ValueError, "got NaN"),
    ],
)
def test_what_is_refused(call, argument, error, message):
    with pytest.raises(error, match=message):
        call(argument)


@pytest.mark.parametrize("size", [(5, 7), (20, 30), (10, 12)])
def test_the_nearest_pixel_is_that_at_the_centre(size):
    frames = np.random.default_rng(0).integers(0, 256, (2, 10, 12, 3), dtype=np.uint8)
    rows, columns = (((np.arange(n) + 0.5) * m // n).astype(int) for n, m in zip(size, (10, 12), strict=True))
    np.testing.assert_array_equal(resize_frames(frames, size, nearest=True), frames[:, rows][:, :, columns])
