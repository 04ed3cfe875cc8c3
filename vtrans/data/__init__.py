"""Frames in and out: videos, folders of frames, published triplets, training clips, writers and synthetic worlds."""

from vtrans.data.batching import batches
from vtrans.data.clips import Clips
from vtrans.data.colours import grey, labels
from vtrans.data.edges import EdgePair, edge_pair, edges
from vtrans.data.palettes import Palette
from vtrans.data.reading.cuts import find_cuts, shots
from vtrans.data.reading.samples import sample_path, samples
from vtrans.data.reading.source import open_source
from vtrans.data.sequences import ArraySequence, FrameSource, Sequence, Skipped
from vtrans.data.tensors import frames_to_tensor, tensor_to_frames
from vtrans.data.transforms import PRESETS, Jitter
from vtrans.data.views import Part, split, time_range
from vtrans.data.worlds import Motion, Truth, World, worlds
from vtrans.data.writing.frame_writer import FrameWriter
from vtrans.data.writing.video_writer import VideoWriter
from vtrans.data.writing.writer import FrameFolderWriter, open_writer, write_frames, write_video

__all__ = [
    "ArraySequence",
    "Clips",
    "EdgePair",
    "FrameFolderWriter",
    "FrameSource",
    "FrameWriter",
    "Jitter",
    "Motion",
    "PRESETS",
    "Palette",
    "Part",
    "Sequence",
    "Skipped",
    "Truth",
    "VideoWriter",
    "World",
    "batches",
    "edge_pair",
    "edges",
    "find_cuts",
    "frames_to_tensor",
    "grey",
    "labels",
    "open_source",
    "open_writer",
    "sample_path",
    "samples",
    "shots",
    "split",
    "tensor_to_frames",
    "time_range",
    "worlds",
    "write_frames",
    "write_video",
]
