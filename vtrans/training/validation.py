"""How the model does on clips that it was not trained on, at intervals."""

from __future__ import annotations

from vtrans.data.opening import DOMAINS, first_clips, palettes_of, resolved, world_of
from vtrans.errors import refusal
from vtrans.evaluation import EvaluationData, evaluate, world_data
from vtrans.evaluation.data import clips_source
from vtrans.evaluation.evaluate import choose
from vtrans.objectives.reports import StepReport
from vtrans.training.averages import averaged
from vtrans.training.callbacks import Callback, Run
from vtrans.training.preparation import Preparation

USUAL = ("cycle", "recycle", "psnr", "ssim")
"""What is measured, where the data and the model allow, unless metrics are named."""
PLACE = "held_out/"


class Validation(Callback):
    """Measures held-out clips: ``held_out/cycle/x``, ``held_out/recycle/x``; and, against the truth if it is known.

    With averages of the weights, it is these that are measured.
    """

    def on_start(self, run: Run) -> None:
        settings = run.prepared.settings
        if not settings.validate_every:
            return
        if not (run.prepared.held_out or run.prepared.pairs):
            fix = "Pass --data.held_out 0.1, or a world; or leave it out"
            raise ValueError(refusal("validate_every", allowed="0 without held-out clips", got="none are", fix=fix))
        self._data = held_out_data(run.prepared)
        named = list(settings.validate_metrics)
        if settings.best is not None and settings.best.startswith(PLACE):
            named.append(settings.best.split("/")[1])
        if named:
            choose(run.prepared.model, self._data, metrics=named)
        possible = set().union(*choose(run.prepared.model, self._data)[0].values())
        self._names = [*named, *(() if settings.validate_metrics else possible.intersection(USUAL))]

    def on_step(self, run: Run, report: StepReport) -> None:
        if run.due(run.prepared.settings.validate_every):
            with averaged(run.average):
                found = evaluate(run.prepared.model, self._data, metrics=self._names, rounded=False).numbers
            run.numbers.update({f"{PLACE}{name}": value for name, value in found.items()})


def held_out_data(prepared: Preparation) -> EvaluationData:
    """The held-out clips of a run, at most eight of eight frames of each domain, and what is known about them.

    Args:
        prepared: The run.

    Raises:
        ValueError: Nothing is held out of its data.
    """
    data = resolved(prepared.settings.data)
    if data.world is not None and prepared.pairs is not None:
        world = world_of(data, prepared.settings.seed)
        return world_data(data.world, world, clips=len(prepared.pairs[0]), length=prepared.pairs[0].shape[1])
    if prepared.pairs is not None:
        clips = [list(of_domain) for of_domain in prepared.pairs]
    elif prepared.held_out:
        clips = [first_clips(prepared.held_out[domain].source, data) for domain in DOMAINS]
    else:
        fix = "Set data: held_out, such as 0.1, or use a world"
        raise ValueError(refusal("data", allowed="clips that are held out, to measure on", got="none", fix=fix))
    x, y = (clips_source(f"held_out/{domain}", frames) for domain, frames in zip(DOMAINS, clips, strict=True))
    return EvaluationData(x=x, y=y, paired=prepared.pairs is not None, palettes=palettes_of(data))
