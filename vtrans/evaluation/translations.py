"""What a model makes of a clip: brought back by way of the other domain, or predicted."""

import torch
from torch import Tensor

from vtrans.algebra.domains import Domain
from vtrans.algebra.streams import Scope, Stream
from vtrans.algebra.times import Reads
from vtrans.algebra.values import Value
from vtrans.algebra.views import Clip, Ticks
from vtrans.model import TranslationModel
from vtrans.networks.modes import evaluating
from vtrans.planning.planner import Demand, plan


def recycled(model: TranslationModel, clip: Tensor, domain: str) -> tuple[str, int, Tensor]:
    """The clip translated, continued there and brought back: G_X(P_Y(G_Y(x_{1:t}))) for X.

    A model without predictors brings each frame back as it is: G_X(G_Y(x)).

    Args:
        model: The model.
        clip: Frames ``(time, channel, height, width)`` of a size that its networks take, on the model's device.
        domain: The clip's domain, ``"x"`` or ``"y"``.

    Returns:
        What was computed, in words; the first time that has a frame; and the frames, of the clip's shape, those before
        the first one grey.

    Example:
        >>> import vtrans
        >>> model = vtrans.build("gan", generator=("resnet", {"blocks": 1, "width": 4}))
        >>> label, first, frames = recycled(model, torch.zeros(3, 3, 16, 16), "x")
        >>> label, first, frames.shape
        ('G_X(G_Y(x))', 0, torch.Size([3, 3, 16, 16]))
    """
    here, there = (Domain(name, model.translation) for name in (domain, "y" if domain == "x" else "x"))
    predictor = there.P.name
    stream: Stream
    if predictor in model.networks:
        label = f"G_{domain.upper()}({predictor}(G_{there.name.upper()}({domain})))"
        stream = here.G(there.P(there.G(here.past)))
    else:
        label, stream = f"G_{domain.upper()}(G_{there.name.upper()}({domain}))", here.G(there.G(here.frames))
    return label, *_computed(model, stream, clip, domain)


def predicted(model: TranslationModel, clip: Tensor, domain: str) -> tuple[int, Tensor]:
    """The clip's frames as its own domain's predictor expects them: P_X(x_{1:t}) for X.

    Args:
        model: A model with predictors.
        clip: Frames ``(time, channel, height, width)`` of a size that the predictor takes, on the model's device.
        domain: The clip's domain, ``"x"`` or ``"y"``.

    Returns:
        The first time that has a frame; and the frames, of the clip's shape, those before the first one grey.

    Example:
        >>> import vtrans
        >>> model = vtrans.build("recurrent_gan", predictor="last_frame", generator=("resnet", {"width": 4}))
        >>> first, frames = predicted(model, torch.arange(3.0).view(3, 1, 1, 1).expand(-1, 3, 16, 16) / 2, "x")
        >>> first, frames[:, 0, 0, 0].tolist()
        (1, [0.0, 0.0, 0.5])
    """
    here = Domain(domain)
    return _computed(model, here.P(here.past), clip, domain)


@torch.no_grad()
def _computed(model: TranslationModel, stream: Stream, clip: Tensor, domain: str) -> tuple[int, Tensor]:
    """The first time of a stream, and its frames at the clip's times."""
    networks = model.networks_by_name
    scope = Scope({Clip(domain): len(clip)}, {name: Reads.of(network) for name, network in networks.items()})
    times = stream.times(scope)
    with evaluating(*networks.values()):
        leaves: dict[Stream, Value] = {Clip(domain): clip[:, None], Ticks(): clip.new_empty(len(clip), 1, 0)}
        (frames,) = plan([Demand(stream, times, value_only=True)], scope).run(leaves, networks)
    result = torch.zeros_like(clip)
    result[list(times)] = frames[:, 0]
    return times[0], result
