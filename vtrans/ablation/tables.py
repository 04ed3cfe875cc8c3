"""The results as tables, and in words; in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vtrans.data.checks import counted

ARROWS = {"higher": "↑", "lower": "↓", "near 1": "≈ 1", "": ""}
NONE = "–"


@dataclass(frozen=True)
class Table:
    """A table: what it shows, its head, its rows, and a note on how to read it."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def tables_of(results: Mapping[str, Any]) -> dict[str, list[Table]]:
    """The tables of each world.

    Args:
        results: What :func:`vtrans.ablation.summary.summarise` returned.
    """
    return {world: _of_world(results, world, found) for world, found in results["worlds"].items()}


def markdown(results: Mapping[str, Any], most: int | None = None) -> str:
    """All tables as Markdown.

    Args:
        results: What :func:`vtrans.ablation.summary.summarise` returned.
        most: Rows of a table beyond which it is left out; None for no limit.
    """
    lines = ["# Ablation", "", f"{budget(results)}.", ""]
    lines += [f"- {note}" for note in results["notes"]] + [""] * bool(results["notes"])
    for world, tables in tables_of(results).items():
        lines += [f"## {world}", "", f"{matched(results['worlds'][world]['matched'])}", ""]
        for table in tables:
            if most is not None and len(table.rows) > most:
                continue
            rows = [table.head, tuple(["---"] + ["---:"] * (len(table.head) - 1)), *table.rows]
            lines += [f"**{table.caption}**", "", *(f"| {' | '.join(row)} |" for row in rows), ""]
            lines += [table.note, ""] if table.note else []
    return "\n".join(lines).rstrip() + "\n"


def budget(results: Mapping[str, Any]) -> str:
    """The budget of a cell and the size of the grid, in words."""
    grid = results["grid"]
    parts = [counted(len(grid[part]), part.removesuffix("s")) for part in ("variants", "seeds", "worlds")]
    steps, batch = counted(grid["base"]["steps"], "step"), counted(grid["base"]["batch"], "clip")
    return f"{steps} of {batch} of each domain for each cell; {', '.join(parts)}"


def matched(found: Mapping[str, Any]) -> str:
    """Whether cells of a seed began alike and were measured alike, in words.

    Example:
        >>> both, one = {"same": ["a", "b"], "others": []}, {"same": ["a"], "others": ["b"]}
        >>> print(matched({"weights": {"G_X": both, "P_X": one, "P_Y": one}, "clips": both, "held_out": both}))
        For each seed, G_X began with the same weights in all variants that have them; P_X and P_Y with others in b than
        in a. All were trained on the same clips in the same order, and measured on the same held-out clips.
    """
    same = [role for role, of in found["weights"].items() if not of["others"]]
    unlike: dict[tuple[str, str], list[str]] = {}
    for role, of in found["weights"].items():
        if of["others"]:
            unlike.setdefault((", ".join(of["others"]), ", ".join(of["same"])), []).append(role)
    parts = [f"{_listed(same)} began with the same weights in all variants that have them"] if same else []
    parts += [f"{_listed(roles)} with others in {others} than in {of}" for (others, of), roles in unlike.items()]
    sentences = [f"For each seed, {'; '.join(parts)}"] if parts else []
    if found["clips"]["others"]:
        sentences.append(f"Trained on other clips: {_apart(found['clips'])}")
    else:
        sentences.append("All were trained on the same clips in the same order")
    if found["held_out"]["others"]:
        sentences.append(f"Measured on other held-out clips, and so not comparable: {_apart(found['held_out'])}")
    else:
        sentences[-1] += ", and measured" if not found["clips"]["others"] else "; all were measured"
        sentences[-1] += " on the same held-out clips"
    return ". ".join(sentences) + "."


def _apart(found: Mapping[str, Sequence[str]]) -> str:
    return f"{', '.join(found['others'])} than {', '.join(found['same'])}"


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def heading(name: str, facts: Mapping[str, Any]) -> str:
    """A number's name with its unit and what is better.

    Example:
        >>> heading("psnr/y", {"unit": "dB", "better": "higher"})
        'psnr/y (dB) ↑'
    """
    unit = f" ({facts['unit']})" if facts["unit"] else ""
    return f"{name}{unit} {ARROWS[facts['better']]}".rstrip()


def shown(value: float | None, digits: int = 3, *, sign: bool = False) -> str:
    """A number with a typographic minus; a dash for none.

    Example:
        >>> shown(-0.5, 2), shown(0.25, 1, sign=True), shown(None)
        ('−0.50', '+0.2', '–')
    """
    return NONE if value is None else f"{value:{'+' if sign else ''}.{digits}f}".replace("-", "−")


