"""How much memory a step takes, estimated without computing it, and what to change where it is too much."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from vtrans.algebra.views import Clip
from vtrans.model import TranslationModel
from vtrans.networks.sizes import nearest_sizes
from vtrans.training.preparation import Preparation, sizes_for_all


@dataclass(frozen=True)
class Memory:
    """An estimate in bytes.

    Attributes:
        weights: Parameters, their gradients and Adam's two averages.
        kept: What the largest phase keeps for its backward pass.
    """

    weights: int
    kept: int

    @property
    def total(self) -> int:
        """Both together; what convolutions use while they run comes on top."""
        return self.weights + self.kept


Shape = tuple[int, int, int, int]
"""Of a clip: (time, channel, height, width)."""


def estimate(
    model: TranslationModel, shape: Shape, batch: int, *, half: bool = False, recompute: Sequence[str] | None = None
) -> Memory:
    """Estimates the memory of a training step, on tensors without content.

    Args:
        model: The model.
        shape: Of a clip: (time, channel, height, width).
        batch: Clips of each domain that are computed at a time.
        half: Whether layers compute with 16 bits.
        recompute: Networks that are run again in the backward pass. Default: as the model has it.

    Returns:
        The estimate.

    Example:
        >>> import vtrans
        >>> model = vtrans.build("gan", generator=("resnet", {"blocks": 1, "width": 4}))
        >>> estimate(model, (3, 3, 32, 32), 2).kept > estimate(model, (3, 3, 32, 32), 1).kept
        True
    """
    empty = _without_content(model)
    for objective in empty.objectives.values():
        objective.compiled = None
    if recompute is not None:
        empty.recompute(recompute)
    time, _, height, width = shape
    clips = {
        Clip(domain): torch.empty(batch, time, model.channels[domain], height, width, device="meta")
        for domain in ("x", "y")
    }
    prepared = empty.execution.prepare(clips)
    numbers = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
    largest = 0
    reports: dict[str, Any] = {}
    for phase in empty.phases:
        kept: dict[int, int] = {}

        def note(tensor: Tensor, kept: dict[int, int] = kept) -> Tensor:
            storage = tensor.untyped_storage()
            kept[storage._cdata] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            reports[phase.name] = empty.phase_loss(phase.name, prepared, before=reports)
        parameters = {parameter.untyped_storage()._cdata for parameter in empty.parameters()}
        largest = max(largest, sum(size for storage, size in kept.items() if storage not in parameters))
        reports[phase.name] = reports[phase.name].detached()
    return Memory(4 * numbers, largest // 2 if half else largest)


def summary(prepared: Preparation) -> str:
    """The estimate for a run in a line."""
    of = estimate(prepared.model, **_step_of(prepared))
    return (
        f"memory of a step by estimate: {of.total / 2**30:.2f} GiB, of which {of.weights / 2**30:.2f} for weights, "
        f"gradients and Adam, {of.kept / 2**30:.2f} for the backward pass; what convolutions need comes on top"
    )


def advice(prepared: Preparation) -> str:
    """What to change when memory ran out, and what each change would save by estimate."""
    settings, model, step = prepared.settings, prepared.model, _step_of(prepared)
    now = estimate(model, **step).total
    share, (time, channels, height, width) = step["batch"], step["shape"]
    tries: dict[str, dict[str, Any]] = {}
    if share > 1:
        divisor = next(number for number in range(2, share + 1) if share % number == 0)
        words = f"--accumulate {settings.accumulate * divisor} (the same numbers, in parts)"
        tries[words] = {"batch": share // divisor}
    if not settings.recompute:
        roles = [role for role in ("G", "P") if any(name.startswith(f"{role}_") for name in model.networks)]
        tries[f"--recompute '[{', '.join(roles)}]' (the same numbers, slower)"] = {"recompute": roles}
    if time > model.minimum_length:
        shorter = (model.minimum_length, channels, height, width)
        tries[f"--data.clip_length {model.minimum_length}"] = {"shape": shorter}
    multiple, minimum = sizes_for_all(model)
    smaller = [nearest_sizes(side // 2, multiple=multiple, minimum=minimum)[0] for side in (height, width)]
    if smaller != [height, width]:
        tries[f"--data.crop '[{smaller[0]}, {smaller[1]}]'"] = {"shape": (time, channels, *smaller)}
    if not step["half"]:
        tries["--precision bf16"] = {"half": True}
    lines = []
    for words, change in tries.items():
        try:
            saved = now - estimate(model, **{**step, **change}).total
        except ValueError:  # a network that takes no such size, or cannot run twice
            continue
        if saved > 0:
            lines.append(f"  {words}: about {saved / 2**30:.1f} GiB less")
    return "\n".join([f"A step takes about {now / 2**30:.1f} GiB and what convolutions need besides. Try:", *lines])


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, of a GPU or of the machine."""
    words = ("can't allocate memory", "not enough memory", "out of memory", "std::bad_alloc")
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and any(word in str(error).lower() for word in words)
    )


def _step_of(prepared: Preparation) -> dict[str, Any]:
    """What :func:`estimate` asks about a run's step."""
    settings = prepared.settings
    share = prepared.devices.share_of(settings.batch, settings.accumulate) // settings.accumulate
    return {"shape": prepared.clips_x.shape, "batch": share, "half": settings.precision in ("bf16", "fp16")}


def _without_content(model: TranslationModel) -> TranslationModel:
    """A copy whose tensors have shapes and no memory."""
    kept = [image for pool in model.pools.values() for image in pool.images]
    memo: dict[int, Tensor] = {id(tensor): tensor.to("meta") for tensor in (*model.buffers(), *kept)}
    for parameter in model.parameters():
        memo[id(parameter)] = nn.Parameter(parameter.detach().to("meta"), requires_grad=parameter.requires_grad)
    return copy.deepcopy(model, memo)
