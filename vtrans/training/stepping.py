"""One training step on any number of devices: every phase, in parts of the batch, in any precision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from vtrans.model import TranslationModel
from vtrans.objectives.execution import Prepared
from vtrans.objectives.guard import FiniteGuard, NonFiniteError
from vtrans.objectives.optimizers import clip_gradients
from vtrans.objectives.phases import Phase
from vtrans.objectives.reports import LossReport, StepReport
from vtrans.training.devices import Devices

Clips = tuple[Tensor, Tensor]


class Stepper:
    """Takes training steps, as :meth:`vtrans.TranslationModel.step` does on one device in full precision.

    The clips of a step come in parts, whose gradients add up before each update (gradient accumulation): with networks
    whose frames do not depend on their batch, the numbers are those of one large batch.

    Args:
        model: The model, on the device.
        optimizers: One a phase, by name.
        devices: What to compute on. Default: where the model is, alone, in full precision.
        check_every: Steps between looks at whether losses and gradients were finite; on the CPU, where looking costs
            nothing, and with 1, it is seen before the weights change.

    Example:
        >>> import vtrans
        >>> model = vtrans.build("gan", generator=("resnet", {"blocks": 1, "width": 4}))
        >>> stepper = Stepper(model, model.optimizers(), Devices(device="cpu"))
        >>> clip = torch.zeros(1, 3, 3, 32, 32)
        >>> sorted(stepper([(clip, clip), (clip, clip)], step=0))
        ['adversarial/x', 'adversarial/y', 'discriminator/x', 'discriminator/y']
    """

    def __init__(
        self,
        model: TranslationModel,
        optimizers: Mapping[str, torch.optim.Optimizer],
        devices: Devices,
        *,
        check_every: int = 25,
    ) -> None:
        self.model, self.optimizers, self.devices = model, optimizers, devices
        self.check_every = 1 if devices.device.type == "cpu" else check_every
        self._guard = FiniteGuard()
        self._parameters = {phase.name: model.parameters_of(phase.name) for phase in model.phases}
        # To list them anew at every step would take longer than to look at their gradients.
        self._trained = {
            phase.name: {n: list(net.parameters()) for n, net in model.networks.items() if phase.trained(n)}
            for phase in model.phases
        }

    def __call__(self, parts: Sequence[Clips], step: int) -> StepReport:
        """Takes a step.

        Args:
            parts: The clips of X and Y in this process, in one or several parts of the same size.
            step: Number of the step, from 0.

        Returns:
            The terms of every phase, averaged over the parts; of this process alone.

        Raises:
            NonFiniteError: A loss or gradient is, or was, not finite.
        """
        prepared = self._prepare(parts, step)
        done: list[dict[str, LossReport]] = [{} for _ in parts]
        for phase in self.model.active_phases(step):
            optimizer = self.optimizers[phase.name]
            optimizer.zero_grad(set_to_none=True)
            for clips, reports in zip(prepared, done, strict=True):
                with self.devices.autocast():
                    report = self.model.phase_loss(phase.name, clips, step=step, before=reports)
                if report.total.requires_grad:
                    self.devices.backward(report.total / len(parts))
                reports[phase.name] = report.detached()
            self.devices.average_gradients(self._parameters[phase.name])
            self.devices.unscale(optimizer)
            try:
                self._watch(phase, [reports[phase.name] for reports in done], step)
            except NonFiniteError:
                self.devices.finish_step()  # else the scaler would take the next step for a part of this one
                raise
            clip_gradients(self._parameters[phase.name], phase.optimizer)
            self.devices.update(optimizer)
        self.devices.finish_step()
        if (step + 1) % self.check_every == 0:
            self.check()
        return StepReport({name: _mean([reports[name] for reports in done]) for name in done[0]})

    def check(self) -> None:
        """Raises if a loss or gradient was not finite since the last look; waits for the device.

        Raises:
            NonFiniteError: One was not; the earliest is named.
        """
        self._guard.raise_if_seen()

    def _prepare(self, parts: Sequence[Clips], step: int) -> list[Prepared]:
        """The clips, checked; all processes stop if those of one are not finite, as on a GPU, where losses tell."""
        bad: list[str] = []
        try:
            prepared = [self.model.prepare(x, y) for x, y in parts]
        except ValueError:
            bad = [f"the clip of {'xy'[i]}" for i in range(2) if not all(_finite(clips[i]) for clips in parts)]
            if not bad:
                raise
        if self.devices.device.type == "cpu" and self.devices.any(bool(bad)):
            raise NonFiniteError(step, bad or ["a clip of another process"], updated=False)
        return prepared

    def _watch(self, phase: Phase, reports: Sequence[LossReport], step: int) -> None:
        values = torch.stack([report.values_tensor() for report in reports]).mean(0)
        self._guard.note(list(reports[0]), self.devices.mean(values), step)
        if self.devices.precision != "fp16":  # whose gradients overflow now and then: their update is left out
            norms = self._gradient_norms(phase)
            if norms:
                self._guard.note([f"gradient of {name}" for name in norms], torch.stack(list(norms.values())), step)
        if self.check_every == 1:
            self._guard.raise_if_seen(updated=False)

    def _gradient_norms(self, phase: Phase) -> dict[str, Tensor]:
        norms = {}
        for name, parameters in self._trained[phase.name].items():
            gradients = [p.grad for p in parameters if p.grad is not None]
            if gradients:
                norms[name] = torch.stack(torch._foreach_norm(gradients)).norm()
        return norms


def _mean(reports: Sequence[LossReport]) -> LossReport:
    values = torch.stack([report.values_tensor() for report in reports]).mean(0)
    return LossReport(list(reports[0]), values, {}, {}, {})


def _finite(clip: Tensor) -> bool:
    return bool(torch.isfinite(clip).all())
