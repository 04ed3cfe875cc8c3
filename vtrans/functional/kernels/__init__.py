"""Kernels for a GPU, each beside an eager reference that computes the same; off unless they are asked for.

They are written in Triton, which is imported when one first runs. On a CPU, in float64, inside ``torch.compile`` and
where a function is differentiated twice the reference runs in their place.
"""

from vtrans.functional.kernels.distances import judged, weighted_sums
from vtrans.functional.kernels.norms import instance_norm
from vtrans.functional.kernels.parts import Part
from vtrans.functional.kernels.switch import enable, enabled

__all__ = ["Part", "enable", "enabled", "instance_norm", "judged", "weighted_sums"]
