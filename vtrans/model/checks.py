"""Checks of the clips a model is given, before any work is done on them."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from vtrans.algebra.views import Clip
from vtrans.errors import refusal, unknown

ClipInput = Tensor | Mapping[str, Tensor]
"""A clip ``(batch, time, channel, height, width)`` in [-1, 1]; or a mapping, with it as ``"frames"``."""

Clips = ClipInput | Mapping[str, ClipInput]
"""A clip, or the clips of all domains by name."""

_TOLERANCE = 1e-3


def by_domain(x: Clips, y: ClipInput | None, domains: Sequence[str]) -> dict[str, ClipInput]:
    """The clips by domain: given one after the other, or as a mapping.

    Args:
        x: The clip of the first domain, or all clips by domain.
        y: The clip of the second; None after a mapping.
        domains: The model's domains.

    Raises:
        TypeError: There is one clip where more are needed.
        ValueError: A clip of a domain that the model does not have.
    """
    if y is not None:
        return dict(zip(domains, (x, y), strict=False))  # type: ignore[arg-type]
    if isinstance(x, Mapping) and "frames" not in x:
        for name in x:
            if name not in domains:
                raise ValueError(unknown("domain", name, domains))
        return dict(x)
    if len(domains) > 1:
        allowed = f"a clip of each domain, as (x, y) or as {{{', '.join(f'{name!r}: …' for name in domains)}}}"
        raise TypeError(refusal("clips", allowed=allowed, got=f"one {type(x).__name__}"))
    return {domains[0]: x}  # type: ignore[dict-item]


def check_clips(
    given: Mapping[str, ClipInput], needed: Sequence[Clip], channels: Mapping[str, int], minimum_length: int
) -> dict[Clip, Tensor]:
    """The streams of the clips, after refusing what a step cannot take.

    Args:
        given: The clips by domain.
        needed: The streams that the losses name.
        channels: Channels of the frames of each domain.
        minimum_length: Frames that the losses need.

    Raises:
        ValueError: A clip of the wrong shape, range or length, or one that is missing.
        TypeError: A clip that is no floating point tensor.
    """
    clips: dict[Clip, Tensor] = {}
    for domain, clip in given.items():
        streams = clip if isinstance(clip, Mapping) else {"frames": clip}
        if Clip(domain) in needed and "frames" not in streams:
            raise ValueError(refusal(domain, allowed="a mapping that has 'frames'", got=f"keys {', '.join(streams)}"))
        clips |= {Clip(domain, name): stream for name, stream in streams.items()}
    missing = list(dict.fromkeys(clip.of for clip in needed if clip.of not in given))
    if missing:
        raise ValueError(
            refusal(f"clips of {', '.join(missing)}", allowed="a clip of each domain that the losses name", got="none")
        )
    of_frames = {clip.of: frames for clip, frames in clips.items() if clip.name == "frames"}
    for domain, frames in of_frames.items():
        check_frames(domain, frames, channels[domain])
    check_together(of_frames)
    check_extra_streams(clips)
    length = max((frames.shape[1] for frames in of_frames.values()), default=minimum_length)
    if length < minimum_length:
        raise ValueError(
            refusal(
                " and ".join(of_frames),
                allowed=f"clips of {minimum_length} frames or more",
                got=f"{length}",
                why="Every loss needs a frame to look at after what the predictors and discriminators read",
                fix="Pass longer clips, or a predictor with a smaller context",
            )
        )
    return clips


def check_frames(argument: str, frames: object, channels: int) -> None:
    """Refuses what is no batch of clips in [-1, 1].

    The range is read where that costs nothing, on the CPU.
    """
    if not isinstance(frames, Tensor):
        raise TypeError(refusal(argument, allowed="a tensor", got=type(frames).__name__))
    shape = tuple(frames.shape)
    if frames.ndim != 5:
        raise ValueError(
            refusal(
                argument,
                allowed="a clip (batch, time, channel, height, width)",
                got=f"shape {shape}",
                fix=f"Add the axis that is missing, such as {argument}.unsqueeze(0) for the batch",
            )
        )
    if not frames.is_floating_point():
        raise TypeError(
            refusal(
                argument,
                allowed="floating point in [-1, 1]",
                got=str(frames.dtype),
                fix=f"Pass {argument}.float() / 127.5 - 1" if frames.dtype == torch.uint8 else "",
            )
        )
    if frames.shape[2] != channels:
        raise ValueError(
            refusal(
                argument,
                allowed=f"{channels} channels on axis 2",
                got=f"shape {shape}",
                fix="Build the model with channels={'x': …, 'y': …}, or move the channel axis",
            )
        )
    if 0 in shape:
        raise ValueError(refusal(argument, allowed="at least one element on every axis", got=f"shape {shape}"))
    check_range(argument, frames)


def check_range(argument: str, frames: Tensor) -> None:
    """Refuses values outside [-1, 1], NaN included, where reading them costs nothing: on the CPU."""
    if frames.device.type != "cpu":
        return
    low, high = (bound.item() for bound in frames.detach().aminmax())
    if not (low >= -1 - _TOLERANCE and high <= 1 + _TOLERANCE):
        eight_bit = low >= 0 and high > 1
        raise ValueError(
            refusal(
                argument,
                allowed="values in [-1, 1]",
                got=f"values from {low:.4g} to {high:.4g}",
                why="The generators end in tanh",
                fix=f"Pass {argument} / 127.5 - 1" if eight_bit else "",
            )
        )


def check_precision(argument: str, frames: Tensor, network: nn.Module) -> None:
    """Refuses frames of another precision than the network's weights, unless autocast brings them together."""
    dtype = next((p.dtype for p in network.parameters() if p.is_floating_point()), frames.dtype)
    if frames.dtype != dtype and not torch.is_autocast_enabled(frames.device.type):
        raise TypeError(
            refusal(
                argument,
                allowed=f"{dtype}, as the networks are",
                got=str(frames.dtype),
                fix=f"Pass {argument}.to({dtype}), or convert the model",
            )
        )


