"""Learning curves and dots as SVG that stands in the page and takes its colours from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

WIDTH, HEIGHT = 360, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 42, 20, 10, 34
COLOURS = 8
"""Colours of the page's style sheet; further lines repeat them with other dashes."""
_DASHES = ("", "6 3", "2 2", "8 2 2 2")

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Line:
    """A line of a chart, with thin ones for what it sums up.

    Attributes:
        name: What it is.
        number: Its place among the variants, which decides its colour and dashes.
        points: The line.
        each: The thin ones.
    """

    name: str
    number: int
    points: Points
    each: Sequence[Points] = ()


def chart(title: str, lines: Sequence[Line], *, limits: tuple[float, float] | None = None, unit: str = "") -> str:
    """Draws lines over steps.

    Args:
        title: What is shown; it is what a screen reader says, with where each line ends.
        lines: The lines.
        limits: Lower and upper end of the scale. Default: those of the numbers.
        unit: The unit of the scale.

    Returns:
        The ``<svg>`` element.
    """
    shown = [points for line in lines for points in (line.points, *line.each) if points]
    if not shown:
        return ""
    steps = max(step for points in shown for step, _ in points)
    values = [value for points in shown for _, value in points]
    low, high = limits or (min(values), max(values))
    if high <= low:
        low, high = low - 0.5, high + 0.5
    ticks = nice_ticks(low, high)
    low, high = min(low, ticks[0]), max(high, ticks[-1])

    def place(point: tuple[float, float]) -> str:
        x = _LEFT + (WIDTH - _LEFT - _RIGHT) * point[0] / steps
        y = HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * (point[1] - low) / (high - low)
        return f"{x:.1f},{y:.1f}"

    parts = []
    digits = max(0, -int(np.floor(np.log10(ticks[1] - ticks[0]) + 1e-9)))
    for tick in ticks:
        x, y = place((0, tick)).split(",")
        parts.append(f'<path class="grid" d="M{x} {y}H{WIDTH - _RIGHT}"/>')
        parts.append(f'<text x="{_LEFT - 5}" y="{float(y) + 4:.1f}" text-anchor="end">{tick:.{digits}f}</text>')
    for step in (tick for tick in nice_ticks(0, steps, most=4) if tick <= steps):
        x = place((step, low)).split(",")[0]
        parts.append(f'<text x="{x}" y="{HEIGHT - _BOTTOM + 15}" text-anchor="middle">{step:,.0f}</text>')
    parts.append(f'<text x="{(_LEFT + WIDTH - _RIGHT) / 2}" y="{HEIGHT - 4}" text-anchor="middle">steps</text>')
    if unit:
        parts.append(f'<text x="4" y="{_TOP + 4}">{escape(unit)}</text>')
    for line in lines:
        for points in line.each:
            parts.append(f'<polyline class="c{colour(line.number)} thin" points="{" ".join(map(place, points))}"/>')
    for line in lines:
        if line.points:
            style = f'class="c{colour(line.number)}" {dashes(line.number)}'
            parts.append(f'<polyline {style} points="{" ".join(map(place, line.points))}"/>')
    ends = ", ".join(f"{line.name} {line.points[-1][1]:.3g}" for line in lines if line.points)
    label = escape(f"{title}. At the end: {ends}.", quote=True)
    return f'<svg role="img" aria-label="{label}" viewBox="0 0 {WIDTH} {HEIGHT}">{"".join(parts)}</svg>'


def dots(values: Mapping[str, float | None], *, low: float, high: float, number: int, median: bool = True) -> str:
    """Draws every seed's value as a dot from ``low`` to ``high``, each seed at a height of its own."""
    known = {seed: value for seed, value in values.items() if value is not None}
    width, height, edge = 160, 32, 8
    span = (high - low) or 1.0

    def place(value: float) -> float:
        return edge + (width - 2 * edge) * (value - low) / span

    words = ", ".join(f"seed {seed} {value:.3g}" for seed, value in known.items()) or "no value"
    parts = [f'<path class="grid" d="M{edge} {height / 2}H{width - edge}"/>']
    circle = f'<circle class="c{colour(number)} dot" cx="{{:.1f}}" cy="{{:.1f}}" r="3"/>'
    heights = np.linspace(4, height - 4, len(known)) if len(known) > 1 else [height / 2]
    parts += [circle.format(place(value), y) for value, y in zip(known.values(), heights, strict=False)]
    if known and median:
        middle = place(float(np.median(list(known.values()))))
        parts.append(f'<path class="median" d="M{middle:.1f} 2V{height - 2}"/>')
    return f'<svg class="dots" role="img" aria-label="{words}" viewBox="0 0 {width} {height}">{"".join(parts)}</svg>'


def key(number: int) -> str:
    """A short piece of a line, for the legend."""
    line = f'<path class="c{colour(number)}" {dashes(number)} d="M0 6H28"/>'
    return f'<svg class="key" aria-hidden="true" viewBox="0 0 28 12">{line}</svg>'


def colour(number: int) -> int:
    """The colour of a variant."""
    return number % COLOURS


def dashes(number: int) -> str:
    """The dashes of a variant's line, so that colour is not all that tells lines apart."""
    pattern = _DASHES[(number + number // COLOURS) % len(_DASHES)]
    return f'stroke-dasharray="{pattern}"' if pattern else ""


def nice_ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers from about ``low`` to ``high``, at most ``most`` and a few.

    Example:
        >>> nice_ticks(0, 1), nice_ticks(12, 29)
        ([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], [10.0, 15.0, 20.0, 25.0, 30.0])
    """
    rough = (high - low) / most
    unit = 10.0 ** np.floor(np.log10(rough))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough * 0.999)
    first, last = np.floor(low / step + 1e-9), np.ceil(high / step - 1e-9)
    return [round(float(number * step), 12) for number in np.arange(first, last + 1)]
