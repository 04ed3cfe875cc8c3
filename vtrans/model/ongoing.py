"""A translation by the recipe's equation, that goes on from chunk to chunk of a long clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from vtrans.algebra.domains import Domain, Translation, networks_in
from vtrans.algebra.operators import LAWS, Draw
from vtrans.algebra.streams import Networks, Operation, Scope, Stream
from vtrans.algebra.times import Reads
from vtrans.algebra.values import Value, map_tensors, tensors_in
from vtrans.algebra.views import Clip, Hold, Recursion, Ticks, rebuilt
from vtrans.errors import refusal
from vtrans.model.translation import pad_for
from vtrans.objectives.execution import given_draws
from vtrans.planning.planner import Demand, plan


class OngoingTranslation:
    """Translates the chunks of a clip one after the other, as if they were one.

    What is drawn once a clip is drawn at the first chunk and kept, a recursion goes on from its last frame, and frames
    that networks read of the time before are kept from the chunk before.

    Args:
        stream: The expression of the translated frames.
        source: The domain translated from; None of a recipe that generates.
        networks: The networks by name, in evaluation mode.
        draws: What stands in the place of draws, by name; see :meth:`vtrans.TranslationModel.loss`.

    Raises:
        ValueError: There is no draw of a name, or a network is missing.
    """

    def __init__(
        self, stream: Stream, source: str | None, networks: Networks, draws: Mapping[str, Value] | None = None
    ) -> None:
        self.stream, self.source, self.networks = stream, source, networks
        self.draws = dict(draws or {})
        self.used = [networks[name] for name in networks_in(stream)]
        self._reads = {name: Reads.of(network) for name, network in networks.items()}
        self._parts = _parts(stream)
        self._recursions = [part for part in self._parts if isinstance(part, Recursion)]
        self._kept: dict[Stream, Value] = {}
        self._states: dict[Stream, Value] = {}
        self._before: Tensor | None = None

    def __call__(self, frames: Tensor) -> Tensor:
        """Translates the next frames.

        Args:
            frames: ``(batch, time, channel, height, width)``; of a recipe that generates, of any content: their batch,
                time and precision count.

        Returns:
            The translated frames, of the same batch, time, height and width.
        """
        padded, crop = pad_for(self.used, frames) if self.source is not None else (frames, lambda made: made)
        stream, states = self._going_on()
        context = 0 if self._before is None else self._before.shape[1]
        clip = padded if self._before is None else torch.cat([self._before, padded], dim=1)
        leaves, scope = self._leaves(clip)
        first = not self._kept
        if first:
            self._keep_draws(leaves, scope)
        given = {part: _over(value, len(scope.times(part))) for part, value in self._kept.items()}
        times = stream.times(scope)[context:]
        if len(times) != frames.shape[1]:
            raise ValueError(
                refusal(
                    "translation",
                    allowed="an expression with a frame for each frame of its source",
                    got=f"{len(times)} for {frames.shape[1]}",
                )
            )
        last = {state: recursion.times(scope)[-1] for state, recursion in states.items()}
        demands = [Demand(stream, times, True), *(Demand(states[s], (t,), True) for s, t in last.items())]
        made, *ends = plan(demands, scope, given=given).run({**leaves, **given}, self.networks)
        self._states = dict(zip(states, ends, strict=True))
        self._before = self._context(clip, scope)
        result: Any = made
        if not isinstance(result, Tensor):
            raise ValueError(refusal("translation", allowed="frames", got="several tensors"))
        return crop(result.transpose(0, 1))

    def _leaves(self, clip: Tensor) -> tuple[dict[Stream, Value], Scope]:
        lengths: dict[Any, int] = {Ticks(): clip.shape[1]}
        leaves: dict[Stream, Value] = {Ticks(): clip.new_empty(clip.shape[1], clip.shape[0], 0)}
        if self.source is not None:
            lengths[Clip(self.source)] = clip.shape[1]
            leaves[Clip(self.source)] = clip.transpose(0, 1)
        lengths |= dict.fromkeys(self._states, 1)
        return {**leaves, **self._states}, Scope(lengths, self._reads)

    def _keep_draws(self, leaves: Mapping[Stream, Value], scope: Scope) -> None:
        """Draws what is drawn once a clip, unless it is given, and keeps it."""
        self._kept = {s: _first(value) for s, value in given_draws(self._parts, self.draws, scope).items()}
        like = next(tensors_in(leaves[Ticks()]))
        for part in self._parts:
            drawn = part.stream if isinstance(part, Hold) else None
            if isinstance(drawn, Draw) and drawn.shape is not None and drawn not in self._kept:
                self._kept[drawn] = LAWS[drawn.law]((like.shape[1], *drawn.shape), like[0])

    def _going_on(self) -> tuple[Stream, dict[Stream, Stream]]:
        """The expression whose recursions start from where they ended, and these by the names of their states."""
        states: dict[Stream, Stream] = {}

        def start(part: Stream) -> Stream | None:
            if not isinstance(part, Recursion):
                return None
            state = Clip(part.start.domain, f"{part.name} before")
            states[state] = replace(part, start=state) if self._states else part
            return states[state]

        return rebuilt(self.stream, start), states

    def _context(self, clip: Tensor, scope: Scope) -> Tensor | None:
        """The last frames of the source that the next chunk's first frame reads, unless a recursion holds them."""
        if self.source is None or self._recursions:
            return None
        reach = _reach(self.stream, scope)
        return clip[:, max(0, clip.shape[1] - reach) :] if reach else None


def _parts(stream: Stream) -> list[Stream]:
    found = [stream]
    for part in found:
        found += [inner for inner in part.parts if inner not in found]
    return found


def _reach(stream: Stream, scope: Scope) -> int:
    """How many frames before its own a stream reads at most."""
    own = 0
    if isinstance(stream, Operation):
        reads = stream.reads(scope)
        if reads.recurrent:
            raise ValueError(
                refusal(
                    "translation",
                    allowed="networks of a fixed context, or a recursion by recur(…)",
                    got="one that reads the whole past",
                    fix="Translate the clip in one piece: pass batch= its length",
                )
            )
        own = -min(reads.offsets, default=0)
    return own + max((_reach(part, scope) for part in stream.parts), default=0)


def _first(value: Value) -> Value:
    return map_tensors(lambda part: part[0], value)


def _over(value: Value, times: int) -> Value:
    return map_tensors(lambda part: part.expand(times, *part.shape), value)


def translation_of(
    directions: Sequence[tuple[str, ...]], translation: Translation | None, networks: Networks, to: str
) -> tuple[Stream, str | None]:
    """The expression of a translation into a domain, and the domain translated from.

    Args:
        directions: The model's directions.
        translation: Its equation; None for the network G.
        networks: The networks by name.
        to: The domain translated into.

    Raises:
        ValueError: Nothing is translated into that domain.
    """
    into = {pair[-1]: pair[0] if len(pair) > 1 else None for pair in reversed(directions)}
    if to not in into or (translation is None and into[to] is None):
        raise ValueError(refusal("to", allowed=" or ".join(map(repr, sorted(into))), got=repr(to)))
    source, domain = into[to], Domain(to, translation)
    stream = domain.G() if source is None else domain.G(Domain(source, translation).frames)
    missing = [name for name in networks_in(stream) if name not in networks]
    if missing:
        allowed, fix = f"a domain that a network translates into, of {', '.join(networks)}", ""
        raise ValueError(refusal("to", allowed=allowed, got=f"{to!r}, for which {missing[0]} is missing", fix=fix))
    return stream, source