def check_extra_streams(clips: Mapping[Clip, Tensor]) -> None:
    """Refuses further streams of a clip that are no tensors ``(batch, time, …)`` of the clips' batch."""
    batch = next((stream.shape[0] for clip, stream in clips.items() if clip.name == "frames"), None)
    for clip, stream in clips.items():
        shape = tuple(stream.shape) if isinstance(stream, Tensor) else type(stream).__name__
        if not isinstance(stream, Tensor) or stream.ndim < 2 or stream.shape[0] != (batch or stream.shape[0]):
            of = f"batch {batch}" if batch else "batch"
            raise ValueError(refusal(f"{clip.of}[{clip.name!r}]", allowed=f"a tensor ({of}, time, …)", got=f"{shape}"))


def check_together(clips: Mapping[str, Tensor]) -> None:
    """Refuses clips of several domains that cannot share a step: all but the channels must agree."""
    (first, x), *others = clips.items() if clips else [("", torch.empty(0))]
    for axis, name in ((0, "batch"), (1, "time"), (3, "height"), (4, "width")):
        for other, y in others:
            if x.shape[axis] != y.shape[axis]:
                raise ValueError(
                    refusal(
                        f"{first} and {other}",
                        allowed="clips of the same batch, time, height and width (channels may differ)",
                        got=f"{name} {x.shape[axis]} in {first} and {y.shape[axis]} in {other}",
                        why="Frames of both domains pass through one call of a network, and each fake is judged beside "
                        "the real frame of its time",
                        fix="Cut or resize one of them",
                    )
                )


def check_step(step: object, check_every: object) -> None:
    """Refuses numbers that are none, and a step that would teach nothing."""
    if isinstance(step, bool) or not isinstance(step, int) or step < 0:
        raise TypeError(refusal("step", allowed="a whole number, counted from 0", got=repr(step)))
    if isinstance(check_every, bool) or not isinstance(check_every, int) or check_every < 1:
        raise TypeError(refusal("check_every", allowed="a whole number above 0", got=repr(check_every)))
    if not torch.is_grad_enabled():
        raise ValueError(
            refusal("step", allowed="gradients switched on", got="torch.no_grad", why="Nothing would be learnt")
        )


def check_optimizers(optimizers: object, active: list[str]) -> Mapping[str, torch.optim.Optimizer]:
    """The optimizers, after refusing what is not one for each of the active phases."""
    fix = "Make them with model.optimizers()"
    if not isinstance(optimizers, Mapping):
        got = type(optimizers).__name__
        raise TypeError(refusal("optimizers", allowed="a mapping of phase names to optimizers", got=got, fix=fix))
    missing = [name for name in active if name not in optimizers]
    if missing:
        allowed = f"one for each phase: {', '.join(active)}"
        raise ValueError(refusal("optimizers", allowed=allowed, got=f"none for {', '.join(missing)}", fix=fix))
    for name in active:
        if not isinstance(optimizers[name], torch.optim.Optimizer) and not hasattr(optimizers[name], "step"):
            got = type(optimizers[name]).__name__
            raise TypeError(refusal(f"optimizers[{name!r}]", allowed="an optimizer", got=got, fix=fix))
    return optimizers
