"""The curves of a run's losses as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

SMOOTHED = 0.9


def plot_losses(metrics: Sequence[Mapping[str, float]], path: Path) -> None:
    """Draws every term over the steps, those of X beside those of Y: the values, and their moving average.

    Args:
        metrics: Lines with ``step`` and the terms, such as ``recycle/x``.
        path: The PNG file to write.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = dict.fromkeys(name for line in metrics for name in line if name.endswith(("/x", "/y")))
    figure = Figure(figsize=(11, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 2, sharey=True)
    colours = {kind: f"C{i}" for i, kind in enumerate(dict.fromkeys(name.rpartition("/")[0] for name in names))}
    for domain, axis in zip(("x", "y"), axes, strict=True):
        for name in names:
            kind, _, of = name.rpartition("/")
            if of != domain:
                continue
            steps = [line["step"] for line in metrics if name in line]
            values = [line[name] for line in metrics if name in line]
            axis.plot(steps, values, color=colours[kind], alpha=0.2, linewidth=0.8)
            axis.plot(steps, _smooth(values), color=colours[kind], label=name)
        axis.set_xlabel("step")
        axis.set_yscale("log")
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
    axes[0].set_ylabel("weighted loss")
    figure.savefig(path, dpi=100, format="png")


def _smooth(values: Sequence[float]) -> list[float]:
    """Exponential moving average, without a bias at the start."""
    averages, total, weight = [], 0.0, 0.0
    for value in values:
        total = SMOOTHED * total + (1 - SMOOTHED) * value
        weight = SMOOTHED * weight + 1 - SMOOTHED
        averages.append(total / weight)
    return averages
