"""Programs compiled by ``torch.compile``, each whole."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Hashable
from itertools import count
from types import FunctionType
from typing import Any, TypeVar, cast

import torch
from torch import nn

Function = TypeVar("Function", bound=Callable[..., Any])
_numbers = count()
Backend = str | Callable[..., Any]


class Programs:
    """Compiled programs by what they were compiled for; a copy of it starts with none."""

    def __init__(self) -> None:
        self._made: dict[Hashable, Callable[..., Any]] = {}

    def __len__(self) -> int:
        return len(self._made)

    def get(self, key: Hashable, function: Function, *, name: str, backend: Backend) -> Function:
        """The program that was compiled for a key, or that of ``function``.

        Args:
            key: What the program was compiled for.
            function: What it computes.
            name: What to call it in messages.
            backend: As in ``torch.compile``.
        """
        if (key, backend) not in self._made:
            self._made[key, backend] = compile_whole(function, name=name, backend=backend)
        return cast(Function, self._made[key, backend])

    def __deepcopy__(self, memo: dict[int, Any]) -> Programs:
        return Programs()

    def __getstate__(self) -> dict[str, Any]:
        return {"_made": {}}


def compile_whole(function: Function, *, name: str, backend: Backend = "inductor") -> Function:
    """Compiles a function without graph breaks, when it is first called.

    Arguments of another shape are compiled once more, then with that axis left open. Where it was compiled for as many
    situations as PyTorch allows, all are computed uncompiled from then on, with a warning.

    Args:
        function: From tensors to tensors; what it draws at random it draws as it would without.
        name: What to call it in messages.
        backend: As in ``torch.compile``.

    Returns:
        A function of the same arguments.

    Raises:
        RuntimeError: At the first call, if the function cannot be compiled in one piece.

    Example:
        >>> double = compile_whole(lambda x: 2 * x, name="double", backend="eager")
        >>> double(torch.ones(2))
        tensor([2., 2.])
    """
    from torch._dynamo import exc  # slow to import

    compiled = torch.compile(_own_code(function, name), fullgraph=True, backend=backend, options=_options(backend))
    stopped = False

    def run(*arguments: Any) -> Any:  # noqa: ANN401
        nonlocal stopped
        if stopped:
            return function(*arguments)
        try:
            return compiled(*arguments)
        except exc.FailOnRecompileLimitHit:
            stopped = True
            warnings.warn(f"{name} was compiled for many situations already: it runs uncompiled.", stacklevel=2)
        except exc.BackendCompilerFailed as error:
            cause = " ".join(str(error.__cause__ or error).split())
            raise RuntimeError(f"{name}: the compiler failed. {cause[:500]} Train without compilation.") from error
        except exc.TorchDynamoException as error:
            function(*arguments)  # an error of its own is clearer than what the compiler makes of it
            raise RuntimeError(
                f"{name} cannot be compiled in one piece: {str(error).strip().splitlines()[0]} Train without "
                "compilation, or write that part with tensors alone."
            ) from error
        return function(*arguments)

    return cast(Function, run)


def lay_out_channels_last(module: nn.Module) -> None:
    """Lays the weights of convolutions out as compiled ones read them, so that they are not copied at each call.

    Nothing else changes. See :func:`lay_out_state` for optimizers that have a state.

    Args:
        module: Its weights of four axes, and their gradients, are laid out anew, in place.

    Example:
        >>> layer = nn.Conv2d(3, 4, 3)
        >>> lay_out_channels_last(layer)
        >>> layer.weight.stride()
        (27, 1, 9, 3)
    """
    for parameter in module.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
            if parameter.grad is not None:
                parameter.grad = parameter.grad.contiguous(memory_format=torch.channels_last)


def lay_out_state(optimizer: torch.optim.Optimizer, *_: object) -> None:
    """Lays an optimizer's state out as its parameters are, where they differ; for ``register_step_pre_hook``.

    PyTorch's fused optimizers go through parameters and state side by side, and take no notice of another order.

    Args:
        optimizer: The optimizer.
    """
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if isinstance(value, torch.Tensor) and value.ndim and value.stride() != parameter.stride():
                state[name] = torch.empty_like(parameter, dtype=value.dtype, requires_grad=False).copy_(value)


def _own_code(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """The function with a code object and a name of its own.

    PyTorch limits how often a code object is compiled, for all that share it. And it takes those of one name for one
    function, whose sizes differ from call to call: programs for sizes left open are slow, and slow to compile.
    """
    if not isinstance(function, FunctionType):
        return function
    name = f"{name}_{next(_numbers)}"
    code = function.__code__.replace(co_name=name)
    return FunctionType(code, function.__globals__, name, function.__defaults__, function.__closure__)


def _options(backend: Backend) -> dict[str, Any] | None:
    """What Inductor is told for the numbers to be right and the same."""
    if backend != "inductor":
        return None
    from torch._inductor import config

    options: dict[str, Any] = {"fallback_random": True}
    # At -O3, GCC 12 lets variables share their place on the stack while both are in use, which gives wrong gradients.
    # Inductor passes on no flags of ours but with this one of its own.
    contract = getattr(config.cpp, "enable_floating_point_contract_flag", None)
    if sys.platform == "linux" and isinstance(contract, str) and _is_gcc():
        options["cpp.enable_floating_point_contract_flag"] = f"{contract.split()[0]} -fstack-reuse=none"
    return options


def _is_gcc() -> bool:
    from torch._inductor import cpp_builder

    try:
        return bool(cpp_builder.is_gcc())
    except Exception:  # no compiler: to be told by Inductor, where it needs one
        return False
