"""What a frame may be: a tensor, or a list, tuple or mapping of such, each with the batch first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from torch import Tensor

from vtrans.errors import refusal

Value: TypeAlias = Any
"""A tensor, or a list, tuple or mapping of values."""


def map_tensors(function: Callable[..., Any], first: Value, *others: Value) -> Value:
    """The same structure with a function's results in place of its tensors.

    Args:
        function: Of one tensor of each value.
        first: A value.
        others: Values of the same structure.

    Returns:
        The results, in the structure of ``first``; lists become tuples.

    Raises:
        ValueError: The values have different structures.

    Example:
        >>> import torch
        >>> map_tensors(lambda a, b: (a + b).item(), {"mean": torch.ones(())}, {"mean": torch.ones(())})
        {'mean': 2.0}
    """
    if isinstance(first, Tensor):
        if all(isinstance(other, Tensor) for other in others):
            return function(first, *others)
    elif isinstance(first, Mapping):
        if all(isinstance(other, Mapping) and list(other) == list(first) for other in others):
            return {key: map_tensors(function, first[key], *(other[key] for other in others)) for key in first}
    elif isinstance(first, list | tuple):
        if all(isinstance(other, list | tuple) and len(other) == len(first) for other in others):
            return tuple(map_tensors(function, *parts) for parts in zip(first, *others, strict=True))
    else:
        raise TypeError(
            refusal(
                "output of a network or operator",
                allowed="a tensor, or a list, tuple or mapping of tensors",
                got=type(first).__name__,
            )
        )
    got = " and ".join(dict.fromkeys(structure(value) for value in (first, *others)))
    raise ValueError(refusal("values that belong together", allowed="one structure", got=got))


def tensors_in(value: Value) -> Iterator[Tensor]:
    """The tensors of a value, in order."""
    if isinstance(value, Tensor):
        yield value
    else:
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from tensors_in(part)


def structure(value: Value) -> str:
    """A value's structure in words, such as ``{mean, logvar}`` or ``(tensor, tensor)``."""
    if isinstance(value, Tensor):
        return "tensor"
    if isinstance(value, Mapping):
        return "{" + ", ".join(map(str, value)) + "}"
    return f"({', '.join(map(structure, value))})" if isinstance(value, list | tuple) else type(value).__name__
