"""Which of two pairings of looks a translation has settled on."""

import numpy as np
import numpy.typing as npt

from vtrans.data.tensors import Frames, check_frames
from vtrans.data.worlds.drawing import Array
from vtrans.errors import refusal

CLIPS = "(count, length, height, width, channel)"
"""The axes of held-out clips."""


def pairing_share(translated: Frames, truth: Frames, swapped: Frames) -> npt.NDArray[np.float64]:
    """The share of object pixels whose colour is nearer to the right look than to that of the other kind.

    Pixels count where the right and the wrong rendering differ at least 0.9 times as much as anywhere in the clip,
    which leaves out the background and the soft edges of things. A colour halfway between the two counts as half.

    Args:
        translated: Translated clips, uint8 ``(count, length, height, width, 3)``.
        truth: The same scenes in the right looks, of that shape.
        swapped: The same scenes with the looks of the two kinds exchanged, of that shape.

    Returns:
        Each clip's share, float array ``(count,)``: near 1 if the translation has settled on the right pairing, near 0
        on the wrong one.

    Raises:
        TypeError: If an argument isn't a uint8 array.
        ValueError: If the shapes don't fit, or a clip's right and wrong renderings don't differ.

    Example:
        >>> right, wrong = np.zeros((1, 2, 4, 4, 3), np.uint8), np.full((1, 2, 4, 4, 3), 200, np.uint8)
        >>> translated = right.copy()
        >>> translated[:, 0] = 180
        >>> pairing_share(translated, right, wrong).tolist()
        [0.5]
    """
    for argument, clips in (("translated", translated), ("truth", truth), ("swapped", swapped)):
        check_frames(argument, clips, CLIPS)
    if not translated.shape == truth.shape == swapped.shape:
        got = f"{translated.shape}, {truth.shape} and {swapped.shape}"
        raise ValueError(refusal("translated, truth and swapped", allowed="one shape", got=got))
    apart, from_right, from_wrong = (
        np.square(a.astype(np.float64) - b).sum(-1).reshape(len(truth), -1)
        for a, b in ((truth, swapped), (translated, truth), (translated, swapped))
    )
    most = apart.max(axis=1, keepdims=True)
    if not most.all():
        got = f"the same frames for clip {int(most.argmin())}"
        raise ValueError(refusal("swapped", allowed="clips that differ from the truth", got=got))
    objects = apart >= 0.81 * most
    right = (from_right < from_wrong) + 0.5 * (from_right == from_wrong)
    share: Array = (right * objects).sum(axis=1) / objects.sum(axis=1)
    return share
