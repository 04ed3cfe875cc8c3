"""Where the frames come from and how clips are cut from them, as plain typed data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from vtrans.errors import refusal


@dataclass(frozen=True, kw_only=True)
class DataSettings:
    """Where the frames come from, and how clips are cut from them.

    Args:
        x: Frames of X: a video file, a folder of frames, or a folder of either, one sequence each.
        y: Frames of Y, likewise.
        world: Name of a synthetic world, in place of x and y.
        edges_of: A video to be paired with its own edges, in place of x and y: X is its frames, Y the edges of later
            ones, and held-out pairs have an exact translation.
        layout: How a folder's images are understood: frames, triplets (three side by side), or auto, by the folder's
            name.
        size: Size that frames are loaded at, in pixels: a side of a square, to which they are stretched; '[height,
            width]', which can keep their aspect; own (as they are); or published (286, of which 256 are cropped). A
            world is drawn at this size, by default at 256.
        crop: Size of a random crop, in pixels: a side or [height, width]. Default: 256 for the published size, else
            none.
        flip: Whether clips are mirrored left to right half of the time.
        stride: Frames from one frame of a clip to the next.
        every: Frames from one clip's start to the next one's.
        clip_length: Frames of the clips that are cut from the data for training. Default: model.clip_length, or as many
            as the losses need.
        cuts: Whether scene cuts are searched for, so that no clip crosses one.
        held_out: Share of the time of each domain, at its end, that is kept from training, for validation; 0 for none.
            Of a world, held-out scenes are drawn for that.
        paired: Whether frames of X and Y at the same position show the same scene, so that of held-out ones the exact
            translation is known. Training makes no use of it. For x and y.
        channels: What of the colours is used: rgb, grey, or labels (each pixel takes the nearest colour of the
            palette); or {x: …, y: …}.
        palette: JSON file of the palette of labels: a list of {name, colour}.
        jitter: Random change of colours: {brightness, contrast, saturation, hue}, each the greatest change; or such
            for {x: …, y: …}.
        on_error: What becomes of files that cannot be read: raise stops at once; skip leaves them out and reports them.
        world_options: Options of the world, such as {cue: change}.
        world_streams: Streams that a world draws for each domain.
        world_length: Frames of each of those; more where a clip needs more.
        memory: GiB that decoded frames of one domain may take in memory.
        cache: Whether decoded frames that do not fit in memory are kept on disk, at load size.
        workers: Processes that load clips beside the training; 0 loads them in its own.
    """

    x: str | None = None
    y: str | None = None
    world: str | None = None
    edges_of: str | None = None
    layout: Literal["auto", "frames", "triplets"] = "auto"
    size: int | tuple[int, int] | Literal["published", "own"] = "published"
    crop: int | tuple[int, int] | None = None
    flip: bool = False
    stride: int = 1
    every: int = 1
    clip_length: int | None = None
    cuts: bool = True
    held_out: float = 0.0
    paired: bool = False
    channels: Literal["rgb", "grey", "labels"] | dict[str, str] = "rgb"
    palette: str | None = None
    jitter: dict[str, Any] | None = None
    on_error: Literal["raise", "skip"] = "raise"
    world_options: dict[str, Any] = field(default_factory=dict)
    world_streams: int = 32
    world_length: int = 16
    memory: float = 1.0
    cache: bool = True
    workers: int = 0

    def __post_init__(self) -> None:
        for name, least in {
            "workers": 0,
            "memory": 0,
            "stride": 1,
            "every": 1,
            "world_streams": 1,
            "world_length": 1,
        }.items():
            if not getattr(self, name) >= least:
                raise ValueError(refusal(f"data.{name}", allowed=f"at least {least}", got=getattr(self, name)))
        if not 0 <= self.held_out < 1:
            allowed = "a share from 0 (none) up to below 1"
            raise ValueError(refusal("data.held_out", allowed=allowed, got=self.held_out))
