"""What a model makes of frames, as streams to be measured: a few frames at a time, however long a video is."""

import math
from collections.abc import Collection, Iterator

import numpy as np
import torch
from torch import Tensor

from vtrans.data import Motion, frames_to_tensor, tensor_to_frames
from vtrans.data.tensors import Frames
from vtrans.evaluation.chunks import Chunk
from vtrans.evaluation.data import EvaluationData, stretches
from vtrans.evaluation.features import Features
from vtrans.evaluation.flow import LEAST
from vtrans.evaluation.metrics.metric import Given
from vtrans.evaluation.translations import predicted, recycled
from vtrans.model import TranslationModel
from vtrans.model.translation import padding

CPU_PIXELS, MOST = 4 * 256 * 256, 8
"""Pixels of a batch on a CPU, and frames of one anywhere, at most: its caches and a GPU's memory are small."""


def given(model: TranslationModel, data: EvaluationData, to: str, features: Features | None) -> Given:
    """What there is to measure a translation by, and why the rest is not there.

    Args:
        model: The model.
        data: The frames.
        to: The domain translated into.
        features: The feature network, if there is one.
    """
    start = _other(to)
    sequences = data.sequences(start)
    side = min(min(data.size_of(sequence)) for sequence in sequences)
    longest = max(data.count(sequence) for sequence in sequences)
    missing: dict[str, str] = {}
    if not data.paired:
        missing["truth"] = "the true translation is not known (paired says that frames are pairs)"
    if to not in data.palettes:
        missing["palette"] = f"frames of {to.upper()} have no palette (palette names one)"
    if to not in data.swapped:
        missing["swapped"] = "its world has no two kinds that could be exchanged"
    if data.of(to) is None:
        missing["real"] = f"there are no real frames of {to.upper()}"
    if features is None:
        missing["features"] = "there is no feature network (features names one)"
    if start not in data.motion and side < LEAST:
        missing["motion"] = f"frames are too small to estimate flow, below {LEAST}x{LEAST} pixels"
    if start not in model.targets:
        missing |= dict.fromkeys(("back", "recycled"), f"nothing is translated into {start.upper()}")
    for stream, predictor in _predictors(start).items():
        if stream in missing:
            continue
        if predictor not in model.networks:
            missing[stream] = f"the model has no {predictor}"
        elif longest <= (past := _past(model, predictor) or 1):
            missing[stream] = f"no sequence has more than the {past} frames that {predictor} reads"
    return Given(missing, side, longest)


class _Predictions:
    """The streams of predictors along a sequence, of which the past that they read is kept.

    Attributes:
        length: Frames that have to come at a time, if a predictor looks back on the whole past.
    """

    def __init__(self, model: TranslationModel, start: str, needs: Collection[str]) -> None:
        self._model, self._start = model, start
        self._pasts = {name: _past(model, role) for name, role in _predictors(start).items() if name in needs}
        whole = None in self._pasts.values()
        self.length = max(model.clip_length, model.minimum_length) if whole else None
        self._keep = max(filter(None, self._pasts.values()), default=0)
        self._before: Frames | None = None

    def of(self, frames: Frames) -> dict[str, Tensor]:
        """The frames of each stream at the times of the next frames of the sequence; NaN where there is none."""
        before = frames[:0] if self._before is None else self._before
        made = {}
        for name, past in self._pasts.items():
            lead = before[max(0, len(before) - past) :] if past is not None else frames[:0]
            made[name] = self._computed(name, np.concatenate([lead, frames]), past or 1)[len(lead) :]
        self._before = np.concatenate([before, frames])[-self._keep :] if self._keep else None
        return made

    def _computed(self, name: str, frames: Frames, past: int) -> Tensor:
        height, width = frames.shape[1:3]
        if len(frames) <= past:
            return torch.full_like(frames_to_tensor(frames), math.nan)
        padded, top, left = _padded(self._model, frames)
        clip = frames_to_tensor(padded).to(next(self._model.parameters()).device)
        compute = predicted if name == "predicted" else _recycled
        first, made = compute(self._model, clip, self._start)
        made[:first] = math.nan
        return made[..., top : top + height, left : left + width].cpu()


def _recycled(model: TranslationModel, clip: Tensor, domain: str) -> tuple[int, Tensor]:
    return recycled(model, clip, domain)[1:]


