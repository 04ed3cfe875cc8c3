"""Scene cuts of sequences, and their shots."""

from itertools import pairwise
from weakref import WeakKeyDictionary

from vtrans.data.caching.remembered import remembered
from vtrans.data.reading.cut_finder import CutFinder, thumbnail
from vtrans.data.reading.videos import VideoSequence
from vtrans.data.sequences import FrameSource, Sequence
from vtrans.data.views import Changed, Part


def shots(source: FrameSource) -> FrameSource:
    """A source of shots: each sequence in which there are scene cuts becomes the parts between them.

    Sequences known to be continuous aren't searched. What is found in files is kept between runs.

    Args:
        source: The source.

    Raises:
        ValueError: If a file can't be read.

    Example:
        >>> import numpy as np
        >>> from vtrans.data import open_source
        >>> frames = np.zeros((9, 3, 36, 64), dtype=np.uint8)
        >>> frames[4:] = 200
        >>> [shot.name for shot in shots(open_source(frames)).sequences]
        ['array[0:4]', 'array[4:9]']
    """
    return source.map(_shots_of)


def find_cuts(sequence: Sequence) -> tuple[int, ...]:
    """The positions of the first frame of every shot but the first.

    A sequence is searched once, from its first frame to its last; a part of it, and views that change its colours, have
    the cuts of the whole.

    Args:
        sequence: The sequence.

    Raises:
        ValueError: If a file can't be read.

    Example:
        >>> import numpy as np
        >>> from vtrans.data import ArraySequence
        >>> frames = np.zeros((9, 36, 64, 3), dtype=np.uint8)
        >>> frames[4:] = 200
        >>> find_cuts(ArraySequence(frames))
        (4,)
    """
    if sequence.continuous:
        return ()
    if isinstance(sequence, Part):
        inside = range(sequence.start + 1, sequence.start + sequence.length)
        return tuple(cut - sequence.start for cut in find_cuts(sequence.whole) if cut in inside)
    if isinstance(sequence, Changed):
        return find_cuts(sequence.seen)
    if isinstance(sequence, VideoSequence):
        return sequence.cuts
    if sequence not in _found:
        _found[sequence] = tuple(remembered(sequence.origin, ["cuts"], lambda: {"cuts": _search(sequence)})["cuts"])
    return _found[sequence]


_found: WeakKeyDictionary[Sequence, tuple[int, ...]] = WeakKeyDictionary()


def _search(sequence: Sequence) -> tuple[int, ...]:
    finder = CutFinder()
    for frame in sequence.stream():
        finder.add(thumbnail(frame))
    return finder.finish()


def _shots_of(sequence: Sequence) -> list[Sequence]:
    cuts = find_cuts(sequence)
    return [Part(sequence, *ends) for ends in pairwise([0, *cuts, sequence.length])] if cuts else [sequence]
