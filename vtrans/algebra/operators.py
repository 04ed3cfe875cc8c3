"""Operators on streams beside the networks: a plain function is one, or a small class; nothing else has to change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from inspect import signature
from typing import Any, ClassVar

import torch
from torch import Tensor

from vtrans.algebra.streams import Networks, Operation, Stream, as_stream
from vtrans.algebra.values import Value
from vtrans.errors import refusal, unknown


@dataclass(frozen=True)
class Detach(Operation):
    """The same frames, through which no gradient flows."""

    keeps_value: ClassVar[bool] = True
    cuts_gradient: ClassVar[bool] = True

    def run(self, networks: Networks, *frames: Tensor) -> Tensor:
        return frames[0].detach()


def _normal(shape: tuple[int, ...], like: Tensor) -> Tensor:
    return torch.randn(shape, dtype=like.dtype, device=like.device)


def _uniform(shape: tuple[int, ...], like: Tensor) -> Tensor:
    return torch.rand(shape, dtype=like.dtype, device=like.device)


LAWS: dict[str, Callable[[tuple[int, ...], Tensor], Tensor]] = {"normal": _normal, "uniform": _uniform}
"""What may be drawn: numbers of a shape, on the device and in the precision of a tensor."""


@dataclass(frozen=True)
class Draw(Operation):
    """Random numbers of a shape, or of that of its input's frames; two draws of one name are one."""

    name: str
    shape: tuple[int, ...] | None = None
    law: str = "normal"
    of: str = ""
    is_random: ClassVar[bool] = True
    reads_values: ClassVar[bool] = True
    cuts_gradient: ClassVar[bool] = True

    @property
    def domain(self) -> str:
        return self.of or self.inputs[0].domain

    def run(self, networks: Networks, *frames: Tensor) -> Tensor:
        shape = frames[0].shape if self.shape is None else (frames[0].shape[0], *self.shape)
        return LAWS[self.law](tuple(shape), frames[0])


@dataclass(frozen=True)
class Noise(Operation):
    """The first input plus a multiple of the second, which is a draw."""

    scale: float

    def run(self, networks: Networks, *frames: Tensor) -> Tensor:
        return frames[0] + self.scale * frames[1]


@dataclass(frozen=True)
class Between(Operation):
    """A point between two inputs, drawn uniformly for each frame; a draw has a name, and two of one name are one."""

    name: str
    is_random: ClassVar[bool] = True
    symbol: ClassVar[str] = "[#1 … #2]"
    latex: ClassVar[str] = r"[#1 \ldots #2]"

    def run(self, networks: Networks, *frames: Tensor) -> Tensor:
        a, b = frames
        share = torch.rand((a.shape[0], *[1] * (a.ndim - 1)), dtype=a.dtype, device=a.device)
        return share * a + (1 - share) * b


def detach(stream: Stream) -> Stream:
    """The stream with no gradient flowing through."""
    return Detach(inputs=(as_stream("detach(…)", stream),))


def noise(stream: Stream, name: str, scale: float = 0.1) -> Stream:
    """The stream plus Gaussian noise of standard deviation ``scale``; each ``name`` is a draw of its own."""
    if isinstance(scale, bool) or not isinstance(scale, int | float):
        raise TypeError(refusal("scale", allowed="a number", got=repr(scale)))
    source = as_stream("noise(…)", stream)
    return Noise(scale, inputs=(source, Draw(name, inputs=(source,))))


def between(a: Stream, b: Stream, name: str) -> Stream:
    """A random point between the frames of two streams, uniform for each frame; each ``name`` is a draw of its own."""
    return Between(name, inputs=(as_stream("between(…)", a), as_stream("between(…)", b)))


@dataclass(frozen=True)
class Function(Operation):
    """A plain function of batches as an operator, with its options; see :func:`operator`."""

    function: Callable[..., Value]
    options: tuple[tuple[str, Any], ...] = ()
    written: tuple[str, str] = ("", "")

    @property
    def symbol(self) -> str:  # type: ignore[override]
        return self.written[0]

    @property
    def latex(self) -> str:  # type: ignore[override]
        return self.written[1]

    @property
    def word(self) -> str:
        return self.function.__name__

    def run(self, networks: Networks, *frames: Any) -> Value:  # noqa: ANN401
        return self.function(*frames, **dict(self.options))


def operator(symbol: str = "", latex: str = "") -> Callable[[Callable[..., Any]], Callable[..., Stream]]:
    """Makes an operator on streams of a plain function of batches.

    Args:
        symbol: How equations write it, with ``#1``, ``#2`` … for its inputs; by default by the function's name.
        latex: The same in LaTeX; by default as in text.

    Returns:
        The decorator. The operator takes as many streams as the function takes batches ``(batch, …)`` by position, and
        the function's keyword arguments as parameters.

    Raises:
        ValueError: The function is a lambda or made within ``terms``: it would be another one each time.

    Example:
        >>> from vtrans.algebra import Clip
        >>> @operator("|#1|")
        ... def size(frames, *, power=1):
        ...     return frames.abs() ** power
        >>> size(Clip("x"), power=2).domain
        'x'
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Stream]:
        if function.__name__ == "<lambda>" or ".terms.<locals>" in function.__qualname__:
            raise ValueError(
                refusal(
                    "operator",
                    allowed="a function that is written once, outside of terms",
                    got=function.__qualname__,
                    why="A function made anew each time is never the same one, so that nothing would be shared",
                    fix="Write it with def at the top of the module",
                )
            )
        parameters = signature(function).parameters.values()
        options = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]

        @wraps(function)
        def make(*streams: Stream, **given: Any) -> Stream:  # noqa: ANN401
            if not streams:
                raise TypeError(refusal(f"{function.__name__}(…)", allowed="streams such as x.frames", got="none"))
            for option in given:
                if option not in options:
                    raise TypeError(unknown(f"parameter of {function.__name__}:", option, options))
            inputs = tuple(as_stream(f"{function.__name__}(…)", stream) for stream in streams)
            return Function(function, tuple(sorted(given.items())), (symbol, latex or symbol), inputs=inputs)

        return make

    return decorate


@operator("[#1, #2]")
def concat(*frames: Tensor) -> Tensor:
    """Frames with their channels one after the other."""
    return torch.cat(frames, dim=1)
