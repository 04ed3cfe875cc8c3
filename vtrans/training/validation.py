"""How the model does on clips that it was not trained on, at intervals."""

from __future__ import annotations

import torch
from torch import Tensor

from vtrans.data import frames_to_tensor
from vtrans.errors import refusal
from vtrans.evaluation.scores import psnr, ssim
from vtrans.evaluation.translations import recycled
from vtrans.model import TranslationModel
from vtrans.objectives.reports import StepReport
from vtrans.training.averages import averaged
from vtrans.training.callbacks import Callback, Run

CLIPS = 8
"""Held-out clips of each domain that are looked at."""


class Validation(Callback):
    """Measures held-out clips: ``held_out/cycle/x``, ``held_out/recycle/x``; and, in a world, against the truth.

    With averages of the weights, it is these that are measured.
    """

    def on_start(self, run: Run) -> None:
        if run.prepared.settings.validate_every and not (run.prepared.held_out or run.prepared.pairs):
            fix = "Pass --data.held_out 0.1, or a world; or leave it out"
            raise ValueError(refusal("validate_every", allowed="0 without held-out clips", got="none are", fix=fix))

    def on_step(self, run: Run, report: StepReport) -> None:
        if run.due(run.prepared.settings.validate_every):
            with averaged(run.average):
                run.numbers.update(measure(run))


def measure(run: Run) -> dict[str, float]:
    """The measurements by name; lower is better but for PSNR and SSIM."""
    model, device = run.prepared.model, run.devices.device
    numbers: dict[str, float] = {}
    for domain, clips in (run.prepared.held_out or {}).items():
        errors = [_errors(model, clips.clip(0, index).to(device), domain) for index in range(min(CLIPS, len(clips)))]
        for name in errors[0]:
            numbers[f"held_out/{name}/{domain}"] = sum(error[name] for error in errors) / len(errors)
    if run.prepared.pairs is not None:
        x, y = (torch.stack([frames_to_tensor(clip) for clip in frames]) for frames in run.prepared.pairs)
        for to, given, truth in (("y", x, y), ("x", y, x)):
            translated = model.translate(given.to(device), to=to).cpu()
            numbers[f"held_out/psnr/{to}"] = psnr(translated, truth)
            numbers[f"held_out/ssim/{to}"] = ssim(translated, truth)
    return numbers


def higher_is_better(name: str) -> bool:
    """Whether a number is a score, and not an error.

    Example:
        >>> higher_is_better("held_out/psnr/y"), higher_is_better("held_out/cycle/x")
        (True, False)
    """
    return any(part in ("psnr", "ssim", "accuracy", "iou") for part in name.split("/"))


def _errors(model: TranslationModel, clip: Tensor, domain: str) -> dict[str, float]:
    other = "y" if domain == "x" else "x"
    back = model.translate(model.translate(clip, to=other), to=domain)
    errors = {"cycle": (back - clip).abs().mean().item()}
    if f"P_{other.upper()}" in model.networks:
        _, first, again = recycled(model, clip, domain)
        errors["recycle"] = (again[first:] - clip[first:]).abs().mean().item()
    return errors