def translated(
    model: TranslationModel,
    data: EvaluationData,
    to: str,
    needs: Collection[str],
    *,
    features: Features | None = None,
    rounded: bool = True,
) -> Iterator[Chunk]:
    r"""Translates frames, and yields them with the streams that are needed.

    What comes back is :math:`G_X(G_Y(x_t))`, recycled :math:`G_X(P_Y(G_Y(x_{1:t})))` and predicted
    :math:`P_X(x_{1:t})`. A predictor of a bounded past gives a frame wherever there is that past; one that looks back
    on the whole past does so on clips as long as in training. Frames of a size that the networks of predicted streams
    do not take are padded by reflection, and cropped back.

    Args:
        model: The model.
        data: The frames.
        to: The domain translated into.
        needs: The streams that are needed.
        features: The feature network, if there is one.
        rounded: Whether translations are rounded to 8 bits, as they are where they are stored.
    """
    device, start = next(model.parameters()).device, _other(to)
    for number, sequence in enumerate(data.sequences(start)):
        shown = {"source": sequence}
        if data.paired:
            shown["truth"] = data.sequences(to)[number]
        if "swapped" in needs:
            shown["swapped"] = data.swapped[to].sequences[number]
        predictions = _Predictions(model, start, needs)
        batch = batch_of(device, *data.size_of(sequence))
        last: dict[str, Tensor] = {}
        position = 0
        for items, _ in stretches(zip(*map(data.frames, shown.values()), strict=False), predictions.length or batch, 0):
            levels = dict(zip(shown, map(np.stack, zip(*items, strict=True)), strict=True))
            made = {name: frames_to_tensor(frames) for name, frames in levels.items()}
            output = model.translate(made["source"].to(device), to=to, batch=batch)
            made["output"] = frames_to_tensor(tensor_to_frames(output.cpu())) if rounded else output.cpu()
            if "back" in needs and start in model.targets:
                made["back"] = model.translate(output, to=start, batch=batch).cpu()
            made |= predictions.of(levels["source"])
            begin, position = max(0, position - 1), position + len(items)
            exact = _steps(data.motion[start][number], begin, position - 1) if start in data.motion else None
            joined = {name: torch.cat([last[name], frames]) if last else frames for name, frames in made.items()}
            yield Chunk(joined, min(len(last), 1), exact, data.palettes.get(to), features)
            last = {name: frames[-1:] for name, frames in made.items()}


def real_frames(
    data: EvaluationData, to: str, device: torch.device, features: Features | None = None
) -> Iterator[Chunk]:
    """The real frames of a domain, a few at a time.

    Args:
        data: The frames.
        to: The domain.
        device: Where features are computed.
        features: The feature network, if there is one.
    """
    for sequence in data.sequences(to):
        for frames, fresh in stretches(data.frames(sequence), batch_of(device, *data.size_of(sequence)), 1):
            yield Chunk({"real": frames_to_tensor(np.stack(frames))}, fresh, network=features)


def batch_of(device: torch.device, height: int, width: int) -> int:
    """Frames at a time."""
    return MOST if device.type != "cpu" else min(MOST, max(1, CPU_PIXELS // (height * width)))


def _other(domain: str) -> str:
    return "y" if domain == "x" else "x"


def _predictors(start: str) -> dict[str, str]:
    """The networks that the streams of predictors are named for, by stream, for frames of a domain."""
    return {"recycled": f"P_{_other(start).upper()}", "predicted": f"P_{start.upper()}"}


def _past(model: TranslationModel, predictor: str) -> int | None:
    """How many frames a predictor reads; None for all."""
    context = getattr(model.networks[predictor], "context", None)
    return None if context is None else int(context)


def _steps(motion: Motion, start: int, stop: int) -> Motion:
    return Motion(flow=motion.flow[start:stop], occluded=motion.occluded[start:stop])


def _padded(model: TranslationModel, frames: Frames) -> tuple[Frames, int, int]:
    """Frames of a size that all networks take, and where the given ones lie in them."""
    networks = [network for name, network in model.networks.items() if not name.startswith("D_")]
    multiple = math.lcm(*(int(getattr(network, "multiple", 1)) for network in networks))
    minimum = max(int(getattr(network, "minimum", 1)) for network in networks)
    rows, columns = (padding(size, multiple, minimum) for size in frames.shape[1:3])
    return np.pad(frames, ((0, 0), rows, columns, (0, 0)), mode="reflect"), rows[0], columns[0]
