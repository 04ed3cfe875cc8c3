"""What a run computes on: a device, its number format, and the processes that share the work."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Literal, TypeVar

import torch
from torch import Tensor, distributed, nn

from vtrans.errors import refusal

T = TypeVar("T")
Precision = Literal["fp32", "tf32", "bf16", "fp16"]


class Devices:
    """The device of this process, and the processes of the run.

    Several processes are started by ``torchrun``, or what sets the same variables (``accelerate launch``); each has the
    whole model and its share of the clips, and gradients are averaged over all of them before each update. They are
    averaged as they are, after the backward pass, instead of by a wrapper around each network: networks may then be
    called any number of times, by any method, frozen or with second derivatives.

    Attributes:
        device: Where this process computes.
        precision: The number format of convolutions and products.
        rank: Number of this process, from 0.
        ranks: How many processes there are.
        main: Whether this is the process that writes files.

    Args:
        device: ``"auto"`` (a GPU if there is one), ``"cpu"`` or ``"cuda"``.
        precision: ``"fp32"``; ``"tf32"``, products of float32 with 10 bits of mantissa; ``"bf16"`` or ``"fp16"``,
            mixed precision with weights in float32.

    Raises:
        ValueError: The device is not there, or lacks the precision.

    Example:
        >>> devices = Devices(device="cpu")
        >>> devices.rank, devices.ranks, devices.main
        (0, 1, True)
    """

    def __init__(self, *, device: str = "auto", precision: Precision = "fp32") -> None:
        self.device = choose_device(device)
        check_precision(self.device, precision)
        self.precision = precision
        self.ranks = int(os.environ.get("WORLD_SIZE", "1"))
        if self.ranks > 1:
            on_gpu = self.device.type == "cuda"
            if on_gpu:
                self.device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
                torch.cuda.set_device(self.device)
            if not distributed.is_initialized():
                distributed.init_process_group("nccl" if on_gpu else "gloo")
        self.rank = distributed.get_rank() if self.ranks > 1 else 0
        self.main = self.rank == 0
        self.wait()  # so that none that refuses its task is gone before another has found it
        self._mixed = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=precision == "fp16")
        torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
        torch.backends.cudnn.allow_tf32 = precision == "tf32"

    def autocast(self) -> AbstractContextManager[None]:
        """Within it, convolutions and products run in the chosen precision."""
        return nullcontext() if self._mixed is None else torch.autocast(self.device.type, self._mixed)

    def backward(self, loss: Tensor) -> None:
        """Adds a loss's gradients, scaled where the precision needs it."""
        self.scaler.scale(loss).backward()

    def average_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Replaces gradients by their average over all processes, in one exchange for each number format."""
        if self.ranks == 1:
            return
        for dtype in dict.fromkeys(parameter.dtype for parameter in parameters):
            gradients = [p.grad for p in parameters if p.grad is not None and p.dtype == dtype]
            if gradients:
                flat = self.mean(torch.cat([gradient.flatten() for gradient in gradients]))
                pieces = flat.split([gradient.numel() for gradient in gradients])
                torch._foreach_copy_(gradients, [p.view_as(g) for p, g in zip(pieces, gradients, strict=True)])

    def update(self, optimizer: torch.optim.Optimizer) -> None:
        """Lets an optimizer take its step; with fp16 it is left out where gradients overflowed."""
        self.scaler.step(optimizer)

    def unscale(self, optimizer: torch.optim.Optimizer) -> None:
        """Undoes the scaling of gradients, before they are looked at."""
        self.scaler.unscale_(optimizer)

    def finish_step(self) -> None:
        """Adapts the scaling after a step of all optimizers."""
        self.scaler.update()

    def scaler_state(self) -> dict[str, float] | None:
        """How losses are scaled at present, as plain data; None where they are not."""
        return self.scaler.state_dict() or None

    def load_scaler_state(self, state: dict[str, float] | None) -> None:
        """Goes on with what :meth:`scaler_state` gave."""
        if state is not None:
            self.scaler.load_state_dict(state)

    def share_of(self, batch: int, accumulate: int = 1) -> int:
        """The clips of a step that this process computes.

        Raises:
            ValueError: They cannot be shared evenly.
        """
        if batch % (self.ranks * accumulate):
            allowed = f"a multiple of {self.ranks * accumulate}"
            why = f"{self.ranks} processes share the clips of a step, each in {accumulate} parts"
            raise ValueError(refusal("batch", allowed=allowed, got=batch, why=why))
        return batch // self.ranks

    def of_main(self, value: T) -> T:
        """What the main process has, in every process; they all must ask for it."""
        shared = [value]
        if self.ranks > 1:
            distributed.broadcast_object_list(shared, device=self.device)
        return shared[0]

    def by_main(self, work: Callable[[], T]) -> T:
        """What the main process makes of some work, or its error, in every process; they all must ask for it."""
        result: T | None = None
        error: Exception | None = None
        if self.main:
            try:
                result = work()
            except (OSError, ValueError) as caught:
                error = caught
        result, error = self.of_main((result, error))
        if error is not None:
            raise error
        return result  # type: ignore[return-value]

    def together(self, work: Callable[[], T]) -> T:
        """Does some work in every process; if it fails in one, no process goes on.

        Raises:
            OSError: What this process's work raised, or that of another one.
            ValueError: The same.
        """
        error: Exception | None = None
        try:
            result = work()
        except (OSError, ValueError) as caught:
            error = caught
        if self.any(error is not None):
            raise error or OSError("another process of the run failed")
        return result

    def mean(self, values: Tensor) -> Tensor:
        """The average of a tensor over all processes; they all must ask for it."""
        if self.ranks == 1:
            return values
        total = values.clone()
        distributed.all_reduce(total)
        return total / self.ranks

    def any(self, flag: bool) -> bool:
        """Whether it is so in any process; they all must ask for it."""
        if self.ranks == 1:  # nothing to ask, and no device to wait for
            return flag
        return bool(self.mean(torch.tensor(float(flag), device=self.device)) > 0)

    def wait(self) -> None:
        """Waits until all processes are here."""
        self.any(False)

    def say(self, line: str) -> None:
        """Prints a line, once for all processes."""
        if self.main:
            print(line, flush=True)


def choose_device(name: str) -> torch.device:
    """The device of that name, or for ``"auto"`` a GPU if there is one; refuses what is not there.

    Example:
        >>> choose_device("cpu")
        device(type='cpu')
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name not in ("cpu", "cuda"):
        raise ValueError(refusal("device", allowed="auto, cpu or cuda", got=name))
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError(refusal("device", allowed="cpu or auto", got="cuda", why="PyTorch sees no GPU here"))
    return torch.device(name)


def check_precision(device: torch.device, precision: str) -> None:
    """Refuses a precision that a device lacks.

    Raises:
        ValueError: The device lacks it.
    """
    able: Iterable[str]
    if device.type == "cpu":
        able, why = ("fp32", "bf16"), "On a CPU there is neither TF32 nor the scaling of losses that fp16 needs"
    else:
        major, minor = torch.cuda.get_device_capability(device)
        able = ("fp32", "fp16", *(("tf32", "bf16") if major >= 8 else ()))
        why = f"TF32 and bf16 need compute capability 8.0, this GPU has {major}.{minor}"
    if precision not in able:
        raise ValueError(refusal("precision", allowed=f"{', '.join(able)} on {device.type}", got=precision, why=why))
