"""The notation as data: streams of frames, networks applied to them, operators, and what they plainly mean."""

from vtrans.algebra.domains import Domain, frozen, network
from vtrans.algebra.meaning import evaluate
from vtrans.algebra.operators import between, concat, detach, noise, operator
from vtrans.algebra.streams import Network, Operation, Scope, Stream
from vtrans.algebra.times import Reads
from vtrans.algebra.views import Clip, earlier, hold, join, recur, reverse, shift, unroll

__all__ = [
    "Clip",
    "Domain",
    "Network",
    "Operation",
    "Reads",
    "Scope",
    "Stream",
    "between",
    "concat",
    "detach",
    "earlier",
    "evaluate",
    "frozen",
    "hold",
    "join",
    "network",
    "noise",
    "operator",
    "recur",
    "reverse",
    "shift",
    "unroll",
]
