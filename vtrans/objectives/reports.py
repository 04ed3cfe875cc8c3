"""What a phase and a step report: their terms by name, and the sum."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from vtrans.algebra.streams import Stream
from vtrans.algebra.values import Value
from vtrans.algebra.views import Clip
from vtrans.errors import refusal, unknown


class _Terms(Mapping[str, Tensor]):
    """Values by the names of their terms."""

    _values: dict[str, Tensor]

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._values:
            raise KeyError(unknown("term", name, self._values))
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class LossReport(_Terms):
    """The weighted terms of a phase by name, and their sum ``.total``.

    ``carried`` holds the frames that later phases use, detached.
    """

    def __init__(
        self,
        names: Sequence[str],
        weighted: Tensor,
        carried: Mapping[Stream, Value],
        trained: Mapping[str, Mapping[str, nn.Module]],
        clips: Mapping[Clip, Tensor],
    ) -> None:
        self.total = weighted.sum()
        self.carried = carried
        self.clips = clips
        self._trained = trained
        self._values = {}
        for name, value in zip(names, weighted.unbind(), strict=True):
            self._values[name] = self._values[name] + value if name in self._values else value

    def __repr__(self) -> str:
        lines = [f"{name:<26} {value.item():.6g}" for name, value in self._values.items()]
        return "\n".join([*lines, f"{'total':<26} {self.total.item():.6g}"])

    def detached(self, *, frames: bool = True) -> LossReport:
        """The same numbers, and carried frames unless they are not wanted, without what a backward pass needs."""
        return LossReport(
            list(self), self.values_tensor(), *((self.carried, {}, self.clips) if frames else ({}, {}, {}))
        )

    def values_tensor(self) -> Tensor:
        """The terms as one detached tensor, in the order of their names."""
        return torch.stack([value.detach() for value in self._values.values()])

    def gradient_norms(self) -> dict[str, dict[str, float]]:
        """The norm of each term's gradient on each network of the phase, for tuning weights.

        To be called before ``total.backward()``; it costs one backward pass a term.

        Returns:
            For each term the L2 norm by network; networks that the term does not train are left out.
        """
        if self.total.grad_fn is None and any(map(len, self._trained.values())):
            raise ValueError(refusal("gradient_norms", allowed="a report made with gradients", got="one without"))
        norms: dict[str, dict[str, float]] = {}
        for name, value in self._values.items():
            norms[name] = {}
            for network, module in self._trained[name].items():
                parameters = [p for p in module.parameters() if p.requires_grad]
                if not parameters or not value.requires_grad:
                    continue
                found = torch.autograd.grad(value, parameters, retain_graph=True, allow_unused=True)
                gradients = [gradient for gradient in found if gradient is not None]
                if gradients:
                    norms[name][network] = float(torch.stack([g.norm() for g in gradients]).norm())
        return norms

    def raise_if_not_finite(self, step: int | None = None) -> None:
        """Raises if a term is NaN or infinite, naming it. Reads the values, which waits for the device.

        Raises:
            FloatingPointError: A term is not finite.
        """
        values = self.values_tensor()
        if bool(torch.isfinite(values).all()):
            return
        bad = [
            f"{name} = {value}" for name, value in zip(self, values.tolist(), strict=True) if not math.isfinite(value)
        ]
        where = "" if step is None else f" at step {step}"
        raise FloatingPointError(
            f"A loss is not finite{where}: {', '.join(bad)}. The weights of this phase were left as they were. "
            "Check the clips for NaN, lower the learning rate or the weight of that term, or use float32."
        )


class StepReport(_Terms):
    """The terms of every phase that ran in a step; ``.phases`` has each phase's own report.

    A term that an earlier phase has too is named after its phase, such as ``polish/cycle/x``.
    """

    def __init__(self, phases: Mapping[str, LossReport]) -> None:
        self.phases = dict(phases)
        self._values = {}
        for phase, report in self.phases.items():
            for name, value in report.items():
                self._values[f"{phase}/{name}" if name in self._values else name] = value

    def __repr__(self) -> str:
        return "\n".join(f"{phase}\n{report!r}" for phase, report in self.phases.items())
