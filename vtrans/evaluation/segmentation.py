"""Accuracy and intersection over union of label maps, counted over a whole data set."""

import numpy as np
import numpy.typing as npt

from vtrans.data.palettes import IGNORE, Indices, Palette
from vtrans.data.tensors import Frames
from vtrans.errors import refusal


class Confusion:
    r"""How often each class was taken for each other one, over all pixels of all frames.

    With n_ij pixels of class i that were taken for class j, t_i of class i, and p_j taken for class j:

    .. math::
        \text{pixel accuracy} = \frac{\sum_i n_{ii}}{\sum_i t_i}, \quad
        \text{class accuracy} = \operatorname{mean}_i \frac{n_{ii}}{t_i}, \quad
        \text{mean IoU} = \operatorname{mean}_i \frac{n_{ii}}{t_i + p_i - n_{ii}}

    Counts are summed over the whole data set before anything is divided. A class that neither the truth nor the
    prediction shows does not count. One that is predicted but never true counts in the mean IoU, as 0; its accuracy is
    not defined, and does not count.

    Attributes:
        names: The classes.
        counts: Pixels, int64 ``(classes, classes)``: rows are true classes, columns predicted ones.

    Args:
        palette: The classes and their colours.

    Example:
        >>> confusion = Confusion(Palette(["road", "sky", "car"], [(0, 0, 0), (255, 255, 255), (255, 0, 0)]))
        >>> confusion.add(predicted=np.array([0, 0, 0, 1], np.uint8), truth=np.array([0, 0, 1, 1], np.uint8))
        >>> confusion.pixel_accuracy(), confusion.class_accuracy(), round(confusion.mean_iou(), 4)
        (0.75, 0.75, 0.5833)

    Reference:
        Long et al., Fully convolutional networks for semantic segmentation, CVPR 2015 (arXiv 1411.4038); summed over
        the data set as in Everingham et al., The Pascal visual object classes challenge, IJCV 2010.
    """

    def __init__(self, palette: Palette) -> None:
        self.palette, self.names = palette, palette.names
        self.counts: npt.NDArray[np.int64] = np.zeros((len(palette), len(palette)), np.int64)

    def add(self, *, predicted: Indices, truth: Indices) -> None:
        """Counts pixels.

        Args:
            predicted: Classes, uint8 array of any shape.
            truth: True classes, of that shape; pixels of the index 255, no class, are passed over.

        Raises:
            ValueError: The shapes differ, or an index is no class.
        """
        if predicted.shape != truth.shape:
            got = f"{predicted.shape} and {truth.shape}"
            raise ValueError(refusal("predicted and truth", allowed="one shape", got=got))
        known = truth != IGNORE
        pairs = {"predicted": predicted[known], "truth": truth[known]}
        for argument, indices in pairs.items():
            if indices.size and indices.max() >= len(self.names):
                allowed = f"classes 0 to {len(self.names) - 1}"
                raise ValueError(refusal(argument, allowed=allowed, got=int(indices.max())))
        cells = pairs["truth"].astype(np.int64) * len(self.names) + pairs["predicted"]
        self.counts += np.bincount(cells, minlength=self.counts.size).reshape(self.counts.shape)

    def add_frames(self, translated: Frames, truth: Frames) -> None:
        """Counts the pixels of frames, of which each is of the class whose colour is nearest.

        Args:
            translated: uint8 frames ``(…, 3)``.
            truth: What they should be, of the same shape.

        Raises:
            ValueError: The shapes differ, or the frames are not RGB.
        """
        self.add(predicted=self.palette.to_indices(translated), truth=self.palette.to_indices(truth))

    def pixel_accuracy(self) -> float:
        """The share of pixels whose class is right."""
        return float(self._hits().sum() / self._pixels())

    def class_accuracy(self) -> float:
        """The share of a class's pixels that are right, averaged over the classes that occur in the truth."""
        self._pixels()
        true = self.counts.sum(axis=1)
        return float((self._hits()[true > 0] / true[true > 0]).mean())

    def mean_iou(self) -> float:
        """Intersection over union, averaged over the classes that occur in the truth or the prediction."""
        return float(np.mean([*self.iou().values()]))

    def iou(self) -> dict[str, float]:
        """Intersection over union of each class that occurs in the truth or the prediction."""
        self._pixels()
        union = self.counts.sum(axis=1) + self.counts.sum(axis=0) - self._hits()
        return {self.names[i]: float(self._hits()[i] / union[i]) for i in np.flatnonzero(union)}

    def _hits(self) -> npt.NDArray[np.int64]:
        return self.counts.diagonal()

    def _pixels(self) -> int:
        pixels = int(self.counts.sum())
        if not pixels:
            raise ValueError(refusal("truth", allowed="at least one pixel of a class", got="none"))
        return pixels
