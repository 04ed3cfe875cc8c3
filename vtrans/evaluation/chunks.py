"""Frames as they stream by, a few at a time, with all that is known of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

from torch import Tensor

from vtrans.data import Motion, Palette, tensor_to_frames
from vtrans.data.palettes import Indices
from vtrans.data.tensors import Frames
from vtrans.errors import refusal
from vtrans.evaluation.features import Features
from vtrans.evaluation.flow import Flow, estimate_flow, estimate_motion

STREAMS = {
    "source": "the frames that were translated",
    "output": "their translation",
    "truth": "their true translation",
    "swapped": "their translation with the looks of a world's two kinds exchanged",
    "back": "the source's frames, translated there and back",
    "recycled": "the source's frames, translated, continued there by the predictor and brought back",
    "predicted": "the source's frames as its predictor expects them",
    "real": "real frames of the domain translated into, which stream by on their own",
}
"""The streams that there may be, each of frames at the same times as the others; a frame that has no value is NaN."""

Value = TypeVar("Value")


@dataclass(frozen=True)
class Chunk:
    """Consecutive frames of a sequence, of one stream or several at the same times.

    Attributes:
        streams: Frames by name of the stream, see ``STREAMS``: ``(time, channel, height, width)`` in [-1, 1].
        fresh: Position of the first frame that was not in the chunk before: 0 where a sequence begins, else 1.
        exact: The exact motion of the source, if it is known.
        palette: The classes and colours of the domain translated into, if its frames are label maps.
        network: The feature network, if there is one.

    Example:
        >>> import torch
        >>> chunk = Chunk({"output": torch.zeros(3, 3, 4, 4)}, fresh=1)
        >>> len(chunk), len(chunk.new), "truth" in chunk
        (3, 2, False)
    """

    streams: Mapping[str, Tensor]
    fresh: int = 0
    exact: Motion | None = None
    palette: Palette | None = None
    network: Features | None = None
    _known: dict[tuple[str, str], Any] = field(default_factory=dict, repr=False, compare=False)

    def __getitem__(self, stream: str) -> Tensor:
        """The frames of a stream."""
        return self.streams[stream]

    def __contains__(self, stream: str) -> bool:
        return stream in self.streams

    def __len__(self) -> int:
        return len(next(iter(self.streams.values())))

    @cached_property
    def new(self) -> "Chunk":
        """The frames that were not in the chunk before."""
        streams = {name: frames[self.fresh :] for name, frames in self.streams.items()}
        return replace(self, streams=streams, fresh=0, _known={})

    @cached_property
    def motion(self) -> Motion:
        """How the source moves: exactly, where that is known, else estimated."""
        return self.exact or estimate_motion(self["source"])

    def flow(self, stream: str) -> Flow:
        """The estimated flow of a stream, ``(time - 1, 2, height, width)`` in pixels."""
        return self._once("flow", stream, estimate_flow)

    def frames(self, stream: str) -> Frames:
        """The frames of a stream, uint8 ``(time, height, width, channel)``."""
        return self._once("frames", stream, tensor_to_frames)

    def classes(self, stream: str) -> Indices:
        """The class of each pixel of a stream, that whose colour is nearest: uint8 ``(time, height, width)``."""
        if self.palette is None:
            raise ValueError(refusal("palette", allowed="one, for classes of pixels", got="none"))
        palette = self.palette
        return self._once("classes", stream, lambda _: palette.to_indices(self.frames(stream)))

    def features(self, stream: str) -> Tensor:
        """The features of each frame of a stream, ``(time, count)``."""
        if self.network is None:
            raise ValueError(refusal("features", allowed="a feature network", got="none"))
        return self._once("features", stream, self.network)

    def _once(self, what: str, stream: str, make: Callable[[Tensor], Value]) -> Value:
        """What several metrics ask for is computed once."""
        if (what, stream) not in self._known:
            self._known[what, stream] = make(self[stream])
        found: Value = self._known[what, stream]
        return found
