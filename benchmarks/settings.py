"""The settings at which steps are measured: networks, clips, and one schedule beside another."""

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor

import vtrans
from benchmarks import sequential

Step = Callable[[], dict[str, Tensor]]


@dataclass(frozen=True)
class Setting:
    """Sizes of clips and networks."""

    size: int
    batch: int
    generator: tuple[str, dict[str, int]]
    predictor: tuple[str, dict[str, int]]
    width: int
    length: int = 3
    device: str = "cpu"


_SMALL = (("resnet", {"blocks": 3, "width": 16}), ("unet", {"depth": 6, "width": 16}), 16)
_PUBLISHED = (("resnet_6blocks", {"width": 64}), ("unet_256", {"width": 64}), 64)
SETTINGS = {
    "A": Setting(128, 1, ("resnet_6blocks", {"width": 64}), ("unet_128", {"width": 64}), 64),
    "B1": Setting(64, 1, *_SMALL),
    "B4": Setting(64, 4, *_SMALL),
    "C1": Setting(256, 1, *_PUBLISHED, device="cuda"),
    "C8": Setting(256, 8, *_PUBLISHED, device="cuda"),
}


def model_of(setting: Setting) -> vtrans.TranslationModel:
    """The model of a setting, recipe ``recycle_cycle_gan``."""
    return vtrans.build(
        "recycle_cycle_gan",
        generator=setting.generator,
        predictor=setting.predictor,
        discriminator=("patch", {"width": setting.width}),
    ).to(setting.device)


def clips_of(setting: Setting, seed: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """Random clips of a setting."""
    random = torch.Generator().manual_seed(seed)
    shape = (2, setting.batch, setting.length, 3, setting.size, setting.size)
    x, y = (torch.rand(shape, generator=random, dtype=torch.float64) * 2 - 1).to(setting.device, dtype).unbind()
    return x, y


@dataclass(frozen=True)
class Variant:
    """A way to take a step."""

    planned: bool = True
    bf16: bool = False
    compiled: bool = False

    def autocast(self, device: str) -> AbstractContextManager[object]:
        """What the forward passes run in."""
        return torch.autocast(device, torch.bfloat16) if self.bf16 else nullcontext()


VARIANTS = {
    "sequential": Variant(planned=False),
    "planned": Variant(),
    "planned, compiled": Variant(compiled=True),
    "planned, bf16": Variant(bf16=True),
    "planned, bf16, compiled": Variant(bf16=True, compiled=True),
}


@dataclass
class Steps:
    """Steps of all variants on the same clips, from the same weights.

    Compiled ones have a copy of the networks, since they lay weights out in their own way; sequential ones have
    optimizers of their own.
    """

    model: vtrans.TranslationModel
    clips: tuple[Tensor, Tensor]
    optimizers: dict[Variant, dict[str, torch.optim.Optimizer]] = field(default_factory=dict)

    @cached_property
    def compiled(self) -> vtrans.TranslationModel:
        """The copy whose phases are compiled."""
        model = copy.deepcopy(self.model)
        model.compile_phases()
        return model

    def networks(self, variant: Variant) -> vtrans.TranslationModel:
        """The networks of a variant."""
        return self.compiled if variant.compiled else self.model

    def take(self, variant: Variant) -> dict[str, Tensor]:
        """Takes a step and returns its losses."""
        (x, y), model = self.clips, self.networks(variant)
        key = replace(variant, bf16=False)
        if not variant.planned:
            networks = model.networks_by_name
            if key not in self.optimizers:
                self.optimizers[key] = sequential.optimizers_of(networks)
            return sequential.training_step(networks, x, y, self.optimizers[key], sequential.Settings())
        if key not in self.optimizers:
            self.optimizers[key] = dict(model.optimizers())
        reports: dict[str, vtrans.LossReport] = {}
        prepared = model.prepare(x, y)
        for phase in model.phases:
            optimizer = self.optimizers[key][phase.name]
            optimizer.zero_grad(set_to_none=True)
            with variant.autocast(x.device.type):
                report = model.phase_loss(phase.name, prepared, before=reports)
            report.total.backward()
            reports[phase.name] = report.detached()
            optimizer.step()
        return {name: value for report in reports.values() for name, value in report.items()}


def losses_and_gradients(
    model: vtrans.TranslationModel, clips: tuple[Tensor, Tensor], variant: Variant
) -> tuple[dict[str, float], dict[str, Tensor]]:
    """The losses of all phases and the gradients of every network, as they are before any update."""
    x, y = clips
    model.zero_grad(set_to_none=True)
    losses: dict[str, Tensor] = {}
    if variant.planned:
        reports: dict[str, vtrans.LossReport] = {}
        prepared = model.prepare(x, y)
        for phase in model.phases:
            with variant.autocast(x.device.type):
                report = reports[phase.name] = model.phase_loss(phase.name, prepared, before=reports)
            report.total.backward()
            losses |= dict(report)
    else:
        networks = model.networks_by_name
        with variant.autocast(x.device.type):
            losses, fakes = sequential.generator_step(networks, x, y, sequential.Settings())
        torch.stack(list(losses.values())).sum().backward()
        for domain, clip in (("y", y), ("x", x)):
            networks[f"D_{domain.upper()}"].zero_grad(set_to_none=True)
            with variant.autocast(x.device.type):
                loss = sequential.discriminator_step(networks, domain, clip, fakes[domain])
            loss.backward()
            losses[f"discriminator/{domain}"] = loss
    gradients = {
        name: torch.cat([p.grad.detach().double().flatten().cpu() for p in network.parameters() if p.grad is not None])
        for name, network in model.networks.items()
    }
    model.zero_grad(set_to_none=True)
    return {name: value.item() for name, value in losses.items()}, gradients


def in_float64(
    model: vtrans.TranslationModel, clips: tuple[Tensor, Tensor], variant: Variant
) -> tuple[dict[str, float], dict[str, Tensor]]:
    """The same of a copy in float64, not compiled."""
    x, y = clips
    plain = Variant(planned=variant.planned)
    return losses_and_gradients(copy.deepcopy(model).double(), (x.double(), y.double()), plain)
