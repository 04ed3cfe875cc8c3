"""From plain data to cells, and what is refused."""

import pytest
import yaml
from helpers.grids import BASE, GRID, grid

from vtrans.ablation import Grid
from vtrans.ablation.plan_file import begin
from vtrans.ablation.settings import BASE as DEFAULTS
from vtrans.ablation.settings import merged


def test_changes_may_be_written_short_or_in_their_place():
    short = {"recipe": "recycle_gan", "losses": {"cycle": 5.0}, "warm_up": 1, "frozen_predictors": True, "context": 1}
    long = {"recipe": "recycle_gan", "model": {n: v for n, v in short.items() if n != "recipe"}}
    first, second = (grid(variants={"a": changes}) for changes in (short, long))
    assert first == second
    settings = first.cells()[0].settings
    assert settings.model.predictor == ["unet", {"depth": 2, "width": 4, "context": 1}]
    assert settings.model.warm_up == 1 and settings.model.losses == {"cycle": 5.0} and settings.data.size == 16


def test_the_later_decides_world_over_base_and_variant_over_world():
    cells = grid(
        base=merged(BASE, {"lr": 1e-3}),
        worlds={"small": {"data": {"world": "shapes", "size": 24}, "lr": 2e-3}, "shapes": {}},
        variants={"a": {"recipe": "gan", "clip_length": 2}, "b": {"recipe": "gan", "lr": 3e-3, "data": {"flip": True}}},
    ).cells()
    found = {(c.world, c.variant): (c.settings.lr, c.settings.data.size, c.settings.data.world) for c in cells}
    assert found == {
        ("small", "a"): (2e-3, 24, "shapes"),
        ("small", "b"): (3e-3, 24, "shapes"),
        ("shapes", "a"): (1e-3, 16, "shapes"),
        ("shapes", "b"): (3e-3, 16, "shapes"),
    }
    assert cells[0].settings.data.clip_length == 2 and cells[1].settings.data.flip is True


def test_all_cells_of_a_seed_come_before_the_next_seed():
    assert [(c.seed, c.variant) for c in grid(seeds=[3, 1]).cells()] == [
        (3, "cycle_gan"),
        (3, "recycle_gan"),
        (1, "cycle_gan"),
        (1, "recycle_gan"),
    ]
    assert grid(seeds=3).seeds == (0, 1, 2)


def test_defaults_make_a_small_run_and_every_pair_is_compared():
    made = Grid.of({"worlds": "motion_keyed", "variants": ["gan", "cycle_gan", "recycle_gan"]})
    assert made.base["steps"] == DEFAULTS["steps"] and made.score_every == DEFAULTS["steps"] // 20
    assert made.compare == (("gan", "cycle_gan"), ("gan", "recycle_gan"), ("cycle_gan", "recycle_gan"))
    settings = made.cells()[0].settings
    assert settings.trackers == [] and settings.preview_every == 0 and settings.keep_last == 2


def test_a_grid_survives_yaml_and_json():
    made = grid(compare=[["cycle_gan", "recycle_gan"]])
    assert Grid.of(yaml.safe_load(yaml.safe_dump(made.plain()))) == made


def test_the_digest_of_a_cell_tells_settings_apart_that_matter():
    plain, same, other = (
        grid(base=merged(BASE, changes)).cells()[0].digest
        for changes in ({}, {"threads": 2, "ema": 0.0, "data": {"stride": 1}}, {"data": {"stride": 2}})
    )
    assert plain == same != other


REFUSED = {
    "part": ({"variant": {}}, r"^Unknown part of a grid: 'variant'\. Did you mean 'variants'\?"),
    "no worlds": ({"worlds": []}, r"^worlds: expected names of worlds, or settings by name, got none\."),
    "world": ({"worlds": ["motion_key"]}, r"^Unknown world 'motion_key'\. Did you mean 'motion_keyed'\?"),
    "world within": (
        {"worlds": {"a": {"data": {"world": "shape"}}}},
        r"^Unknown world 'shape'\. Did you mean 'shapes'",
    ),
    "recipe": ({"variants": ["cycle_gans"]}, r"^Unknown recipe 'cycle_gans'\. Did you mean 'cycle_gan'\?"),
    "no variants": ({"variants": None}, r"^variants: expected recipes, or settings by name, got none\."),
    "twice": ({"variants": ["gan", "gan"]}, r"^variants: expected each name once, got 'gan' twice\."),
    "name": ({"variants": {"a/b": {"recipe": "gan"}}}, r"^name in variants: expected letters, .* got 'a/b'\."),
    "setting": (
        {"variants": {"a": {"recipe": "gan", "warmup": 1}}},
        r"^Unknown setting in variant 'a': 'warmup'\. Did",
    ),
    "model": (
        {"variants": {"a": {"recipe": "gan", "model": {"los": 1}}}},
        r"^Unknown setting in variant 'a': model 'los'",
    ),
    "type": ({"base": {"data": {"flip": "perhaps"}}}, r"data\.flip: expected bool.*, got perhaps\."),
    "range": ({"base": {"lr": -1.0}}, r"in world 'motion_keyed': lr: expected a rate above 0, got -1\.0\."),
    "mapping": ({"base": {"data": 3}}, r"^base: data: expected settings by name, got 3\."),
    "seed of a variant": (
        {"variants": {"a": {"recipe": "gan", "seed": 1}}},
        r"^variant 'a': seed: expected none, got 1\.",
    ),
    "steps of a world": (
        {"worlds": {"shapes": {"steps": 9}}},
        r"^world 'shapes': steps: expected none, got 9\. All cells",
    ),
    "seed of the base": ({"base": {"seed": 1}}, r"^base: seed: expected none, got 1\. Set seeds of the grid\."),
    "other data in a variant": (
        {"variants": {"a": {"recipe": "gan", "size": 32}}},
        r"^variant 'a': data\.size: expected none, got 32\. What is measured on other data cannot be compared",
    ),
    "other world in a variant": (
        {"variants": {"a": {"recipe": "gan", "world": "shapes"}}},
        r"^variant 'a': data\.world: expected none, got shapes\.",
    ),
    "pair twice": (
        {"compare": [["cycle_gan", "recycle_gan"], ["recycle_gan", "cycle_gan"]]},
        r"^compare: expected each pair once, got \['recycle_gan', 'cycle_gan'\] twice\.",
    ),
    "no seeds": ({"seeds": 0}, r"^seeds: expected how many seeds, at least 1, or a list of them, got 0\."),
    "same seeds": ({"seeds": [1, 1]}, r"^seeds: expected each seed once, got \[1, 1\]\."),
    "metric": ({"metrics": ["settle"]}, r"^Unknown metric 'settle'\. Did you mean 'settled'\?"),
    "metrics": ({"metrics": []}, r"^metrics: expected a list of metrics, got \[\]\."),
    "budget": ({"budget": {"step": 3}}, r"^Unknown part of the budget: 'step'\. Did you mean 'steps'\?"),
    "steps": ({"budget": {"steps": "many"}}, r"^budget: steps: expected a whole number of at least 1, got 'many'\."),
    "score_every": ({"score_every": 0}, r"^score_every: expected a whole number of at least 1, got 0\."),
    "pair": ({"compare": [["gan"]]}, r"^compare: expected pairs of variants, such as \[\[a, b\]\], got \['gan'\]\."),
    "compared": ({"compare": [["gan", "cycle_gan"]]}, r"^Unknown variant in compare: 'gan'\. Did you mean"),
    "context": (
        {
            "base": {"model": {"predictor": {"x": "unet", "y": "unet"}}},
            "variants": {"a": {"recipe": "gan", "context": 1}},
        },
        r"context: expected one predictor for both domains",
    ),
}


