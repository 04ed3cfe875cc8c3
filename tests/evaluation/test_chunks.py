"""Frames as they stream by: which are new, and what is known of them."""

import numpy as np
import pytest
import torch
from torch import nn

from vtrans.data import Motion
from vtrans.data.palettes import Palette
from vtrans.evaluation import Chunk, Features, estimate_flow, estimate_motion


def frames(count, side=12):
    return torch.rand(count, 3, side, side) * 2 - 1


@pytest.mark.parametrize("fresh", [0, 1])
def test_new_frames_are_those_that_were_not_in_the_chunk_before(fresh):
    chunk = Chunk({"source": frames(3), "output": frames(3)}, fresh)
    assert len(chunk) == 3 and len(chunk.new) == 3 - fresh and chunk.new.fresh == 0
    for name in ("source", "output"):
        assert name in chunk.new and torch.equal(chunk.new[name], chunk[name][fresh:])
    assert "truth" not in chunk.new
    assert chunk.frames("source").shape == (3, 12, 12, 3) and chunk.new.frames("source").shape[0] == 3 - fresh


def test_motion_is_the_exact_one_where_it_is_known():
    exact = Motion(np.ones((1, 2, 12, 12), np.float32), np.ones((1, 12, 12), bool))
    streams = {"source": frames(2), "output": frames(2)}
    assert Chunk(streams, exact=exact).motion is exact
    estimated, expected = Chunk(streams).motion, estimate_motion(streams["source"])
    np.testing.assert_array_equal(estimated.flow, expected.flow)
    np.testing.assert_array_equal(estimated.occluded, expected.occluded)


def test_what_is_known_of_each_stream_is_its_own():
    a, b = frames(2), frames(2)
    palette = Palette(["dark", "light"], [(0, 0, 0), (255, 255, 255)])
    chunk = Chunk({"a": a, "b": b}, palette=palette, network=Features(nn.Identity(), "means", size=None))
    for name, given in (("a", a), ("b", b), ("a", a)):
        np.testing.assert_array_equal(chunk.flow(name), estimate_flow(given))
        torch.testing.assert_close(chunk.features(name), given.mean(dim=(2, 3)) / 2 + 0.5)
        np.testing.assert_array_equal(chunk.frames(name), ((given + 1) * 127.5).round().permute(0, 2, 3, 1).numpy())
        np.testing.assert_array_equal(chunk.classes(name), (chunk.frames(name).mean(-1) > 127.5))


def test_what_several_metrics_ask_for_is_computed_once():
    calls = []

    class Network(nn.Module):
        def forward(self, frames):
            calls.append(len(frames))
            return frames

    chunk = Chunk({"a": frames(2), "b": frames(2)}, fresh=1, network=Features(Network(), "counted", size=None))
    for _ in range(2):
        for name in ("a", "b"):
            chunk.features(name)
            chunk.new.features(name)
    assert sorted(calls) == [1, 1, 2, 2]


def test_what_is_not_there_cannot_be_asked_for():
    chunk = Chunk({"output": frames(1)})
    with pytest.raises(ValueError, match="palette: expected one, for classes of pixels, got none"):
        chunk.classes("output")
    with pytest.raises(ValueError, match="features: expected a feature network, got none"):
        chunk.features("output")
