"""Checks for users' own losses, networks and recipes."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from vtrans import registry
from vtrans.algebra.meaning import Draws, evaluate
from vtrans.algebra.streams import Scope
from vtrans.algebra.times import Reads
from vtrans.algebra.values import map_tensors, tensors_in
from vtrans.algebra.views import Clip
from vtrans.errors import refusal
from vtrans.losses import Loss
from vtrans.losses.terms import Judgement
from vtrans.model import TranslationModel, build
from vtrans.networks.traits import sequential_reasons
from vtrans.objectives.reports import LossReport
from vtrans.objectives.terms import named_terms

_SMALL = {
    "generator": ("resnet", {"blocks": 1, "width": 4}),
    "predictor": ("unet", {"depth": 3, "width": 4}),
    "discriminator": ("patch", {"layers": 1, "width": 4}),
}
"""Networks on which a loss is checked unless others are given."""


def check(
    part: Loss | nn.Module | str,
    *,
    channels: int = 3,
    size: int = 16,
    streams: Mapping[str, int] | None = None,
    **overrides: Any,
) -> None:
    """Checks a user's own loss, network or recipe, and says what is wrong with it.

    A loss: its terms are finite, its planned value and gradients equal plain evaluation, it is linear in its weight,
    and gradients reach the networks that its equations train and no other. A network: it keeps the batch axis, works in
    float64, and gives each frame what it gives it alone, unless it says (or shows) that it must be called frame by
    frame; a registered generator or predictor keeps the size of the frames, and a generator stays in [-1, 1]. A recipe
    by its name: each of its phases as a loss; small networks are given as ``overrides``.

    Args:
        part: A loss such as ``MyLoss()``, a network such as ``MyGenerator(in_channels=3, out_channels=3)``, or the name
            of a recipe.
        channels: Channels of the frames it is tried on.
        size: Height and width of these frames.
        streams: For a loss that names further streams of the clips, the channels of each, such as ``{"flow": 2}``.
        overrides: For a loss or recipe, arguments of :func:`vtrans.build`, such as ``generator=…`` or ``networks=…``.

    Raises:
        AssertionError: A check fails; the message says which, with the figures.
        TypeError: ``part`` is neither a loss, a network nor a name.

    Example:
        >>> from vtrans.losses import Recycle
        >>> check(Recycle(distance="charbonnier"))
    """
    if isinstance(part, Loss):
        _check_loss(part, channels, size, streams or {}, overrides)
    elif isinstance(part, nn.Module):
        _check_network(part, channels, size)
    elif isinstance(part, str):
        _check_model(build(part, **{"channels": channels, **overrides}).double(), size, streams or {}, part)
    else:
        raise TypeError(refusal("part", allowed="a Loss, a network or a recipe's name", got=type(part).__name__))


def _check_loss(loss: Loss, channels: int, size: int, streams: Mapping[str, int], overrides: Mapping[str, Any]) -> None:
    terms = named_terms({loss.name: loss})
    judging = {name for named in terms if isinstance(named.term, Judgement) for name in named.term.networks}
    phases: dict[str, dict[str, None]] = {}
    for named in terms:
        phases.setdefault(named.term.phase, {}).update(dict.fromkeys(n for n in named.trains if n not in judging))
    for phase in ("discriminators", "penalties"):
        taught = [name for named in terms if named.term.phase == phase for name in named.trains]
        if phase in phases:
            phases[phase] = dict.fromkeys(taught)
    model = build(
        "gan",
        **{
            **_SMALL,
            "channels": channels,
            "losses": [loss],
            "phases": [{"name": phase, "trains": list(trains)} for phase, trains in phases.items()],
            # The caller's own networks stay as they are.
            **{argument: copy.deepcopy(value) for argument, value in overrides.items()},
        },
    ).double()
    _check_model(model, size, streams, type(loss).__name__)


def _check_model(model: TranslationModel, size: int, streams: Mapping[str, int], where: str) -> None:
    length = max(model.clip_length, model.minimum_length)
    clips = _clips(model.channels, streams, length, size)
    for phase in model.phases:
        _check_phase(model, phase.name, clips, f"{where}, phase {phase.name}")


def _check_phase(model: TranslationModel, phase: str, clips: Mapping[Clip, Tensor], where: str) -> None:
    given: dict[str, dict[str, Tensor]] = {}
    for clip, values in clips.items():
        given.setdefault(clip.of, {})[clip.name] = values
    networks = dict(model.networks.items())
    state = copy.deepcopy(model.state_dict())
    torch.manual_seed(0)
    report = model.loss(phase, given)
    for term, value in report.items():
        _require(bool(torch.isfinite(value)), where, f"{term} is {value.item()}")
    planned = _gradients(model, report.total)

    model.load_state_dict(state)
    objective = model.objectives[phase]
    plain = torch.zeros((), dtype=torch.float64)
    scope = Scope(
        {clip: values.shape[1] for clip, values in clips.items()},
        {name: Reads.of(net) for name, net in networks.items()},
    )
    draws: Draws = {}
    torch.manual_seed(0)
    for stream in objective.requires:  # what is carried is drawn first
        evaluate(stream, clips, networks, draws)
    for named in objective.terms:
        frames = []
        for stream, times in named.term.requests(scope):
            found = evaluate(stream, clips, networks, draws)
            frames.append(map_tensors(lambda *parts: torch.stack(parts), *(found[t] for t in times)))
        plain = plain + named.weight(0) * named.term.value(frames, networks)
    repeatable = not any(sequential_reasons(network) for network in networks.values())
    if repeatable:
        _close(report.total, plain, where, "the planned total and the plain one differ")
        for name, gradient in _gradients(model, plain).items():
            if model.phase(phase).trained(name.split(".")[0]):
                _close(planned[name], gradient, where, f"the planned and the plain gradient of {name} differ")

    _require(bool(networks), where, "its equations hold no network, so that they train nothing")
    for network in networks:
        reached = any(gradient.abs().sum() > 0 for name, gradient in planned.items() if name.split(".")[0] == network)
        if network in objective.reached and not reached and list(model.networks[network].parameters()):
            raise AssertionError(f"{where}: the equations train {network}, yet no gradient reaches it.")
        if network not in objective.reached and reached:
            raise AssertionError(f"{where}: gradients reach {network}, which the equations do not train.")
    if repeatable:
        _check_weights(model, phase, given, report, state, where)


def _check_weights(
    model: TranslationModel,
    phase: str,
    clips: Mapping[str, Mapping[str, Tensor]],
    report: LossReport,
    state: Mapping[str, Tensor],
    where: str,
) -> None:
    """Whether each term counts as the weight of its loss says."""
    for loss in model.losses.values():
        weight = loss.weight
        if not isinstance(weight, int | float) or not weight > 0:
            continue
        own = {named.name: named.term.by_loss for named in model.objectives[phase].terms if named.loss is loss}
        try:
            loss.weight = 3 * weight
            model.load_state_dict(dict(state))
            torch.manual_seed(0)
            tripled = model.loss(phase, clips)
        finally:
            loss.weight = weight
        for term, counts in own.items():
            alone = {n.loss for n in model.objectives[phase].terms if n.name == term} == {loss}
            if alone:
                _close(tripled[term], (3 if counts else 1) * report[term], where, f"{term} is not linear in the weight")


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
    known = bool(registry.generators.name_of(type(network)) or registry.predictors.name_of(type(network)))
    if known or reads.recurrent:
        _require(isinstance(together, Tensor), name, f"returns {type(together).__name__} instead of a tensor")
    for part in tensors_in(together):
        _require(part.ndim > 0 and part.shape[0] == 3, name, f"turns a batch of 3 into shape {tuple(part.shape)}")
    made = tuple(next(tensors_in(together)).shape)
    if known:
        _require(made[-2:] == (size, size), name, f"turns frames of {size}x{size} into shape {made}")
    if registry.generators.name_of(type(network)):
        bound = together.abs().max().item()
        _require(bound <= 1 + 1e-6, name, f"gives values up to {bound:.3g}, outside [-1, 1]")
    if reads.recurrent:
        _require(together.shape[:2] == (3, steps), name, f"gives {tuple(together.shape)} for {steps} frames in")
        _close(tried(frames[:, :2]), together[:, :2], name, "a later frame changes an earlier prediction")
    if not sequential_reasons(tried):
        alone = map_tensors(lambda *parts: torch.cat(parts), *(tried(frame) for frame in frames.split(1)))
        what = "a frame in a batch gets another result than alone; declare it with the attribute sequential = True"
        for one, other in zip(tensors_in(together), tensors_in(alone), strict=True):
            _close(one, other, name, what)
    if any(parameter.requires_grad for parameter in tried.parameters()):
        torch.stack([part.sum() for part in tensors_in(together)]).sum().backward()
        dead = [key for key, p in tried.named_parameters() if p.requires_grad and p.grad is None]
        _require(not dead, name, f"no gradient reaches {', '.join(dead)}")


def _clips(channels: Mapping[str, int], streams: Mapping[str, int], length: int, size: int) -> dict[Clip, Tensor]:
    random = torch.Generator().manual_seed(0)
    return {
        Clip(domain, name): torch.rand(2, length, count, size, size, generator=random, dtype=torch.float64) * 2 - 1
        for domain in channels
        for name, count in {"frames": channels[domain], **streams}.items()
    }


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
