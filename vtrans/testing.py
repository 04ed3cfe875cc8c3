"""Checks for users' own losses and networks."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from vtrans import registry
from vtrans.algebra.domains import role_of
from vtrans.algebra.meaning import Draws, evaluate
from vtrans.algebra.streams import Scope, Stream
from vtrans.algebra.times import Reads
from vtrans.algebra.views import Clip
from vtrans.errors import refusal
from vtrans.losses import Loss
from vtrans.model import TranslationModel, build
from vtrans.networks.traits import sequential_reasons

_SMALL = {
    "generator": ("resnet", {"blocks": 1, "width": 4}),
    "predictor": ("unet", {"depth": 3, "width": 4}),
    "discriminator": ("patch", {"layers": 1, "width": 4}),
}
"""Networks on which a loss is checked unless others are given."""


def check(
    part: Loss | nn.Module,
    *,
    channels: int = 3,
    size: int = 16,
    streams: Mapping[str, int] | None = None,
    **overrides: Any,
) -> None:
    """Checks a user's own loss or network, and says what is wrong with it.

    A loss: its terms are finite, its planned value and gradients equal plain evaluation, it is linear in its weight,
    and gradients reach the networks that its equations train and no other. A network: it keeps the batch axis, works in
    float64, and gives each frame what it gives it alone, unless it says (or shows) that it must be called frame by
    frame; a registered generator or predictor keeps the size of the frames, and a generator stays in [-1, 1].

    Args:
        part: A loss such as ``MyLoss()``, or a network such as ``MyGenerator(in_channels=3, out_channels=3)``.
        channels: Channels of the frames it is tried on.
        size: Height and width of these frames.
        streams: For a loss that names further streams of the clips, the channels of each, such as ``{"flow": 2}``.
        overrides: For a loss, arguments of :func:`vtrans.build`, such as ``generator=…`` or ``networks=…``.

    Raises:
        AssertionError: A check fails; the message says which, with the figures.
        TypeError: ``part`` is neither a loss nor a network.

    Example:
        >>> from vtrans.losses import Recycle
        >>> check(Recycle(distance="charbonnier"))
    """
    if isinstance(part, Loss):
        _check_loss(part, channels, size, streams or {}, overrides)
    elif isinstance(part, nn.Module):
        _check_network(part, channels, size)
    else:
        raise TypeError(refusal("part", allowed="a Loss or a network", got=type(part).__name__))


def _check_loss(loss: Loss, channels: int, size: int, streams: Mapping[str, int], overrides: Mapping[str, Any]) -> None:
    name = type(loss).__name__
    phases = sorted({term.phase for term in loss.directions()})
    trains = {"generators": ("G", "P"), "discriminators": ("D",), "penalties": ("D",)}
    extra = tuple(dict.fromkeys(role_of(network) for network in overrides.get("networks", {})))
    model = build(
        "gan",
        **{
            **_SMALL,
            "channels": channels,
            "losses": [loss],
            "phases": [{"name": phase, "trains": trains.get(phase, ()) + extra} for phase in phases],
            # The caller's own networks stay as they are.
            **{argument: copy.deepcopy(value) for argument, value in overrides.items()},
        },
    ).double()
    length = max(model.clip_length, model.minimum_length)
    clips = _clips(model.channels, streams, length, size)
    for phase in phases:
        _check_phase(model, loss, phase, clips, f"{name}, phase {phase}")


def _check_phase(model: TranslationModel, loss: Loss, phase: str, clips: Mapping[Clip, Tensor], where: str) -> None:
    x, y = ({clip.name: stream for clip, stream in clips.items() if clip.of == domain} for domain in ("x", "y"))
    networks = list(model.networks.items())
    state = copy.deepcopy(model.state_dict())
    report = model.loss(phase, x, y)
    for term, value in report.items():
        _require(bool(torch.isfinite(value)), where, f"{term} is {value.item()}")
    planned = _gradients(model, report.total)

    model.load_state_dict(state)
    objective = model.objectives[phase]
    plain = torch.zeros((), dtype=torch.float64)
    scope = Scope(
        {clip: stream.shape[1] for clip, stream in clips.items()}, {name: Reads.of(net) for name, net in networks}
    )
    draws: Draws = {}
    for named in objective.terms:
        frames = [
            torch.stack([values[t] for t in times])
            for stream, times in named.term.requests(scope)
            for values in [evaluate(stream, clips, dict(networks), draws)]
        ]
        plain = plain + named.weight(0) * named.term.value(frames, dict(networks))
    repeatable = not any(sequential_reasons(network) for _, network in networks)
    repeatable &= not any(_draws(stream) for named in objective.terms for stream in named.term.streams)
    if repeatable:
        _close(report.total, plain, where, "the planned total and the plain one differ")
        for name, gradient in _gradients(model, plain).items():
            if model.phase(phase).trained(name.split(".")[0]):
                _close(planned[name], gradient, where, f"the planned and the plain gradient of {name} differ")

    intended = {name for named in objective.terms for name in objective.trains(named)}
    _require(bool(networks), where, "its equations hold no network, so that they train nothing")
    for network, _ in networks:
        reached = any(gradient.abs().sum() > 0 for name, gradient in planned.items() if name.split(".")[0] == network)
        if network in intended and not reached and list(model.networks[network].parameters()):
            raise AssertionError(f"{where}: the equations train {network}, yet no gradient reaches it.")
        if network not in intended and reached:
            raise AssertionError(f"{where}: gradients reach {network}, which the equations do not train.")

    if isinstance(loss.weight, int | float) and loss.weight > 0:
        weight = loss.weight
        try:
            loss.weight = 3 * weight
            model.load_state_dict(state)
            tripled = model.loss(phase, x, y)
        finally:
            loss.weight = weight
        for term, value in report.items():
            factors = {1 if named.term.weight is not None else 3 for named in objective.terms if named.name == term}
            if repeatable and len(factors) == 1:
                _close(tripled[term], factors.pop() * value, where, f"{term} is not linear in the weight")


def _check_network(network: nn.Module, channels: int, size: int) -> None:
    name = type(network).__name__
    reads = Reads.of(network)
    steps = 3 if reads.recurrent else len(reads.offsets)
    size = max(size, int(getattr(network, "minimum", 1)))
    size = -(-size // int(getattr(network, "multiple", 1))) * int(getattr(network, "multiple", 1))
    shape = (3, steps, channels, size, size) if reads.stacked else (3, channels, size, size)
    frames = torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2 - 1
    tried = copy.deepcopy(network).double()
    together = tried(frames)
    _require(isinstance(together, Tensor), name, f"returns {type(together).__name__} instead of a tensor")
    shape = tuple(together.shape)
    _require(together.ndim > 0 and shape[0] == 3, name, f"turns a batch of 3 into shape {shape}")
    if registry.generators.name_of(type(network)) or registry.predictors.name_of(type(network)):
        _require(shape[-2:] == (size, size), name, f"turns frames of {size}x{size} into shape {shape}")
    if registry.generators.name_of(type(network)):
        bound = together.abs().max().item()
        _require(bound <= 1 + 1e-6, name, f"gives values up to {bound:.3g}, outside [-1, 1]")
    if reads.recurrent:
        _require(together.shape[:2] == (3, steps), name, f"gives {tuple(together.shape)} for {steps} frames in")
        _close(tried(frames[:, :2]), together[:, :2], name, "a later frame changes an earlier prediction")
    if not sequential_reasons(tried):
        alone = torch.cat([tried(frame) for frame in frames.split(1)])
        _close(
            together,
            alone,
            name,
            "a frame in a batch gets another result than alone; declare it with the attribute sequential = True",
        )
    if any(parameter.requires_grad for parameter in tried.parameters()):
        together.sum().backward()
        dead = [key for key, p in tried.named_parameters() if p.requires_grad and p.grad is None]
        _require(not dead, name, f"no gradient reaches {', '.join(dead)}")


def _clips(channels: Mapping[str, int], streams: Mapping[str, int], length: int, size: int) -> dict[Clip, Tensor]:
    random = torch.Generator().manual_seed(0)
    return {
        Clip(domain, name): torch.rand(2, length, count, size, size, generator=random, dtype=torch.float64) * 2 - 1
        for domain in ("x", "y")
        for name, count in {"frames": channels[domain], **streams}.items()
    }


def _draws(stream: Stream) -> bool:
    """Whether an expression holds an operator that draws at random."""
    return getattr(stream, "is_random", False) or any(_draws(part) for part in stream.parts)


def _gradients(model: TranslationModel, total: Tensor) -> dict[str, Tensor]:
    model.zero_grad(set_to_none=True)
    if total.requires_grad:
        total.backward(retain_graph=True)
    found = {
        name: torch.zeros_like(parameter) if parameter.grad is None else parameter.grad.clone()
        for name, parameter in model.networks.named_parameters()
    }
    model.zero_grad(set_to_none=True)
    return found


def _close(a: Tensor, b: Tensor, where: str, what: str) -> None:
    _require(a.shape == b.shape, where, f"{what}: shape {tuple(a.shape)} against {tuple(b.shape)}")
    difference = (a - b).abs().max().item() if a.numel() else 0.0
    scale = max(b.abs().max().item(), 1e-6) if b.numel() else 1.0
    _require(difference <= 1e-8 * scale, where, f"{what}: by {difference:.3g}, against values up to {scale:.3g}")


def _require(condition: bool, where: str, what: str) -> None:
    if not condition:
        raise AssertionError(f"{where}: {what}.")
