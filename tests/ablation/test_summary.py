"""What is made of the results of cells, by hand-made cases."""

import json

import pytest
from helpers.grids import GRID, grid, result, settled

from vtrans.ablation import Grid
from vtrans.ablation.latex import latex
from vtrans.ablation.summary import summarise
from vtrans.ablation.tables import markdown, tables_of

RIGHT, WRONG, HALF = (0.95, 0.97), (0.02, 0.05), (0.95, 0.5)


def test_outcomes_are_counted_over_both_directions():
    found = settled({"a": [RIGHT, WRONG, HALF], "b": [RIGHT, RIGHT, RIGHT]})
    outcomes = found["worlds"]["motion_keyed"]["outcomes"]["settled"]
    a, b = (outcomes["variants"][name] for name in "ab")
    assert [a[kind] for kind in ("right", "wrong", "undecided")] == [1, 1, 1]
    assert a["seeds"] == {"0": "right", "1": "wrong", "2": "undecided"}
    assert b["right"] == 3 and b["high"] == 1.0 and b["low"] == pytest.approx(0.025 ** (1 / 3))
    (test,) = outcomes["tests"]
    assert (test["both"], test["only_first"], test["only_second"], test["neither"]) == (1, 0, 2, 0)
    assert test["mcnemar_p"] == 0.5 and test["fisher_p"] == pytest.approx(0.4)


def test_the_success_rate_over_steps():
    found = settled({"a": [RIGHT, WRONG], "b": [RIGHT, RIGHT]})
    rates = found["worlds"]["motion_keyed"]["outcomes"]["settled"]["over_steps"]
    assert rates == {
        "a": [{"step": 1, "right": 0.0}, {"step": 2, "right": 0.5}],
        "b": [{"step": 1, "right": 0.0}, {"step": 2, "right": 1.0}],
    }


def test_medians_spreads_and_paired_differences():
    found = settled({"a": [(0.1, 0), (0.2, 0), (0.6, 0)], "b": [(0.2, 0), (0.4, 0), (0.9, 0)]})
    number = found["worlds"]["motion_keyed"]["numbers"]["settled/x"]
    a = number["variants"]["a"]
    assert a["values"] == {"0": 0.1, "1": 0.2, "2": 0.6}
    assert (a["median"], a["least"], a["greatest"], a["upper_quartile"]) == pytest.approx((0.2, 0.1, 0.6, 0.4))
    (pair,) = number["differences"]
    assert (pair["first"], pair["second"]) == ("a", "b") and list(pair["values"]) == ["0", "1", "2"]
    assert list(pair["values"].values()) == pytest.approx([0.1, 0.2, 0.3])
    assert pair["mean"] == pytest.approx(0.2) and pair["low"] < 0.2 < pair["high"] and pair["p"] == 0.25


def test_a_diverged_cell_is_not_right_and_has_no_value():
    cells = [
        result("a", 0, {"settled/y": 0.95, "settled/x": 0.95}),
        result("a", 1, {"settled/y": 0.95, "settled/x": 0.95}, status="diverged"),
    ]
    found = summarise(Grid.of({**GRID, "variants": {"a": {"recipe": "gan"}}, "seeds": 2}), cells)
    world = found["worlds"]["motion_keyed"]
    outcomes = world["outcomes"]["settled"]["variants"]["a"]
    assert [outcomes[kind] for kind in ("right", "wrong", "undecided", "diverged")] == [1, 0, 0, 1]
    assert world["numbers"]["settled/x"]["variants"]["a"]["values"] == {"0": 0.95, "1": None}
    assert any(note.startswith("Diverged: motion_keyed, a, seed 1. It counts as not right") for note in found["notes"])
    tables = {table.caption: table for table in tables_of(found)["motion_keyed"]}
    assert tables["Median over the seeds (least to greatest)"].rows[0][1] == "0.950 (0.950 to 0.950), 1 of 2 seeds"


def test_what_did_not_begin_alike_is_named():
    variants = {"a": {"recipe": "gan"}, "b": {"recipe": "gan"}}
    line = {"settled/y": 0.5, "settled/x": 0.5}
    same = result("b", 0, line, initial={"G_X": "g0", "P_X": "p"})
    other = result("b", 0, line, initial={"G_X": "g9"}, first_batch="b9")
    for cell, others in ((same, []), (other, ["b"])):
        found = summarise(Grid.of({**GRID, "variants": variants}), [result("a", 0, line), cell])
        matched = found["worlds"]["motion_keyed"]["matched"]
        assert matched["weights"]["G_X"]["others"] == others and matched["clips"]["others"] == others
        words = markdown(found)
        assert ("G_X with others in b than in a" in words) == ("on other clips: b than a" in words) == bool(others)


def test_what_was_measured_on_other_clips_is_not_called_comparable():
    line = {"settled/y": 0.5, "settled/x": 0.5}
    cells = [result("a", 0, line), result("b", 0, line, held_out="others")]
    words = markdown(summarise(Grid.of({**GRID, "variants": {n: {"recipe": "gan"} for n in "ab"}}), cells))
    assert "Measured on other held-out clips, and so not comparable: b than a." in words


def test_a_cell_that_ended_early_stays_as_it_was_and_lost_points_are_told():
    early = result("a", 0, {"settled/y": 0.95, "settled/x": 0.95})
    late = result("a", 1, *[{"settled/y": 0.95, "settled/x": 0.95}] * 3)
    del late["curve"][1]
    grid = Grid.of({**GRID, "variants": {"a": {"recipe": "gan"}}, "seeds": 2, "budget": {"steps": 3, "batch": 1}})
    found = summarise(grid, [early, late])
    rates = found["worlds"]["motion_keyed"]["outcomes"]["settled"]["over_steps"]["a"]
    assert rates == [{"step": 1, "right": 1.0}, {"step": 3, "right": 1.0}]
    assert any("Points of the curve are missing of motion_keyed, a, seed 1:" in note for note in found["notes"])
    assert any("Ended by a callback" in note and "seed 0" in note for note in found["notes"])


