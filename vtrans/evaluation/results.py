"""What an evaluation gives: numbers with all that is needed to read them, as a table, JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from vtrans.errors import refusal
from vtrans.evaluation.metrics.metric import Better
from vtrans.files import replace_text

FORMAT = 2
"""The second names ``cycle``, ``recycle`` and ``prediction`` for the domain they end in; the first, for the other."""
JSON_NAME, CSV_NAME = "evaluation.json", "evaluation.csv"
_ARROWS: dict[Better, str] = {"higher": "↑", "lower": "↓", "near 1": "≈ 1", "": ""}


@dataclass(frozen=True)
class Value:
    """A number that was measured.

    Attributes:
        metric: Its name.
        to: The domain that it ends in, as terms are named: that translated into, or brought back to.
        value: The number; infinite for the PSNR of a frame that is exactly right.
        better: Which values are better; empty where that depends on others beside it.
        unit: Its unit; empty for plain numbers.
        count: From how many it was computed.
        counted: What of: frames, steps from one frame to the next, pairs of frames or clips.
        features: The feature network that it depends on.
        parts: What it is the mean of, by class, where it is one over classes.
        sequences: The number of each sequence alone, in order, where there is one; NaN where a sequence has none.
        group: The heading that it is shown under.
    """

    metric: str
    to: str
    value: float
    better: Better
    unit: str
    count: int
    counted: str
    features: str | None = None
    parts: dict[str, float] | None = None
    sequences: list[float] = field(default_factory=list)
    group: str = "others"


@dataclass(frozen=True)
class Evaluation:
    """What was measured.

    Attributes:
        values: The numbers.
        left_out: Metrics that were not measured, such as ``"fid/y"``, and why.
        settings: What they were measured on, as plain data.
        notes: What a reader has to know besides.
    """

    values: tuple[Value, ...]
    left_out: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def numbers(self) -> dict[str, float]:
        """The values by metric and the domain they end in, such as ``"psnr/y"`` or ``"cycle/x"``."""
        return {f"{value.metric}/{value.to}": value.value for value in self.values}

    def as_dict(self) -> dict[str, Any]:
        """Plain data that JSON can hold; a number that is not finite is null, and a note says why."""
        values = [_plain(value) for value in self.values]
        parts = {"settings": self.settings, "values": values, "left_out": self.left_out, "notes": list(self.notes)}
        return {"format": FORMAT, **parts}

    def table(self) -> str:
        """The numbers as a table of at most 80 columns, and below it the notes and what was left out."""
        domains = list(dict.fromkeys(value.to for value in self.values))
        lines = [*self._sources(), "", f"{'':<24}" + "".join(f"{f'in {domain}':>14}" for domain in domains)]
        for group in dict.fromkeys(value.group for value in self.values):
            lines += ["", group]
            rows = {value.metric: value for value in self.values if value.group == group}
            for name, shown in rows.items():
                cells = [self.numbers.get(f"{name}/{domain}") for domain in domains]
                row = "".join(f"{'' if cell is None else format(cell, '.4g'):>14}" for cell in cells)
                lines.append(f"  {name:<22}{row}  {_ARROWS[shown.better]:<3} {shown.unit}".rstrip())
        lines += ["", "↑ higher is better, ↓ lower is better, ≈ 1 best near 1; others to compare with"]
        lines += [text for note in self.notes for text in _wrapped(note)]
        reasons: dict[str, list[str]] = {}
        for name, reason in self.left_out.items():
            reasons.setdefault(reason, []).append(name)
        missing = [f"not measured: {', '.join(of)}: {reason}" for reason, of in reasons.items()]
        lines += [text for line in missing for text in _wrapped(line)]
        return "\n".join(lines)

    def _sources(self) -> list[str]:
        """What it was measured on, a line for each domain."""
        lines = []
        for domain in ("x", "y"):
            if domain in self.settings:
                source = self.settings[domain]
                sizes = ", ".join(source["sizes"])
                counted = f"{source['sequences']} sequence{'s' * (source['sequences'] != 1)}"
                name = Path(source["name"]).name if Path(source["name"]).is_absolute() else source["name"]
                lines += _wrapped(f"{domain}: {name}, {counted} of {sizes}, motion {source['motion']}")
        return lines

    def csv(self) -> str:
        """A row for each number, with what it was measured on."""
        rows = io.StringIO()
        columns = ("metric", "to", "value", "better", "unit", "count", "counted", "features")
        facts = {name: self.settings.get(name) for name in ("run", "vtrans", "paired")}
        for domain in ("x", "y"):
            source = self.settings.get(domain, {})
            facts |= {domain: source.get("name"), f"sizes_{domain}": " ".join(source.get("sizes", []))}
        writer = csv.writer(rows, lineterminator="\n")
        writer.writerow([*columns, *facts])
        writer.writerows([*(getattr(value, column) for column in columns), *facts.values()] for value in self.values)
        return rows.getvalue()

    def write(self, folder: Path, *, overwrite: bool = False) -> None:
        """Writes ``evaluation.json`` and ``evaluation.csv``.

        Args:
            folder: Where they go; it is made where it is missing.
            overwrite: Whether ones that are there are replaced.

        Raises:
            FileExistsError: One of them is there.
        """
        check_output(folder, overwrite=overwrite)
        folder.mkdir(parents=True, exist_ok=True)
        replace_text(
            folder / JSON_NAME, json.dumps(self.as_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        )
        replace_text(folder / CSV_NAME, self.csv())


def check_output(folder: Path, *, overwrite: bool) -> None:
    """Refuses a folder that holds an evaluation, so that this is known before work begins.

    Args:
        folder: Where an evaluation shall go.
        overwrite: Whether one that is there may be replaced.

    Raises:
        FileExistsError: One is there, or the folder is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(refusal("out", allowed="a folder", got=f"the file {folder}"))
    there = [path for path in (folder / JSON_NAME, folder / CSV_NAME) if path.exists()]
    if there and not overwrite:
        fix = "Pass another --out, or --overwrite to replace it"
        raise FileExistsError(refusal("out", allowed="a folder without an evaluation", got=str(there[0]), fix=fix))


def _plain(value: Value) -> dict[str, Any]:
    parts = None if value.parts is None else {name: _finite(number) for name, number in value.parts.items()}
    sequences = [_finite(number) for number in value.sequences]
    return asdict(value) | {"value": _finite(value.value), "parts": parts, "sequences": sequences}


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


def _wrapped(text: str) -> list[str]:
    import textwrap

    return textwrap.wrap(text, 80, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
