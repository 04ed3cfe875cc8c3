"""Networks, losses and phases as one thing that can be stepped: what a step computes, and with which plan."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self, cast

import torch
from torch import nn

from vtrans.algebra.domains import Translation, role_of
from vtrans.algebra.streams import Stream
from vtrans.algebra.values import Value
from vtrans.algebra.views import Ticks
from vtrans.errors import refusal, unknown
from vtrans.losses import Loss
from vtrans.losses.base import BOTH
from vtrans.losses.terms import Penalty
from vtrans.model.checks import (
    ClipInput,
    Clips,
    by_domain,
    check_clips,
    check_optimizers,
    check_precision,
    check_step,
)
from vtrans.networks.traits import sequential_reasons
from vtrans.objectives.execution import Execution, Prepared
from vtrans.objectives.guard import FiniteGuard
from vtrans.objectives.objective import objectives_of, pools_for, shortest_clip
from vtrans.objectives.optimizers import Implementation, clip_gradients, make_optimizer
from vtrans.objectives.phases import Phase
from vtrans.objectives.reports import LossReport, StepReport
from vtrans.objectives.terms import named_terms
from vtrans.planning.compilation import Backend, lay_out_channels_last
from vtrans.planning.plans import Plan

Guide = Callable[..., Stream]
"""What a guide's frames put in the place of a draw: of the domain translated into, and the guide's frames."""

Optimizers = Mapping[str, torch.optim.Optimizer]


class TrainableModel(nn.Module):
    """Networks of two domains, and the losses and phases that train them; a :class:`vtrans.TranslationModel` is one.

    Args:
        networks: The networks by name, such as ``"G_X"``.
        losses: The losses by the name they are reported by.
        phases: The phases of a step, in order.
        channels: Channels of the frames of X and of Y.
        clip_length: Frames in a training clip, where the data decide nothing else.
        directions: What is translated into what: pairs of domains, or single ones.
        translation: The equation of a translation; None for the generators.
        guides: By the name of a draw, the equation that a guide's frames put in its place.
        config: Plain data from which :func:`vtrans.build` makes the same model.
        seed: Seed of the history pools.
        notes: What a reader of :meth:`explain` should know besides.

    Raises:
        ValueError: A loss names a network that is missing, or two parts do not fit together.

    Example:
        >>> import vtrans
        >>> model = vtrans.build(
        ...     "cycle_gan", generator=("resnet", {"blocks": 1, "width": 4}), discriminator=("patch", {"width": 4})
        ... )
        >>> x, y = torch.zeros(2, 1, 1, 3, 32, 32).unbind()
        >>> sorted(model.generator_loss(x, y))
        ['adversarial/x', 'adversarial/y', 'cycle/x', 'cycle/y', 'identity/x', 'identity/y']
    """

    def __init__(
        self,
        *,
        networks: Mapping[str, nn.Module],
        losses: Mapping[str, Loss],
        phases: Sequence[Phase],
        channels: Mapping[str, int],
        clip_length: int = 3,
        directions: Sequence[tuple[str, ...]] = BOTH,
        translation: Translation | None = None,
        guides: Mapping[str, Guide] | None = None,
        config: Mapping[str, Any] | None = None,
        seed: int = 0,
        notes: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.networks = nn.ModuleDict(dict(networks))
        self.losses = dict(losses)
        self.phases = list(phases)
        self.channels = dict(channels)
        self.clip_length = clip_length
        self.notes = list(notes)
        self.directions = tuple(directions)
        self.translation = translation
        self.guides = dict(guides or {})
        self._config = config
        self.objectives = objectives_of(self.phases, named_terms(self.losses, self.directions, translation))
        #: The clips, and streams that come with them, that the losses name.
        self.clips = list(dict.fromkeys(clip for o in self.objectives.values() for clip in o.clips()))
        self.minimum_length = shortest_clip(self.objectives.values(), self.networks_by_name)
        self.pools = pools_for(self.objectives.values(), self.networks_by_name, seed)
        self.execution = Execution(self.objectives, self.networks, self.pools)
        self.guard = FiniteGuard()

    @property
    def config(self) -> dict[str, Any]:
        """Plain data: ``vtrans.build(**model.config)`` is the same model (with fresh weights of the same seed)."""
        if self._config is None:
            raise ValueError(
                "This model was put together by hand, or of parts that are not registered, so that no plain data "
                "describe it. Register its parts and make it with vtrans.build to have a config."
            )
        return copy.deepcopy(dict(self._config))

    def phase(self, name: str) -> Phase:
        """The phase of that name."""
        for phase in self.phases:
            if phase.name == name:
                return phase
        raise ValueError(unknown("phase", name, [phase.name for phase in self.phases]))

    def generator_loss(self, x: Clips, y: ClipInput | None = None, *, step: int = 0) -> LossReport:
        """The objective of the phase ``"generators"``; see :meth:`loss`."""
        return self.loss("generators", x, y, step=step)

    def discriminator_loss(
        self, x: Clips, y: ClipInput | None = None, *, step: int = 0, reuse: LossReport | None = None
    ) -> LossReport:
        """The objective of the phase ``"discriminators"``; ``reuse`` judges the frames already translated."""
        return self.loss("discriminators", x, y, step=step, reuse=reuse)

    def loss(
        self,
        phase: str,
        x: Clips,
        y: ClipInput | None = None,
        *,
        step: int = 0,
        reuse: LossReport | None = None,
        draws: Mapping[str, Value] | None = None,
    ) -> LossReport:
        """Computes the objective of a phase.

        Its ``.total.backward()`` leaves gradients on the networks that the phase trains, and on no other.

        Args:
            phase: Name of the phase.
            x: Clip of X, ``(batch, time, channel, height, width)`` in [-1, 1]; or a mapping of it as ``"frames"``
                and further streams by name. Without ``y`` a mapping of the clips of all domains, such as
                ``{"x": …, "y": …, "z": …}``; only those that the losses name are needed.
            y: Clip of Y, of the same batch, time, height and width.
            step: Training step, for weights that change.
            reuse: Report of an earlier phase on the same clips: its frames are used as they were then. Without it they
                are computed anew.
            draws: What stands in the place of draws, by name such as ``"s"``, or ``"s/y"`` for that of Y alone:
                ``(batch, …)`` for all times, or ``(batch, time, …)``.

        Returns:
            The weighted terms by name, and their sum.

        Raises:
            ValueError: A clip has the wrong shape or range or too few frames; an unknown phase or draw.
            TypeError: A clip is no floating point tensor.
        """
        return self.execution.run(self.phase(phase).name, self.prepare(x, y, draws=draws), step, reuse)

    def step(
        self,
        x: Clips,
        y: ClipInput | Optimizers | None = None,
        optimizers: Optimizers | None = None,
        *,
        step: int = 0,
        check_every: int = 25,
    ) -> StepReport:
        """Runs one training step: every phase that is active, each with its optimizer.

        Args:
            x: Clip of X, or a mapping of the clips of all domains; see :meth:`loss`.
            y: Clip of Y; after a mapping of clips, the optimizers.
            optimizers: One optimizer a phase, by name, as :meth:`optimizers` makes them.
            step: Number of the step, counted from 0.
            check_every: Steps between looks at whether the losses were finite, since each look waits for the device;
                the term and the step are remembered there. On the CPU, where nothing waits, every phase is checked
                before its weights change.

        Returns:
            The terms of every phase.

        Raises:
            ValueError: A clip does not fit, or an optimizer is missing.
            FloatingPointError: A loss is not finite; it is named.
        """
        check_step(step, check_every)
        if optimizers is None and isinstance(x, Mapping) and "frames" not in x:
            y, optimizers = None, cast(Optimizers, y)
        active = self.active_phases(step)
        optimizers = check_optimizers(optimizers, [phase.name for phase in active])
        prepared = self.prepare(x, cast("ClipInput | None", y))
        reports: dict[str, LossReport] = {}
        for phase in active:
            optimizer = optimizers[phase.name]
            optimizer.zero_grad(set_to_none=True)
            report = self.phase_loss(phase.name, prepared, step=step, before=reports)
            if report.total.device.type == "cpu":
                report.raise_if_not_finite(step)
            else:
                self.guard.note(list(report), report.values_tensor(), step)
            if report.total.requires_grad:
                report.total.backward()
            reports[phase.name] = report.detached()
            clip_gradients(self.parameters_of(phase.name), phase.optimizer)
            optimizer.step()
        if (step + 1) % check_every == 0:
            self.guard.raise_if_seen()
        return StepReport({name: report.detached(frames=False) for name, report in reports.items()})

    def active_phases(self, step: int) -> list[Phase]:
        """The phases that run at a step, in order."""
        return [phase for phase in self.phases if phase.active(step)]

    def prepare(self, x: Clips, y: ClipInput | None = None, *, draws: Mapping[str, Value] | None = None) -> Prepared:
        """Checks the clips of a step, once for all its phases; see :meth:`loss` for what fits."""
        given = by_domain(x, y, [domain for domain in self.channels])
        clips = check_clips(given, self.clips, self.channels, self.minimum_length)
        for clip, frames in clips.items():
            if clip.name == "frames":
                check_precision(clip.of, frames, self.networks)
        return self.execution.prepare(clips, draws)

    def phase_loss(
        self, phase: str, prepared: Prepared, *, step: int = 0, before: Mapping[str, LossReport] | None = None
    ) -> LossReport:
        """The objective of a phase within a step of one's own, as :meth:`step` computes it.

        Args:
            phase: Name of the phase.
            prepared: The clips, as :meth:`prepare` returned them.
            step: Training step, for weights that change.
            before: Reports of the step's earlier phases on the same clips; frames that they translated are reused.

        Returns:
            The weighted terms by name, and their sum.

        Example:
            >>> import vtrans
            >>> model = vtrans.build("gan", generator=("resnet", {"blocks": 1, "width": 4}))
            >>> prepared = model.prepare(torch.zeros(1, 3, 3, 32, 32), torch.zeros(1, 3, 3, 32, 32))
            >>> first = model.phase_loss("generators", prepared)
            >>> sorted(model.phase_loss("discriminators", prepared, before={"generators": first}))
            ['discriminator/x', 'discriminator/y']
        """
        needed = self.objectives[self.phase(phase).name].requires
        earlier = list((before or {}).values())
        reuse = next((report for report in reversed(earlier) if needed and {*needed} <= {*report.carried}), None)
        return self.execution.run(phase, prepared, step, reuse)

    def optimizers(
        self,
        lr: float | Mapping[str, float] | None = None,
        betas: tuple[float, float] | None = None,
        *,
        implementation: Implementation = "default",
    ) -> dict[str, torch.optim.Optimizer]:
        """One optimizer a phase over the networks it trains: Adam, unless the phase says otherwise.

        Args:
            lr: The learning rate, or one for each phase by its name; by default the phase's, or the published 2e-4.
            betas: Decay of the running averages of gradients and of their squares; by default the phase's, or the
                published 0.5 and 0.999.
            implementation: ``"fused"``, one kernel; ``"foreach"``, few; or ``"default"``, which is fused on a CPU and
                on CUDA, and elsewhere what PyTorch chooses.
        """
        if isinstance(lr, Mapping) and set(lr) != {phase.name for phase in self.phases}:
            allowed = f"one number, or one for each of {', '.join(phase.name for phase in self.phases)}"
            raise ValueError(refusal("lr", allowed=allowed, got=f"rates for {', '.join(lr) or 'none'}"))
        made: dict[str, torch.optim.Optimizer] = {}
        for phase in self.phases:
            rate = lr[phase.name] if isinstance(lr, Mapping) else lr
            given = {name: value for name, value in (("lr", rate), ("betas", betas)) if value is not None}
            made[phase.name] = make_optimizer(self.parameters_of(phase.name), phase.optimizer, given, implementation)
        return made

    def parameters_of(self, phase: str) -> list[nn.Parameter]:
        """The parameters that a phase trains."""
        trained, reached = self.phase(phase), self.objectives[phase].reached
        found = [self.networks[name].parameters() for name in self.networks if name in reached]
        parameters = list(dict.fromkeys(parameter for group in found for parameter in group if parameter.requires_grad))
        if not parameters:
            raise ValueError(
                f"The phase {phase!r} trains {', '.join(trained.trains)}, which have no parameters. "
                "Remove the phase, or choose networks that can be trained."
            )
        return parameters

    def plan(self, phase: str = "generators", *, length: int | None = None) -> Plan:
        """The plan of a phase for clips of a length, in the networks' present mode."""
        frames = self.planned_length(length)
        scope, sequential, _ = self.execution.situation({clip: frames for clip in [*self.clips, Ticks()]})
        return self.objectives[self.phase(phase).name].plan(scope, sequential)

    def planned_length(self, length: int | None) -> int:
        """The clip length that is explained: the one asked for, or the model's own."""
        if length is None:
            return max(self.clip_length, self.minimum_length)
        if isinstance(length, bool) or not isinstance(length, int) or length < self.minimum_length:
            raise ValueError(
                refusal("length", allowed=f"a whole number of frames from {self.minimum_length} up", got=repr(length))
            )
        return length

    def compile_phases(self, backend: Backend = "inductor") -> None:
        """Has each phase compiled by ``torch.compile``, whole, when it is next computed.

        That takes from seconds to minutes, once for each length and size of clips; another batch is compiled once or
        twice more, and every further one runs as it is. Phases whose terms need second derivatives are left uncompiled.

        For Inductor, weights of convolutions are laid out channels-last. PyTorch's fused optimizers go through weights
        and state side by side; those that :meth:`optimizers` makes see to it that the state is laid out likewise. With
        one of your own, call this before its first step.

        Args:
            backend: As in ``torch.compile``.
        """
        for objective in self.objectives.values():
            differentiated = any(isinstance(named.term, Penalty) for named in objective.terms)
            objective.compiled = None if differentiated else backend
        if backend == "inductor":
            lay_out_channels_last(self)

    def recompute(self, names: Sequence[str]) -> None:
        """Has networks run once more in the backward pass instead of keeping what their layers computed.

        That saves memory and costs a quarter to three quarters more time; the numbers stay the same.

        Args:
            names: Roles (``"G"``) or networks (``"G_X"``); all others keep what they computed.

        Raises:
            ValueError: An unknown name, or a network that updates a state each time it runs.
        """
        roles = list(dict.fromkeys(map(role_of, self.networks)))
        for name in names:
            if name not in roles and name not in self.networks:
                raise ValueError(unknown("network to recompute:", name, [*roles, *self.networks]))
        chosen = [name for name in self.networks if name in names or role_of(name) in names]
        for name in chosen:
            reasons = [r for r in sequential_reasons(self.networks[name]) if r != "dropout in training"]
            if reasons:
                allowed = "networks that run twice with the same result"
                raise ValueError(refusal("recompute", allowed=allowed, got=f"{name} with {', '.join(reasons)}"))
        for name, network in self.networks.items():
            setattr(network, "recompute", name in chosen)  # noqa: B010 - declared like its other traits

    @property
    def networks_by_name(self) -> dict[str, nn.Module]:
        """The networks by name."""
        return dict(self.networks.items())

    def train(self, mode: bool = True) -> Self:
        """Sets training mode, or evaluation mode; layers that were exchanged are looked at anew."""
        if hasattr(self, "execution"):
            self.execution.forget_modes()
        return super().train(mode)
