"""Edges of frames, and pairs of a video and its edges."""

import numpy as np
import pytest
from helpers.media import encode, moving

from vtrans.data import ArraySequence, FrameSource, open_source
from vtrans.data.colours import luma
from vtrans.data.edges import edge_pair, edges


def drawn(frames):
    """The edges by sums of shifted frames in whole numbers; borders repeat the outermost pixels."""
    grey = (frames if frames.shape[-1] == 1 else luma(frames))[..., 0].astype(np.int64)
    v = np.pad(grey, ((0, 0), (1, 1), (1, 1)), mode="edge")
    across = (v[:, :-2] + 2 * v[:, 1:-1] + v[:, 2:])[:, :, 2:] - (v[:, :-2] + 2 * v[:, 1:-1] + v[:, 2:])[:, :, :-2]
    down = (v[:, 2:] - v[:, :-2])[:, :, :-2] + 2 * (v[:, 2:] - v[:, :-2])[:, :, 1:-1] + (v[:, 2:] - v[:, :-2])[:, :, 2:]
    strength = np.sqrt((across**2 + down**2).astype(np.float64))
    return (255 - np.minimum(255, np.round(strength / 2)))[..., None].astype(np.uint8)


@pytest.mark.parametrize("size", [(33, 47), (1, 1), (1, 9), (64, 2)])
@pytest.mark.parametrize("channels", [1, 3])
def test_edges_match_sums_of_whole_numbers(size, channels):
    frames = np.random.default_rng(0).integers(0, 256, (4, *size, channels)).astype(np.uint8)
    source = FrameSource([ArraySequence(frames)], name="noise")
    one = edges(source, channels=1)
    assert one.channels == 1 and (one.sequences[0].read(0, 4) == drawn(frames)).all()
    three = edges(source).sequences[0]
    assert three.channels == 3 and not three.discrete
    assert (three.read(1, 2) == np.repeat(drawn(frames)[1:3], 3, axis=-1)).all()
    assert (np.stack(list(three.stream())) == three.read(0, 4)).all()


def test_a_step_of_half_the_range_is_black_and_plain_areas_are_white():
    frames = np.full((1, 6, 8, 3), 20, np.uint8)
    frames[:, :, 4:] = 148
    picture = edges(FrameSource([ArraySequence(frames)], name="step"), channels=1).sequences[0].read(0, 1)[0, :, :, 0]
    assert (picture[:, 3:5] == 0).all()
    assert (picture[:, :3] == 255).all() and (picture[:, 5:] == 255).all()


def frames_of(source, whole_length):
    """Which frames of the one whole sequence a source shows."""
    shown = np.zeros(whole_length, bool)
    for sequence in source.sequences:
        shown[sequence.start : sequence.start + sequence.length] = True
    return np.flatnonzero(shown)


def test_a_pair_is_unpaired_in_training_and_paired_where_held_out(tmp_path):
    source = open_source(encode(tmp_path / "walk.mp4", moving(120)))
    pair = edge_pair(source)
    x, y, test_x, test_y = (frames_of(part, 120) for part in (pair.x, pair.y, pair.held_out_x, pair.held_out_y))
    assert (test_x == test_y).all() and test_x.tolist() == list(range(96, 120))
    assert x[0] == 0 and x[-1] < y[0] - 1 and y[-1] < test_x[0] - 1
    assert abs(len(x) - len(y)) <= 5
    held_out = pair.held_out_x.sequences[0].read(0, 24)
    assert (pair.held_out_y.sequences[0].read(0, 24)[..., :1] == drawn(held_out)).all()
    # One decoded copy serves X, another one all the edges.
    assert pair.x.sequences[0].whole is pair.held_out_x.sequences[0].whole
    assert pair.y.sequences[0].whole is pair.held_out_y.sequences[0].whole


def test_pairs_of_several_sequences_and_options():
    source = FrameSource([ArraySequence(moving(n), name=f"s{n}") for n in (30, 31, 32)], name="walks")
    pair = edge_pair(source, held_out=0.5, gap=2, channels=1)
    assert (pair.x.channels, pair.y.channels, pair.held_out_y.channels) == (3, 1, 1)
    assert pair.held_out_x.length == pair.held_out_y.length == 46
    assert pair.x.length + pair.y.length == 93 - 46 - 2 - 2


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda s: edges(s, channels=2), ValueError, "channels: expected 1 or 3, got 2."),
        (lambda s: edges("walk.mp4"), TypeError, "source: expected a FrameSource, got str."),
        (lambda s: edge_pair(s, held_out=1.0), ValueError, "held_out: expected a share above 0 and below 1, got 1.0."),
        (lambda s: edge_pair(s, gap=9), ValueError, "source: expected enough frames for two parts"),
        (
            lambda s: edges(open_source(np.zeros((3, 2, 4, 4), np.uint8))),
            ValueError,
            "source: expected frames of 1 or 3 channels, got 2 in array.",
        ),
    ],
)
def test_what_is_refused(make, kind, message):
    with pytest.raises(kind) as error:
        make(open_source(np.zeros((10, 3, 4, 4), np.uint8)))
    assert message in str(error.value)
