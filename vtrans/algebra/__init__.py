"""The notation as data: streams of frames, networks applied to them, operators, and what they plainly mean."""

from vtrans.algebra.expressions import Domain, Network, Operation, frozen, join
from vtrans.algebra.meaning import evaluate
from vtrans.algebra.operators import between, detach, noise, reverse, shift, unroll
from vtrans.algebra.streams import Clip, Scope, Stream
from vtrans.algebra.times import Reads

__all__ = [
    "Clip",
    "Domain",
    "Network",
    "Operation",
    "Reads",
    "Scope",
    "Stream",
    "between",
    "detach",
    "evaluate",
    "frozen",
    "join",
    "noise",
    "reverse",
    "shift",
    "unroll",
]
