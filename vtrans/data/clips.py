"""Training clips drawn from a source."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from torch import Tensor

from vtrans.data.caching.frame_store import FrameStore
from vtrans.data.checks import height_width, whole
from vtrans.data.reading.cuts import shots
from vtrans.data.sequences import FrameSource, Sequence
from vtrans.data.tensors import frames_to_tensor
from vtrans.data.transforms import Jitter
from vtrans.errors import refusal


class Clips:
    r"""Clips of consecutive frames, each a pure function of the seed, the epoch and the index.

    An epoch visits every clip once, in an order of its own. A clip never crosses from one sequence into the next, nor a
    scene cut; its frames share one crop, one flip and one change of colours. Shots too short for a clip are passed over
    while another one gives some.

    A shot of n frames gives

    .. math:: \lfloor (n - 1 - (\text{length} - 1)\,\text{stride}) / \text{every} \rfloor + 1

    Decoded frames are kept at load size, 8 bits each: in memory if all of them fit there, else in files in the folder
    of caches, which later runs use again; where that can't be, each clip is decoded when it is drawn. The numbers are
    the same either way. Decoding starts with the first draw, or with :meth:`prepare`.

    Args:
        source: Where frames come from.
        length: Frames of a clip, at least 1.
        stride: Frames from one frame of a clip to the next, at least 1.
        every: Frames from one clip's start to the next one's, at least 1.
        size: Load size in pixels: None keeps the frames' own, a number makes them square, or (height, width). Bicubic,
            as Pillow has it; frames whose colours stand for classes take the nearest pixel.
        crop: Size of a random crop after that: None for none, a number for a square, or (height, width).
        flip: Whether a clip is mirrored left to right half of the time.
        jitter: Random changes of colour; not for frames whose colours stand for classes.
        seed: Seed of the draws, at least 0.
        cuts: Whether scene cuts are searched for, in sequences not known to hold none.
        memory: Bytes that decoded frames may take in memory.
        cache: Whether frames that don't fit there are kept on disk.
        cache_bytes: Bytes that all frames on disk may take, those of other runs included; the frames used longest ago
            make room. Default: the environment variable ``VTRANS_CACHE_BYTES``, else 50 GB, but at most half of what
            is free.

    Attributes:
        source: Where frames come from, cut into shots.

    Raises:
        TypeError: If an argument is of another type.
        ValueError: If one is out of range, no shot is long enough, the crop is larger than the frames, clips would
            differ in size, or colours that stand for classes would change.

    Example:
        >>> from vtrans.data import open_source
        >>> clips = Clips(open_source(np.zeros((5, 3, 8, 8), dtype=np.uint8)), length=3, size=6, crop=4)
        >>> len(clips), clips.clip(epoch=0, index=2).shape
        (3, torch.Size([3, 3, 4, 4]))

    Reference:
        The published training loads at 286 and crops 256: ``size=286, crop=256``; see
        :data:`vtrans.data.transforms.PRESETS`.
    """

    def __init__(
        self,
        source: FrameSource,
        *,
        length: int = 3,
        stride: int = 1,
        every: int = 1,
        size: int | tuple[int, int] | None = None,
        crop: int | tuple[int, int] | None = None,
        flip: bool = False,
        jitter: Jitter | None = None,
        seed: int = 0,
        cuts: bool = True,
        memory: int = 1 << 30,
        cache: bool = True,
        cache_bytes: int | None = None,
    ) -> None:
        if not isinstance(source, FrameSource):
            fix = "Open it with vtrans.data.open_source."
            raise TypeError(refusal("source", allowed="a FrameSource", got=type(source).__name__, fix=fix))
        self.length = whole("length", length, least=1)
        self.stride = whole("stride", stride, least=1)
        self.every = whole("every", every, least=1)
        self.size, self.crop = height_width("size", size), height_width("crop", crop)
        for argument, value in {"flip": flip, "cuts": cuts, "cache": cache}.items():
            if not isinstance(value, bool):
                raise TypeError(refusal(argument, allowed="True or False", got=repr(value)))
        self.flip, self.jitter = flip, jitter
        self.seed = whole("seed", seed, least=0)
        whole("memory", memory, least=0)
        if cache_bytes is not None:
            whole("cache_bytes", cache_bytes, least=0)
        self.source = source
        self._check_sizes()
        self._check_jitter()
        if cuts and self.length > 1:  # a single frame crosses no cut
            self.source = shots(source)
        # Where each sequence's clips begin in the count of all of them.
        self._ends = np.cumsum([self._count(sequence) for sequence in self.source.sequences])
        if self._ends[-1] == 0:
            self._refuse_short(cut=len(self.source.sequences) > len(source.sequences))
        self._store = FrameStore(self.source, self.size, memory=memory, cache=cache, cache_bytes=cache_bytes)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Shape of a clip: (time, channel, height, width)."""
        return self.length, self.source.channels, *(self.crop or self._load_size(self.source.sequences[0]))

    @property
    def kept(self) -> str:
        """Where decoded frames are kept: ``"memory"``, ``"disk"`` or ``"no"``."""
        return self._store.way

    def prepare(self) -> None:
        """Decodes now all frames that are to be kept, so that no draw waits for it.

        Raises:
            ValueError: If a file can't be decoded any more.
        """
        self._store.prepare()

    def __len__(self) -> int:
        """Clips of an epoch."""
        return int(self._ends[-1])

    def __getitem__(self, index: int) -> Tensor:
        """Clip ``index`` of epoch 0."""
        if not 0 <= index < len(self):
            raise IndexError(refusal("index", allowed=f"0 to {len(self) - 1}", got=index))
        return self.clip(0, index)

    def clip(self, epoch: int, index: int) -> Tensor:
        """Draws a clip.

        Args:
            epoch: From 0; each has its own order, crops and flips.
            index: Position in the epoch, from 0 to ``len(self) - 1``.

        Returns:
            float32 tensor ``(time, channel, height, width)`` in [-1, 1].

        Raises:
            ValueError: If the epoch or the index is out of range.
        """
        return self._draw((self.seed, 0, 0), epoch, index)

    def _draw(self, key: tuple[int, int, int], epoch: int, index: int) -> Tensor:
        whole("epoch", epoch, least=0)
        if whole("index", index, least=0) >= len(self):
            raise ValueError(refusal("index", allowed=f"0 to {len(self) - 1}", got=index))
        number = int(_order((_ORDER, *key, epoch), len(self))[index])
        which = int(np.searchsorted(self._ends, number, side="right"))
        before = int(self._ends[which - 1]) if which else 0
        frames = self._store.read(which, (number - before) * self.every, self.length, self.stride)

        random = np.random.default_rng([_DRAW, *key, epoch, index])
        if self.crop is not None:
            top = int(random.integers(frames.shape[1] - self.crop[0] + 1))
            left = int(random.integers(frames.shape[2] - self.crop[1] + 1))
            frames = frames[:, top : top + self.crop[0], left : left + self.crop[1]]
        if self.flip and random.random() < 0.5:
            frames = frames[:, :, ::-1]
        clip = frames_to_tensor(frames)
        return clip if self.jitter is None else self.jitter.apply(clip, self.jitter.draw(random))

    def _load_size(self, sequence: Sequence) -> tuple[int, int]:
        return self.size or (sequence.height, sequence.width)

    def _count(self, sequence: Sequence) -> int:
        return max(0, (sequence.length - 1 - (self.length - 1) * self.stride) // self.every + 1)

    def _check_sizes(self) -> None:
        sizes: dict[tuple[int, int], str] = {}
        for sequence in self.source.sequences:
            sizes.setdefault(self._load_size(sequence), sequence.name)
        for (height, width), name in sizes.items():
            if self.crop and (self.crop[0] > height or self.crop[1] > width):
                allowed = f"at most the {height}x{width} pixels (height x width) that frames of {name} are loaded at"
                raise ValueError(refusal("crop", allowed=allowed, got=f"{self.crop[0]}x{self.crop[1]}"))
        if len(sizes) > 1 and self.crop is None:
            got = ", ".join(f"{name} of {height}x{width}" for (height, width), name in list(sizes.items())[:4])
            fix = "Pass size= or crop=, so that clips can be batched."
            raise ValueError(refusal("source", allowed="frames of one size (height x width)", got=got, fix=fix))

    def _check_jitter(self) -> None:
        if self.jitter is None:
            return
        if not isinstance(self.jitter, Jitter):
            raise TypeError(refusal("jitter", allowed="None or a Jitter", got=type(self.jitter).__name__))
        if any(sequence.discrete for sequence in self.source.sequences):
            why = "The colours of its frames stand for classes."
            raise ValueError(refusal("jitter", allowed=f"None for {self.source.name}", got="a Jitter", why=why))
        self.jitter.check_channels(self.source.channels)

    def _refuse_short(self, *, cut: bool) -> None:
        need = (self.length - 1) * self.stride + 1
        longest = max(self.source.sequences, key=lambda sequence: sequence.length)
        raise ValueError(
            refusal(
                "source",
                allowed=f"a sequence of at least {need} frames",
                got=f"{longest.length} in the longest{' shot' * cut}, {longest.name} of {self.source.name}",
                why=f"A clip of length {self.length} and stride {self.stride} spans {need} frames",
                fix=f"Lower length or stride, {'add frames, or pass cuts=False' if cut else 'or add frames'}.",
            )
        )


# Tags that keep the draws of an epoch's order apart from those of a clip.
_ORDER, _DRAW = 1, 2


# Two domains, and two epochs where one ends in the midst of a batch; the same again where a model is validated.
@lru_cache(maxsize=8)
def _order(key: tuple[int, ...], count: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng(key).permutation(count)
