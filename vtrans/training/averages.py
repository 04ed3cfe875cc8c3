"""Exponential moving averages of the generators."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from vtrans.errors import refusal
from vtrans.model import TranslationModel


class GeneratorAverage:
    r"""Averages of the generators' weights over the steps; smoother pictures than those of the last step.

    .. math:: \bar{w} \leftarrow d\,\bar{w} + (1 - d)\,w

    Before the first update the average is the weights as they are.

    Args:
        model: The model whose generators are averaged, parameters and buffers.
        decay: d, from 0 up to below 1.

    Raises:
        ValueError: The decay is out of range.

    Example:
        >>> import vtrans
        >>> model = vtrans.build("gan", generator=("resnet", {"blocks": 1, "width": 4}))
        >>> average = GeneratorAverage(model, decay=0.999)
        >>> average.update()
        >>> with average.in_place():
        ...     frame = model.translate(torch.zeros(1, 3, 16, 16), to="y")

    Reference:
        Yazıcı et al., The unusual effectiveness of averaging in GAN training, 2019.
    """

    def __init__(self, model: TranslationModel, decay: float) -> None:
        if not 0 <= decay < 1:
            raise ValueError(refusal("ema", allowed="a decay from 0 up to below 1", got=decay))
        used = {name for to in model.targets for name in model.translating(to)}
        generators = {name: network for name, network in model.networks.items() if name in used}
        self._live: dict[str, Tensor] = {
            f"{name}.{key}": value
            for name, network in generators.items()
            for key, value in network.state_dict(keep_vars=True).items()
        }
        self._kept = {key: value.detach().clone() for key, value in self._live.items()}
        self._floating = [key for key, value in self._live.items() if value.is_floating_point()]
        self._take_in = get_ema_multi_avg_fn(decay)

    @torch.no_grad()
    def update(self) -> None:
        """Takes in the weights as they are after a step; what counts, such as batches seen, as it is."""
        kept, live = ([tensors[key] for key in self._floating] for tensors in (self._kept, self._live))
        self._take_in(kept, live, 0)
        for key in self._live.keys() - set(self._floating):
            self._kept[key].copy_(self._live[key])

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Within the block the generators have their averaged weights."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    def tensors(self) -> dict[str, Tensor]:
        """The averages by the names of the networks' parameters."""
        return dict(self._kept)

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Goes on from saved averages.

        Raises:
            ValueError: They are of other networks; nothing was changed.
        """
        self.check(tensors)
        for key, value in tensors.items():
            self._kept[key].copy_(value)

    def check(self, tensors: Mapping[str, Tensor]) -> None:
        """Refuses averages of other networks; see :meth:`load`."""
        shapes, own = ({key: value.shape for key, value in of.items()} for of in (tensors, self._kept))
        differing = sorted(key for key in {**shapes, **own} if shapes.get(key) != own.get(key))
        if differing:
            got = f"others ({differing[0]}, …)"
            raise ValueError(refusal("averages", allowed="those of these generators", got=got))

    @torch.no_grad()
    def _exchange(self) -> None:
        for key, live in self._live.items():
            before = live.detach().clone()
            live.copy_(self._kept[key])
            self._kept[key].copy_(before)


def averaged(average: GeneratorAverage | None) -> AbstractContextManager[None]:
    """Within it the generators have their averaged weights, if there are averages."""
    return nullcontext() if average is None else average.in_place()
