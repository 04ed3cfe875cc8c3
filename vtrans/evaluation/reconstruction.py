"""Errors of what comes back: cycle, recycle and prediction, on frames held out."""

import math
from collections.abc import Callable, Collection, Iterator

import numpy as np
from torch import Tensor

from vtrans.data import frames_to_tensor
from vtrans.data.tensors import Frames
from vtrans.evaluation.data import EvaluationData, stretches
from vtrans.evaluation.measures import Mean, Measured
from vtrans.evaluation.translations import predicted, recycled
from vtrans.model import TranslationModel
from vtrans.model.translation import padding


def reconstruction_errors(
    model: TranslationModel,
    data: EvaluationData,
    domain: str,
    names: Collection[str],
    *,
    batch: Callable[[int, int], int],
) -> Iterator[Measured]:
    r"""The mean absolute differences of a domain's frames and what comes back of them.

    .. math::
        \text{cycle} = |G_X(G_Y(x_t)) - x_t|, \quad
        \text{recycle} = |G_X(P_Y(G_Y(x_{1:t}))) - x_{t+1}|, \quad
        \text{prediction} = |P_X(x_{1:t}) - x_{t+1}|

    A predictor of a bounded past is measured at every frame that has it; one that looks back on the whole past on
    clips as long as in training. Frames that the networks cannot take are padded by reflection, which is not measured.

    Args:
        model: The model.
        data: The frames.
        domain: The domain that they start from, ``"x"`` or ``"y"``.
        names: Those of ``cycle``, ``recycle`` and ``prediction`` to compute.
        batch: From height and width to frames at a time.

    Yields:
        The errors, from 0 to 2.
    """
    source, device = data.of(domain), next(model.parameters()).device
    other = "y" if domain == "x" else "x"
    predictors = {"recycle": f"P_{other.upper()}", "prediction": f"P_{domain.upper()}"}
    pasts: dict[str, int | None] = {
        name: getattr(model.networks[predictor], "context", None)
        for name, predictor in predictors.items()
        if name in names
    }
    bounded = [past for past in pasts.values() if past is not None]
    whole = len(bounded) < len(pasts)
    overlap = 0 if whole else max(bounded, default=0)
    errors = {name: Mean() for name in names}
    for sequence in [] if source is None else source.sequences:
        height, width = data.size_of(sequence)
        length = max(model.clip_length, model.minimum_length) if whole else batch(height, width)
        for frames, fresh in stretches(data.frames(sequence), length, overlap):
            stacked = np.stack(frames)
            clip = frames_to_tensor(stacked).to(device)
            if "cycle" in names:
                there = model.translate(clip[fresh:], to=other, batch=length)
                errors["cycle"].add(_errors(model.translate(there, to=domain, batch=length), clip[fresh:]))
            for name, past in pasts.items():
                if len(clip) <= (past or 1):
                    continue
                padded, top, left = _padded(model, stacked)
                given = frames_to_tensor(padded).to(device)
                compute = predicted if name == "prediction" else _recycled
                first, made = compute(model, given, domain)
                made = made[..., top : top + height, left : left + width]
                errors[name].add(_errors(made, clip)[max(first, fresh) :])
    for name, mean in errors.items():
        if mean.count:
            yield Measured(name, mean.value, mean.count)


def _recycled(model: TranslationModel, clip: Tensor, domain: str) -> tuple[int, Tensor]:
    return recycled(model, clip, domain)[1:]


def _errors(made: Tensor, real: Tensor) -> Tensor:
    """The error of each frame."""
    return (made - real).abs().double().mean(dim=(1, 2, 3)).cpu()


def _padded(model: TranslationModel, frames: Frames) -> tuple[Frames, int, int]:
    """Frames of a size that all networks take, and where the given ones lie in them."""
    networks = [network for name, network in model.networks.items() if not name.startswith("D_")]
    multiple = math.lcm(*(int(getattr(network, "multiple", 1)) for network in networks))
    minimum = max(int(getattr(network, "minimum", 1)) for network in networks)
    rows, columns = (padding(size, multiple, minimum) for size in frames.shape[1:3])
    return np.pad(frames, ((0, 0), rows, columns, (0, 0)), mode="reflect"), rows[0], columns[0]
