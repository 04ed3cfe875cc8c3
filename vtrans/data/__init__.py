"""Frames in and out: videos, folders of frames, published triplets, training clips, writers and synthetic worlds."""

from vtrans.data.clips import Clips, batches
from vtrans.data.frame_writer import FrameWriter
from vtrans.data.sequences import ArraySequence, FrameSource, Sequence
from vtrans.data.source import open_source
from vtrans.data.tensors import frames_to_tensor, tensor_to_frames
from vtrans.data.video_writer import VideoWriter
from vtrans.data.worlds import World, worlds
from vtrans.data.writer import FrameFolderWriter, open_writer, write_frames, write_video

__all__ = [
    "ArraySequence",
    "Clips",
    "FrameFolderWriter",
    "FrameSource",
    "FrameWriter",
    "Sequence",
    "VideoWriter",
    "World",
    "batches",
    "frames_to_tensor",
    "open_source",
    "open_writer",
    "tensor_to_frames",
    "worlds",
    "write_frames",
    "write_video",
]
