"""The recurrent predictor, which remembers the whole past."""

import torch
from einops import rearrange
from torch import Tensor, nn

from vtrans.networks.checks import require, require_choice
from vtrans.networks.initialization import initialize
from vtrans.networks.layers import convolve, expand, to_frame
from vtrans.networks.predictors.base import Predictor

# Batch norm is not among them: its statistics over a clip would show every frame the ones after it.
_NORMS = ("instance", "group", "none")


class ConvGruPredictor(Predictor):
    r"""Predicts every next frame of a clip from all frames up to it, with a gated memory at a quarter of the size.

    .. math::
        r_t, u_t &= \sigma(W * [e_t, h_{t-1}]), \quad c_t = \tanh(V * [e_t, r_t h_{t-1}]) \\
        h_t &= (1 - u_t)\, h_{t-1} + u_t\, c_t, \quad h_0 = 0

    where e_t are the features of frame t; the prediction of frame t + 1 is decoded from h_t.

    Its forward takes clips ``(batch, time, channels, height, width)`` in [-1, 1] of any length, height and width
    multiples of 4 from 8 up, and returns as many frames in [-1, 1]: at place i the prediction of frame i + 1. The
    options that all networks share are described in ``vtrans.networks``.

    Args:
        width: Channels of the first layer; the memory has four times as many.
        norm: Of encoder and decoder: ``"instance"``, ``"group"`` or ``"none"``. Batch norm is refused, because its
            statistics over a clip would show every frame the ones after it.

    Example:
        >>> ConvGruPredictor(channels=3, width=4)(torch.zeros(2, 5, 3, 8, 12)).shape
        torch.Size([2, 5, 3, 8, 12])

    Reference:
        Ballas et al., Delving Deeper into Convolutional Networks for Learning Video Representations, ICLR 2016.
    """

    multiple = 4
    minimum = 8

    def __init__(
        self,
        *,
        channels: int,
        width: int = 32,
        norm: str = "instance",
        init: str = "normal",
        init_gain: float | None = None,
    ) -> None:
        super().__init__(channels=channels, context=None)
        require(width=width)
        require_choice("norm", norm, _NORMS)
        memory = 4 * width
        self.encoder = nn.Sequential(
            *convolve(channels, width, kernel=7, norm=norm, padding="reflect"),
            *convolve(width, 2 * width, kernel=3, stride=2, norm=norm),
            *convolve(2 * width, memory, kernel=3, stride=2, norm=norm),
        )
        # The parts of W and V that see the frame are one convolution, run for all times at once.
        self.seen = nn.Conv2d(memory, 3 * memory, 3, padding=1)
        self.gates = nn.Conv2d(memory, 2 * memory, 3, padding=1, bias=False)
        self.candidate = nn.Conv2d(memory, memory, 3, padding=1, bias=False)
        self.decoder = nn.Sequential(
            *expand(memory, 2 * width, norm=norm),
            *expand(2 * width, width, norm=norm),
            *to_frame(width, channels),
        )
        initialize(self, init=init, gain=init_gain)

    def _predict(self, clip: Tensor) -> Tensor:
        features = self.encoder(rearrange(clip, "b t c h w -> (b t) c h w"))
        seen = rearrange(self.seen(features), "(b t) c h w -> b t c h w", t=clip.shape[1])
        memory = torch.zeros_like(seen[:, 0].chunk(3, 1)[0])
        memories = []
        for now in seen.unbind(1):
            reset_seen, update_seen, candidate_seen = now.chunk(3, 1)
            reset_kept, update_kept = self.gates(memory).chunk(2, 1)
            update = torch.sigmoid(update_seen + update_kept)
            kept = torch.sigmoid(reset_seen + reset_kept) * memory
            memory = memory + update * (torch.tanh(candidate_seen + self.candidate(kept)) - memory)
            memories.append(memory)
        decoded: Tensor = self.decoder(rearrange(torch.stack(memories), "t b c h w -> (b t) c h w"))
        return rearrange(decoded, "(b t) c h w -> b t c h w", t=clip.shape[1])
