"""Checks of the clips a model is given, before any work is done on them."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from vtrans.algebra.streams import Clip
from vtrans.errors import refusal

ClipInput = Tensor | Mapping[str, Tensor]
"""A clip ``(batch, time, channel, height, width)`` in [-1, 1]; or a mapping, with it as ``"frames"``."""

_TOLERANCE = 1e-3


def named_clips(domain: str, clip: ClipInput) -> dict[Clip, Tensor]:
    """The streams of a clip by the name under which expressions know them."""
    if isinstance(clip, Mapping):
        if "frames" not in clip:
            raise ValueError(refusal(domain, allowed="a mapping that has 'frames'", got=f"keys {', '.join(clip)}"))
        return {Clip(domain, name): stream for name, stream in clip.items()}
    return {Clip(domain): clip}


def check_clips(x: ClipInput, y: ClipInput, channels: Mapping[str, int], minimum_length: int) -> dict[Clip, Tensor]:
    """The streams of both clips, after refusing what a step cannot take.

    Args:
        x: Clip of X.
        y: Clip of Y.
        channels: Channels of the frames of X and of Y.
        minimum_length: Frames that the losses need.

    Raises:
        ValueError: A clip of the wrong shape, range or length.
        TypeError: A clip that is no floating point tensor.
    """
    clips = {**named_clips("x", x), **named_clips("y", y)}
    for domain in ("x", "y"):
        check_frames(domain, clips[Clip(domain)], channels[domain])
    check_pair(clips[Clip("x")], clips[Clip("y")])
    check_extra_streams(clips)
    length = clips[Clip("x")].shape[1]
    if length < minimum_length:
        raise ValueError(
            refusal(
                "x and y",
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
    """Refuses further streams of a clip that are no tensors ``(batch, time, …)`` of the clip's batch."""
    for clip, stream in clips.items():
        batch = clips[Clip(clip.of)].shape[0]
        shape = tuple(stream.shape) if isinstance(stream, Tensor) else type(stream).__name__
        if not isinstance(stream, Tensor) or stream.ndim < 2 or stream.shape[0] != batch:
            raise ValueError(
                refusal(f"{clip.of}[{clip.name!r}]", allowed=f"a tensor (batch {batch}, time, …)", got=f"{shape}")
            )


def check_pair(x: Tensor, y: Tensor) -> None:
    """Refuses clips of two domains that cannot share a step: all but the channels must agree."""
    for axis, name in ((0, "batch"), (1, "time"), (3, "height"), (4, "width")):
        if x.shape[axis] != y.shape[axis]:
            raise ValueError(
                refusal(
                    "x and y",
                    allowed="clips of the same batch, time, height and width (channels may differ)",
                    got=f"{name} {x.shape[axis]} in x and {y.shape[axis]} in y",
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


def check_optimizers(optimizers: object, active: list[str]) -> None:
    """Refuses what is not an optimizer for each of the active phases."""
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
