"""The tables of docs/benchmarks.md from the results.

    python -m benchmarks.tables                                  # writes them into the page
    python -m benchmarks.tables --show --results build/benchmarks  # prints those of other results

A table stands between the markers ``<!-- table: NAME -->`` and ``<!-- end -->``; its results in ``NAME.json``.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

PAGE = ROOT / "docs" / "benchmarks.md"
RESULTS = ROOT / "benchmarks" / "results"
TABLE = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
NONE = "No results are on file.\n"

Data = dict[str, Any]


def fused_step(data: Data) -> str:
    """Settings × variants."""
    rows = [
        [
            "Setting",
            "Variant",
            "Step, s",
            "Times as fast",
            "Quartiles",
            "Of the matmul ceiling",
            "In convolutions",
            "Memory, GiB",
            "Gradients off by",
        ],
        *(
            [
                setting,
                variant,
                f"{row['seconds']['median']:.3g}",
                f"{row['ratio']['median']:.2f}",
                _between(row["ratio"]["quartiles"]),
                f"{row['share_of_matmul']:.0%}",
                f"{row['share_in_convolutions']:.0%}" if "share_in_convolutions" in row else "–",
                f"{row['peak_bytes'] / 2**30:.2f}" if "peak_bytes" in row else "–",
                f"{row['difference_from_float64']['gradients']:.1g}",
            ]
            for setting, result in data["results"].items()
            for variant, row in result["variants"].items()
        ),
    ]
    exact = max(result["planned_float64_difference"]["gradients"] for result in data["results"].values())
    compiled = [
        f"{setting} {variant} {row['compile_seconds']:.0f} s"
        for setting, result in data["results"].items()
        for variant, row in result["variants"].items()
        if "compile_seconds" in row
    ]
    limits = data["ceilings"]
    return (
        _table(rows)
        + f"\nCeilings in the same run: {limits['matmul_fp32_flop_per_s'] / 1e9:.0f} GFLOP/s in fp32, "
        + f"{limits['matmul_bf16_flop_per_s'] / 1e9:.0f} in bf16, copies {limits['copy_bytes_per_s'] / 1e9:.1f} GB/s. "
        + f"In float64 the planned step's gradients are {exact:.0e} off the sequential one's."
        + (f" The first step with compilation, from an empty cache: {', '.join(compiled)}." if compiled else "")
        + f" {_machine(data)}\n"
    )


def memory(data: Data) -> str:
    """Growth with the length of clips, their size and the batch."""
    ways = list(next(iter(data["results"].values()))[0]["ways"])
    rows = [["", "Calls", *(f"{way}, MiB" for way in ways), *(f"{way}, s" for way in ways), "Times as fast"]]
    for growing, cases in data["results"].items():
        for case in cases:
            found = [case["ways"][way] for way in ways]
            rows.append(
                [
                    f"{growing} {case['setting'][growing]}",
                    str(case["calls"]),
                    *(f"{row['peak_bytes'] / 2**20:.0f}" for row in found),
                    *(f"{row['seconds']['median']:.3f}" for row in found),
                    f"{case['ways']['planned']['ratio']['median']:.2f}",
                ]
            )
    return _table(rows) + f"\n{_machine(data)}\n"


def planner(data: Data) -> str:
    """Calls and frames against the length of clips."""
    results = data["results"]
    rows = [["Frames in a clip", "Calls, generators", "Calls, discriminators", "Frames computed", "Plans made in, ms"]]
    rows += [
        [
            str(row["length"]),
            str(row["calls"]["generators"]),
            str(row["calls"]["discriminators"]),
            str(row["frames"]),
            f"{1e3 * row['made_seconds']['median']:.1f}",
        ]
        for row in results["lengths"]
    ]
    found, step = results["found_again_seconds"]["median"], results["step_seconds"]["median"]
    share = f"Both plans are found again in {1e6 * found:.0f} µs, {found / step:.2%} of a step of setting B1."
    return _table(rows) + f"\n{share} {_machine(data)}\n"


def kernels(data: Data) -> str:
    """Cases × variants."""
    rows = [["Case", "Variant", "Forward and backward, ms", "Of copy bandwidth", "MB to move at least"]]
    rows += [
        [
            case,
            variant,
            f"{1e3 * row['seconds']['median']:.3f}",
            f"{row['share_of_copy_bandwidth']:.0%}",
            f"{result['setting']['bytes_moved'] / 1e6:.0f}",
        ]
        for case, result in data["results"].items()
        for variant, row in result["variants"].items()
    ]
    return _table(rows) + f"\n{_machine(data)}\n"


def translate(data: Data) -> str:
    """The pipeline against a plain loop."""
    rows = [["Generator", "Size", "Batch", "Frames/s", "Plain loop", "Ratio", "Quartiles", "Decode, encode"]]
    for case in data["results"].values():
        (name, options), shares = case["setting"]["generator"], case["plain_shares"]
        rows.append(
            [
                f"{name} {', '.join(f'{key} {value}' for key, value in options.items())}",
                f"{case['setting']['size']}²",
                str(case["setting"]["batch"]),
                f"{case['pipeline_frames_per_s']:.0f}",
                f"{case['plain_frames_per_s']:.0f}",
                f"{case['ratio']['median']:.2f}",
                _between(case["ratio"]["quartiles"]),
                f"{shares['decode']:.0%}, {shares['encode']:.0%}",
            ]
        )
    return _table(rows) + f"\n{_machine(data)}\n"


def loader(data: Data) -> str:
    """Clips per second of each way, and what training waits for them."""
    rows = [["Way", "Clips/s", "Least to most", "Ready after, s"]]
    waits = []
    [(_, found)] = data["results"].items()
    for way, figures in found.items():
        if "clips_per_s" in figures:
            clips, ready = figures["clips_per_s"], figures["ready_s"]["median"]
            rows.append([way, f"{clips['median']:.0f}", _between(clips["quartiles"], 0), f"{ready:.2f}"])
        elif "wait_share" in figures:
            waits.append(f"{way.removeprefix('training, ')}: {figures['wait_share']['median']:.1%}")
    ratio = found["cached_over_plain"]
    return (
        _table(rows)
        + f"\nCached over plain: {ratio['median']:.0f} ({_between(ratio['quartiles'], 0)}). "
        + f"Share of training that waits for clips, {'; '.join(waits)}. {_machine(data)}\n"
    )


def trainer(data: Data) -> str:
    """What the trainer costs beside a bare step."""
    rows = [["Setting", "Bare step, s", "Trainer's, s", "Overhead", "Quartiles"]]
    rows += [
        [
            name,
            f"{row['bare_s']:.3f}",
            f"{row['trainer_s']:.3f}",
            f"{row['overhead']['median']:.1%}",
            " to ".join(f"{value:.1%}" for value in row["overhead"]["quartiles"]),
        ]
        for name, row in data["results"].items()
    ]
    return _table(rows) + f"\n{_machine(data)}\n"


RENDER: dict[str, Callable[[Data], str]] = {
    "fused_step": fused_step,
    "kernels": kernels,
    "loader": loader,
    "memory": memory,
    "planner": planner,
    "trainer": trainer,
    "translate": translate,
}


def table(name: str, folder: Path) -> str:
    """The table of a file of results, or that there is none."""
    path = folder / f"{name}.json"
    if not path.exists():
        return NONE
    data = json.loads(path.read_text(encoding="utf-8"))
    return RENDER[data["benchmark"]](data)


def page_of(text: str, folder: Path) -> str:
    """The page with its tables made anew."""
    return TABLE.sub(lambda found: f"{found[1]}\n{table(found[2], folder)}\n{found[3]}", text)


def main(arguments: list[str] | None = None) -> None:
    """Writes the tables into the page, or prints them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--show", action="store_true", help="print the tables and leave the page as it is")
    options = parser.parse_args(arguments)
    text = PAGE.read_text(encoding="utf-8")
    if options.show:
        for _, name, _ in TABLE.findall(text):
            found = table(name, options.results)
            if found != NONE:
                print(f"{name}\n\n{found}")
    else:
        PAGE.write_text(page_of(text, options.results), encoding="utf-8")


def _table(rows: list[list[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]]) + "\n"


def _between(quartiles: list[float], digits: int = 2) -> str:
    return f"{quartiles[0]:.{digits}f} to {quartiles[1]:.{digits}f}"


def _machine(data: Data) -> str:
    machine = data["machine"]
    place = (
        machine["device"]
        if machine["device"] != "cpu"
        else f"{machine['threads']} thread{'s' * (machine['threads'] > 1)} of {machine['processor']}"
    )
    rounds = f", {data['method']['rounds']} rounds"
    return f"{place}, PyTorch {machine['torch']}{rounds}."


if __name__ == "__main__":
    main()
