"""Frames in and out: videos, folders of frames, published triplets, training clips, writers and synthetic worlds."""

from vtrans.data.clips import Clips, batches
from vtrans.data.frame_writer import FrameWriter
from vtrans.data.sequences import ArraySequence, FrameSource, Sequence
from vtrans.data.source import open_source
from vtrans.data.tensors import frames_to_tensor, tensor_to_frames
from vtrans.data.video_writer import VideoWriter
from vtrans.data.views import Part, split, time_range
from vtrans.data.worlds import Motion, Truth, World, worlds
from vtrans.data.writer import FrameFolderWriter, open_writer, write_frames, write_video

__all__ = [
    "ArraySequence",
    "Clips",
    "FrameFolderWriter",
    "FrameSource",
    "FrameWriter",
    "Motion",
    "Part",
    "Sequence",
    "Truth",
    "VideoWriter",
    "World",
    "batches",
    "frames_to_tensor",
    "open_source",
    "open_writer",
    "split",
    "tensor_to_frames",
    "time_range",
    "worlds",
    "write_frames",
    "write_video",
]