@pytest.mark.parametrize(("changes", "message"), REFUSED.values(), ids=REFUSED)
def test_refusals(changes, message):
    with pytest.raises((ValueError, TypeError), match=message):
        Grid.of({**GRID, **changes})


def test_the_folder_of_a_grid_takes_more_cells_and_nothing_else(tmp_path):
    begin(grid(seeds=2), tmp_path, write=True)
    written = (tmp_path / "grid.json").read_bytes()
    for allowed in (
        {},
        {"seeds": 3},
        {"variants": ["cycle_gan", "gan", "recycle_gan"]},
        {"worlds": ["motion_keyed", "shapes"]},
    ):
        begin(grid(**{"seeds": 2, **allowed}), tmp_path)
    begin(grid(seeds=2, base=merged(BASE, {"threads": 2})), tmp_path)
    refused = {
        "base.lr 0.1 instead of 0.0004": {"base": merged(BASE, {"lr": 0.1})},
        "base.steps 3 instead of 2": {"budget": {"steps": 3, "batch": 1}},
        "score_every 2 instead of 1": {"score_every": 2},
        "no comparison of cycle_gan and recycle_gan": {"compare": []},
        "variants.cycle_gan.model.warm_up 1": {"variants": {"cycle_gan": {"warm_up": 1}, "recycle_gan": {}}},
    }
    for message, changes in refused.items():
        with pytest.raises(ValueError, match="expected the grid that it was begun with") as caught:
            begin(grid(**{"seeds": 2, **changes}), tmp_path, write=True)
        assert message in str(caught.value)
    assert (tmp_path / "grid.json").read_bytes() == written


@pytest.mark.parametrize("noted", [True, False])
def test_what_has_finished_cells_cannot_be_left_out_and_all_else_can(tmp_path, noted):
    begin(grid(seeds=2), tmp_path, write=True)
    done = tmp_path / "cells/motion_keyed/recycle_gan/seed-1"
    done.mkdir(parents=True)
    fewer = ({"seeds": 1}, {"variants": ["cycle_gan"]}, {"worlds": ["shapes"], "metrics": None})
    for changes in fewer[:2]:
        begin(grid(**{"seeds": 2, **changes}), tmp_path)
    (done / "result.json").write_text("{}")
    if not noted:
        (tmp_path / "grid.json").unlink()
    for changes in fewer:
        with pytest.raises(ValueError, match="without the finished cell motion_keyed/recycle_gan/seed-1"):
            begin(grid(**{"seeds": 2, **changes}), tmp_path)
    begin(grid(seeds=2), tmp_path)


def test_a_damaged_grid_file_tells_the_way_on(tmp_path):
    begin(grid(), tmp_path, write=True)
    (tmp_path / "cells").mkdir()
    (tmp_path / "results.json").write_text("{}")
    (tmp_path / "grid.json").write_text('{"base":')
    with pytest.raises(
        ValueError, match=r"grid\.json: expected JSON, .* the cells there are still gone on with: remove"
    ):
        begin(grid(), tmp_path)
    (tmp_path / "grid.json").unlink()
    (tmp_path / ".grid.json.part").write_text("")
    begin(grid(), tmp_path, write=True)
    assert (tmp_path / "grid.json").is_file()


def test_a_folder_where_a_file_shall_be_is_refused_before_the_work(tmp_path):
    (tmp_path / "cells").mkdir()
    (tmp_path / "results.json").mkdir()
    with pytest.raises(FileExistsError, match="which holds other files"):
        begin(grid(), tmp_path)


def test_a_folder_of_other_files_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="which holds other files"):
        begin(grid(), tmp_path, write=True)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
