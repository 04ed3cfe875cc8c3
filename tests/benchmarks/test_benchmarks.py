"""The benchmarks run, refuse to time what differs, and the page of tables is that of the results on file."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks import fused_step, measuring, memory, planner, settings, tables  # noqa: E402

TINY = settings.Setting(32, 1, ("resnet", {"blocks": 1, "width": 2}), ("unet", {"depth": 2, "width": 2}), 2)


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    """Networks and ceilings of no size, and the threads as they were."""
    threads = torch.get_num_threads()
    for module in (fused_step, memory, planner):
        monkeypatch.setitem(module.SETTINGS, "B1", TINY)
    limits = {"matmul_fp32_flop_per_s": 1e9, "matmul_bf16_flop_per_s": 2e9, "copy_bytes_per_s": 1e9}
    monkeypatch.setattr(measuring, "ceilings", lambda device: limits)
    yield
    torch.set_num_threads(threads)


def test_the_page_is_that_of_the_results():
    text = tables.PAGE.read_text(encoding="utf-8")
    assert tables.page_of(text, tables.RESULTS) == text, "run: python -m benchmarks.tables"


def test_the_tables_of_a_run(tmp_path, capsys):
    fused_step.main(
        ["--setting", "B1", "--rounds", "2", "--threads", "1", "--out", str(tmp_path / "fused_step_cpu.json")]
    )
    planner.main(["--rounds", "1", "--threads", "1", "--out", str(tmp_path / "planner_cpu.json")])
    for path in tmp_path.glob("*.json"):
        data = json.loads(path.read_text())
        assert {"benchmark", "machine", "method", "results"} <= data.keys()
        assert data["machine"]["torch"] == torch.__version__
        assert "seed" in data["method"]
    capsys.readouterr()
    tables.main(["--show", "--results", str(tmp_path)])
    lines = capsys.readouterr().out.splitlines()
    variants = [line.split(" | ")[1] for line in lines if line.startswith("| B1 |")]
    assert variants == ["sequential", "planned", "planned, bf16"]
    assert "| 3 | 7 | 2 | 38 |" in "\n".join(lines)


def test_memory_and_time_of_a_case():
    row = memory.measure(TINY, rounds=1)
    longer = memory.measure(replace(TINY, length=6), rounds=1)
    peaks, grown = ({way: found["peak_bytes"] for way, found in one["ways"].items()} for one in (row, longer))
    assert row["calls"] == longer["calls"] == 9
    assert all(grown[way] > 1.5 * peaks[way] > 0 for way in peaks)
    assert grown["planned, recomputed"] < 0.9 * grown["planned"]


def test_the_peak_counts_what_is_there_at_once():
    def step():
        for _ in range(3):
            torch.empty(1 << 20, dtype=torch.uint8).add_(1)

    assert 1 << 20 <= measuring.peak_bytes(step, "cpu") < 2 << 20


def test_other_numbers_are_not_timed():
    model, clips = settings.model_of(TINY), settings.clips_of(TINY, 0)
    right = settings.in_float64(model, clips, settings.VARIANTS["sequential"])
    found = fused_step.difference(settings.in_float64(model, clips, settings.VARIANTS["planned"]), right)
    assert max(found.values()) < 1e-9
    off = ({name: 1.01 * value for name, value in right[0].items()}, right[1])
    with pytest.raises(RuntimeError, match=r"planned: losses are off by 0.01, more than 1e-09: times say nothing."):
        fused_step.require(fused_step.difference(off, right), {"losses": 1e-9, "gradients": 1e-7}, "planned")
    fewer = ({name: value for name, value in right[0].items() if name != "cycle/x"}, right[1])
    with pytest.raises(RuntimeError, match="The two schedules report other terms"):
        fused_step.difference(fewer, right)


def test_a_round_calls_all_and_every_second_one_in_reverse():
    called = []
    functions = {name: lambda name=name: called.append(name) for name in "abc"}
    times = measuring.interleaved(functions, rounds=2, warm_up=1)
    assert "".join(called) in ("abccbaabc", "cbaabccba")
    assert {name: len(values) for name, values in times.items()} == {"a": 2, "b": 2, "c": 2}


def test_ratios_are_taken_within_rounds():
    found = measuring.ratios([1.0, 10.0, 1.0], [2.0, 20.0, 3.0])
    assert found == {"median": 2.0, "quartiles": [2.0, 3.0]}