def test_one_direction_alone_is_no_outcome():
    cells = [result("a", 0, {"settled/y": 0.95})]
    found = summarise(Grid.of({**GRID, "variants": {"a": {"recipe": "gan"}}}), cells)
    assert found["worlds"]["motion_keyed"]["outcomes"]["settled"]["variants"]["a"]["undecided"] == 1


def test_cells_of_other_versions_or_machines_are_noted():
    line = {"settled/y": 0.5, "settled/x": 0.5}
    cells = [result("a", 0, line), result("a", 1, line, versions={"vtrans": "1"}, machine={"processor": "b"})]
    notes = summarise(Grid.of({**GRID, "variants": {"a": {"recipe": "gan"}}, "seeds": 2}), cells)["notes"]
    assert any("same versions" in note for note in notes) and any("same kind of machine" in note for note in notes)
    assert any("descriptive" in note for note in notes)


def test_the_tables_of_two_outcomes_count_instead_of_averaging():
    found = settled({"a": [RIGHT, WRONG, HALF], "b": [RIGHT, RIGHT, RIGHT]})
    tables = {table.caption: table for table in tables_of(found)["motion_keyed"]}
    assert tables["Outcomes at the end"].rows == (
        ("a", "1", "1", "1", "0.33", "0.01 to 0.91"),
        ("b", "3", "0", "0", "1.00", "0.29 to 1.00"),
    )
    assert tables["Pairs of variants, by outcome (settled)"].rows[0][:5] == ("a, b", "1", "0", "2", "0")
    assert not any(caption.startswith("Paired differences") for caption in tables)
    assert tables["Every seed"].rows[0] == ("settled/y, a", "0.970", "0.050", "0.500")


def test_the_tables_of_other_metrics_have_paired_differences():
    cells = [
        result(variant, seed, {"psnr/y": value + seed, "l1/y": 0.5, "masked_share/y": 0.1}, world="shapes")
        for variant, value in (("a", 20.0), ("b", 22.5))
        for seed in range(2)
    ]
    content = {**GRID, "worlds": ["shapes"], "variants": {"a": {"recipe": "gan"}, "b": {"recipe": "gan"}}, "seeds": 2}
    found = summarise(Grid.of({**content, "metrics": None}), cells)
    tables = {table.caption: table for table in tables_of(found)["shapes"]}
    assert tables["Paired differences"].rows == (
        ("psnr/y (dB) ↑: b less a", "+2.50", "+2.50 to +2.50", "0.500", "0.500", "2"),
        ("l1/y (of range 2) ↓: b less a", "+0.000", "+0.000 to +0.000", "1.000", "1.000", "2"),
    )
    assert tables["Median over the seeds (least to greatest)"].rows[0][:2] == (
        "psnr/y (dB) ↑",
        "20.50 (20.00 to 21.00)",
    )


def test_markdown_and_latex_hold_every_value_and_are_well_formed():
    found = settled({"a_1": [RIGHT, WRONG], "b": [RIGHT, HALF]}, variants=("a_1", "b"))
    text, tex = markdown(found), latex(found)
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert all(line.endswith("|") for line in tables) and "| settled/x, a_1 | 0.950 | 0.020 |" in tables
    assert r"settled/x, a\_1 & 0.950 & 0.020 \\" in tex
    assert tex.count(r"\begin{table}") == tex.count(r"\end{table}") == len(tables_of(found)["motion_keyed"])
    for block in tex.split(r"\begin{tabular}")[1:]:
        columns = block.partition("}")[0].count("r") + 1
        rows = [line for line in block.splitlines() if line.endswith(r"\\")]
        assert rows and all(row.replace(r"\&", "").count("&") == columns - 1 for row in rows)


def test_latex_has_the_notes_and_breaks_long_tables():
    cells = [
        result(
            variant, seed, {f"{name}/{to}": 0.5 for name in ("psnr", "ssim", "l1", "cycle", "recycle") for to in "xy"}
        )
        for variant in "abcde"
        for seed in range(2)
    ]
    cells[0]["status"] = "diverged"
    tex = latex(summarise(Grid.of({**GRID, "variants": {n: {"recipe": "gan"} for n in "abcde"}, "seeds": 2}), cells))
    assert (
        "Diverged: motion\\_keyed, a, seed 0." in tex and "descriptive" in tex and r"\paragraph{motion\_keyed.}" in tex
    )
    assert tex.count(r"\begin{longtable}") == tex.count(r"\end{longtable}") == 2  # differences, and every seed


def test_the_summary_is_plain_json():
    found = settled({"a": [RIGHT], "b": [WRONG]})
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["format"] == 1 and Grid.of(found["grid"]).plain() == found["grid"]


def test_a_comparison_says_what_was_changed():
    compared = grid(variants={"a": {"recipe": "recycle_gan"}, "b": {"recipe": "recycle_gan", "warm_up": 1}})
    cells = [result(variant, 0, {"settled/y": 0.5, "settled/x": 0.5}) for variant in "ab"]
    (pair,) = summarise(compared, cells)["worlds"]["motion_keyed"]["numbers"]["settled/y"]["differences"]
    assert pair["changed"] == ["model.warm_up 1 instead of null"] and pair["low"] is None