def probability(p: float | None) -> str:
    """A p value.

    Example:
        >>> probability(0.03125), probability(0.0001), probability(None)
        ('0.031', '< 0.001', '–')
    """
    return NONE if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def _of_world(results: Mapping[str, Any], world: str, found: Mapping[str, Any]) -> list[Table]:
    facts = results["metrics"]
    tables = [_outcomes(facts[name], name, of) for name, of in found["outcomes"].items()]
    tables += [_medians(facts, found["numbers"])]
    tables += [_tests(name, of) for name, of in found["outcomes"].items() if of["tests"]]
    compared = {name: of for name, of in found["numbers"].items() if name.partition("/")[0] not in found["outcomes"]}
    differences = _differences(facts, compared)
    tables += [differences] if differences.rows else []
    return [*tables, _every_seed(results["grid"]["seeds"], facts, found["numbers"])]


def _outcomes(facts: Mapping[str, Any], name: str, found: Mapping[str, Any]) -> Table:
    low, high = found["limits"]
    diverged = any(of["diverged"] for of in found["variants"].values())
    kinds = ("right", "wrong", "undecided", *["diverged"] * diverged)
    rows = [
        (
            variant,
            *(str(of[kind]) for kind in kinds),
            shown(of["right"] / len(of["seeds"]), 2),
            f"{of['low']:.2f} to {of['high']:.2f}",
        )
        for variant, of in found["variants"].items()
    ]
    note = (
        f"By the {facts['title']}, {name}: right is at least {high:g} in both directions, wrong at most {low:g} in "
        "both. Intervals are exact (Clopper and Pearson), 95 %."
    )
    head = ("variant", *kinds, "share right", "95 % interval")
    return Table("Outcomes at the end", head, tuple(rows), note)


def _medians(facts: Mapping[str, Any], numbers: Mapping[str, Any]) -> Table:
    variants = list(next(iter(numbers.values()))["variants"]) if numbers else []
    rows = []
    for name, of in numbers.items():
        kind = facts[name.partition("/")[0]]
        cells = (_with_span(spread, kind["digits"]) for spread in of["variants"].values())
        rows.append((heading(name, kind), *cells))
    note = "The name after the slash is the domain translated into, or rebuilt."
    return Table("Median over the seeds (least to greatest)", ("number", *variants), tuple(rows), note)


def _with_span(spread: Mapping[str, Any], digits: int) -> str:
    if spread["median"] is None:
        return NONE
    median, low, high = (shown(spread[name], digits) for name in ("median", "least", "greatest"))
    some = _of_all(spread["count"], spread["seeds"])
    return f"{median} ({low} to {high})" + f", {some} seeds" * bool(some)


def _every_seed(seeds: Sequence[int], facts: Mapping[str, Any], numbers: Mapping[str, Any]) -> Table:
    rows = []
    for name, of in numbers.items():
        digits = facts[name.partition("/")[0]]["digits"]
        for variant, spread in of["variants"].items():
            values = spread["values"]
            rows.append((f"{name}, {variant}", *(shown(values.get(str(seed)), digits) for seed in seeds)))
    return Table("Every seed", ("number, variant", *(f"seed {seed}" for seed in seeds)), tuple(rows))


def _tests(name: str, found: Mapping[str, Any]) -> Table:
    rows = [
        (
            f"{test['first']}, {test['second']}",
            *(str(test[kind]) for kind in ("both", "only_first", "only_second", "neither")),
            *(probability(test[p]) for p in ("mcnemar_p", "mcnemar_p_holm", "fisher_p")),
        )
        for test in found["tests"]
    ]
    head = ("A, B", "both right", "A alone", "B alone", "neither", "McNemar p", "Holm", "Fisher p")
    note = (
        "Seeds counted by which of the two is right. McNemar's exact test pairs the seeds, Fisher's does not; both are "
        "two-sided. Holm adjusts McNemar's p for the number of pairs."
    )
    return Table(f"Pairs of variants, by outcome ({name})", head, tuple(rows), note)


def _differences(facts: Mapping[str, Any], numbers: Mapping[str, Any]) -> Table:
    rows = []
    for name, of in numbers.items():
        kind = facts[name.partition("/")[0]]
        digits = kind["digits"]
        for each in of["differences"] if kind["better"] in ("higher", "lower") else ():
            if each["mean"] is None:
                continue
            low, high = (shown(each[end], digits, sign=True) for end in ("low", "high"))
            rows.append(
                (
                    f"{heading(name, kind)}: {each['second']} less {each['first']}",
                    shown(each["mean"], digits, sign=True),
                    NONE if each["low"] is None else f"{low} to {high}",
                    probability(each["p"]),
                    probability(each["p_holm"]),
                    _of_all(len(each["values"]), each["seeds"]) or str(each["seeds"]),
                )
            )
    head = ("number, pair", "mean difference", "95 % interval", "p", "Holm", "seeds")
    note = (
        "Differences of the same seeds; percentile bootstrap intervals, which are too narrow for few seeds; p by exact "
        "sign flips, two-sided, up to 16 seeds; Holm adjusts it for the pairs of one number, not for the numbers."
    )
    return Table("Paired differences", head, tuple(rows), note)


def _of_all(count: int, seeds: int) -> str:
    """How many seeds a number is of, if not of all."""
    return f"{count} of {seeds}" if count < seeds else ""
