"""Which implementation runs."""

import os
from importlib.util import find_spec
from typing import Literal

import torch
from torch import Tensor

from vtrans.errors import refusal

Backend = Literal["eager", "triton"]

_DTYPES = (torch.float32, torch.bfloat16, torch.float16)
_chosen: Backend = "eager"


def enable(backend: Backend) -> None:
    """Chooses what runs from now on.

    Args:
        backend: ``"eager"``, the default, or ``"triton"``: its kernels where they can run, the reference elsewhere.

    Raises:
        ValueError: It is neither, or Triton is not installed.

    Example:
        >>> enable("eager")
        >>> enabled()
        'eager'
    """
    global _chosen
    if backend not in ("eager", "triton"):
        raise ValueError(refusal("backend", allowed="'eager' or 'triton'", got=repr(backend)))
    if backend == "triton" and find_spec("triton") is None:
        raise ValueError(refusal("backend", allowed="'eager' where Triton is not installed", got="'triton'"))
    _chosen = backend


def enabled() -> Backend:
    """What was chosen."""
    return _chosen


def runs_triton(*tensors: Tensor) -> bool:
    """Whether a kernel is to run on these tensors: it was chosen, and it can."""
    if _chosen != "triton" or torch.compiler.is_compiling():
        return False
    places = {tensor.device for tensor in tensors}
    on_gpu = len(places) == 1 and (places.pop().type == "cuda" or os.environ.get("TRITON_INTERPRET") == "1")
    return on_gpu and all(tensor.dtype in _DTYPES for tensor in tensors)
