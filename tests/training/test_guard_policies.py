"""What becomes of a step whose losses or gradients are not finite: the run stops, skips it, or goes back before it."""

import json
from dataclasses import replace

import pytest
import torch
from helpers.runs import SETTINGS, Stop, StopAfter, assert_same, ended, lines, newest, said, start_two
from safetensors.torch import load_file

from vtrans.data import Clips
from vtrans.objectives.guard import NonFiniteError
from vtrans.training import Callback, Stepper, prepare, train
from vtrans.training.checkpoints import checkpoints_in

BAD = 3
"""The step, from 0, at which clips are not finite."""


def planted(monkeypatch, *steps, seed=SETTINGS.seed):
    """Plants NaN in the clips of X of some steps, whenever and wherever these are drawn."""
    real = Clips._draw

    def draw(self, key, epoch, index):
        clip = real(self, key, epoch, index)
        number = epoch * len(self) + index
        if key[1] == 1 and number // SETTINGS.batch in steps:
            clip = clip.clone()
            clip[0, 0, 2, 3] = torch.nan
        return clip

    monkeypatch.setattr(Clips, "_draw", draw)


class Broken(Callback):
    """Breaks a weight after a step, as often as it is asked to."""

    def __init__(self, step, times=1, network="D_Y"):
        self.step, self.times, self.network = step, times, network

    def on_step(self, run, report):
        if run.done == self.step and self.times:
            self.times -= 1
            with torch.no_grad():
                next(run.prepared.model.networks[self.network].parameters()).fill_(torch.nan)


def settings(**changes):
    return replace(SETTINGS, **changes)


def facts(folder, step=BAD, rank=0):
    return json.loads((folder / "replays" / f"step-{step:06d}-process-{rank}.json").read_text())


def test_stop_names_what_it_was_and_the_way_on(tmp_path, monkeypatch):
    planted(monkeypatch, BAD)
    folder = tmp_path / "run"
    with pytest.raises(FloatingPointError) as caught:
        train(prepare(settings()), folder)
    message = str(caught.value)
    assert f"not finite at step {BAD}: the clip of x." in message
    assert f"Its clips are in {folder / 'replays' / 'step-000003-process-0.safetensors'}" in message
    assert f"The last good checkpoint is {folder / 'checkpoints' / 'step-000002'}, after 2 steps." in message
    assert "--guard roll_back" in message and "--lr 0.0001" in message
    assert [path.name for path in checkpoints_in(folder / "checkpoints")] == ["step-000002"]
    assert not (folder / "model").exists() and not (folder / ".lock").exists()
    assert facts(folder) == {"step": BAD, "not_finite": ["the clip of x"], "updated_since": False}


def test_stop_without_a_checkpoint(tmp_path, monkeypatch):
    planted(monkeypatch, 0)
    with pytest.raises(FloatingPointError, match="There is no checkpoint yet in .*: start again in another --out"):
        train(prepare(settings()), tmp_path / "run")
    assert (tmp_path / "run" / "replays").is_dir(), "the clips are kept although nothing else is"


@pytest.mark.parametrize(
    ("network", "names"),
    [("D_Y", {"adversarial/y", "gradient of G_Y"}), ("G_X", {"adversarial/x", "gradient of G_X"})],
)
def test_terms_and_networks_are_named(tmp_path, network, names):
    with pytest.raises(FloatingPointError):
        train(prepare(settings(checkpoint_every=10)), tmp_path / "run", hooks=[Broken(4, network=network)])
    found = set(facts(tmp_path / "run", step=4)["not_finite"])
    assert names <= found
    assert (
        not any("/x" in name or "_X" in name for name in found - {"adversarial/x", "gradient of G_X"})
        or network[0] == "G"
    )


def test_a_broken_weight_is_never_saved(tmp_path):
    with pytest.raises(
        FloatingPointError, match=r"the weight networks.D_Y.* is not finite: no .*; the last good one is"
    ):
        train(prepare(settings()), tmp_path / "run", hooks=[Broken(4)])
    assert [path.name for path in checkpoints_in(tmp_path / "run" / "checkpoints")] == ["step-000002"]


def test_the_replay_has_the_clips_of_the_step_and_shows_it_again(tmp_path, monkeypatch):
    planted(monkeypatch, BAD)
    with pytest.raises(FloatingPointError):
        train(prepare(settings(batch=2)), tmp_path / "run")
    saved = next((tmp_path / "run" / "replays").glob("*.safetensors"))
    again = load_file(saved)
    step = facts(tmp_path / "run", step=int(saved.name[5:11]))["step"]
    prepared = prepare(settings(batch=2))
    seed = settings().seed
    for domain, name, clips in ((1, "x", prepared.clips_x), (2, "y", prepared.clips_y)):
        drawn = torch.stack([clips._draw((clips.seed, domain, seed), 0, 2 * step + i) for i in range(2)])
        assert torch.equal(drawn.nan_to_num(7), again[name].nan_to_num(7))
    assert again["x"].isnan().sum() == 1 and not again["y"].isnan().any()
    with pytest.raises(NonFiniteError, match="the clip of x"):
        Stepper(prepared.model, prepared.model.optimizers(), prepared.devices)([(again["x"], again["y"])], step)


def test_skip_leaves_the_step_out(tmp_path, monkeypatch, capsys):
    planted(monkeypatch, BAD)
    folder = tmp_path / "run"
    outcome = train(prepare(settings(guard="skip")), folder)
    assert outcome.done == 6
    assert f"at step {BAD}: the clip of x." in capsys.readouterr().out
    found = {line["step"]: line for line in lines(folder)}
    assert set(found[BAD + 1]) == {"step"} and "adversarial/x" in found[BAD + 2]
    assert facts(folder)["not_finite"] == ["the clip of x"]


def test_skip_resumes_to_the_same_bits(tmp_path, monkeypatch):
    planted(monkeypatch, BAD)
    train(prepare(settings(guard="skip")), tmp_path / "straight")
    with pytest.raises(Stop):
        train(prepare(settings(guard="skip")), tmp_path / "run", hooks=[StopAfter(BAD + 2)])
    train(prepare(settings(guard="skip")), tmp_path / "run", resume="auto")
    assert_same(tmp_path / "run", tmp_path / "straight")


def test_skip_computes_what_leaving_out_would(tmp_path, monkeypatch):
    """Nothing of the skipped step is left, in no weight, optimizer, pool or random state."""
    with monkeypatch.context() as patch:
        planted(patch, BAD)
        train(prepare(settings(guard="skip")), tmp_path / "skipped")
    prepared = prepare(settings())
    from vtrans.training.loop import training_steps

    optimizers = prepared.model.optimizers()
    torch.manual_seed(SETTINGS.seed)
    for _ in training_steps(
        prepared.model, optimizers, prepared.clips_x, prepared.clips_y, steps=6, seed=SETTINGS.seed, leave_out=[BAD]
    ):
        pass
    expected = load_file(tmp_path / "skipped" / "model" / "model.safetensors")
    assert all(torch.equal(expected[name], value) for name, value in prepared.model.state_dict().items())


def test_roll_back_goes_on_without_the_step(tmp_path, monkeypatch, capsys):
    planted(monkeypatch, BAD)
    folder = tmp_path / "run"
    outcome = train(prepare(settings(guard="roll_back")), folder)
    assert outcome.done == 6
    told = capsys.readouterr().out
    assert "Going back to step-000002, without that step." in told
    assert json.loads((newest(folder) / "state.json").read_text())["progress"]["left_out"] == [BAD]
    found = lines(folder)
    assert [line["step"] for line in found] == [1, 2, 3, 4, 5, 6], "no line is there twice"
    assert set(found[BAD]) == {"step"}


def test_what_was_left_out_stays_left_out_after_a_resume(tmp_path, monkeypatch):
    planted(monkeypatch, BAD)
    train(prepare(settings(guard="roll_back")), tmp_path / "straight")
    with pytest.raises(Stop):
        train(prepare(settings(guard="roll_back")), tmp_path / "run", hooks=[StopAfter(5)])
    assert json.loads((newest(tmp_path / "run") / "state.json").read_text())["progress"]["left_out"] == [BAD]
    monkeypatch.undo()  # the clips are whole now, and the step is left out all the same
    train(prepare(settings(guard="roll_back")), tmp_path / "run", resume="auto")
    assert_same(tmp_path / "run", tmp_path / "straight")


def test_several_steps_before_the_next_checkpoint(tmp_path, monkeypatch):
    """Going back for the second one does not forget the first."""
    planted(monkeypatch, 3, 4, 5)
    outcome = train(prepare(settings(guard="roll_back", steps=8, checkpoint_every=2)), tmp_path / "run")
    assert outcome.done == 8
    left_out = json.loads((newest(tmp_path / "run") / "state.json").read_text())["progress"]["left_out"]
    assert left_out == [3, 4, 5]


def test_roll_back_gives_up_after_three(tmp_path, monkeypatch, capsys):
    planted(monkeypatch, 3, 4, 5, 6)
    with pytest.raises(FloatingPointError, match="not finite at step 6"):
        train(prepare(settings(guard="roll_back", steps=9, checkpoint_every=3)), tmp_path / "run")
    assert capsys.readouterr().out.count("Going back to") == 3


def test_roll_back_passes_over_a_damaged_checkpoint(tmp_path, monkeypatch, capsys):
    planted(monkeypatch, 5)

    class Damage(Callback):
        def on_checkpoint(self, run, checkpoint):
            if run.done == 4:
                (checkpoint / "state.json").write_text("damaged")
                self.on_checkpoint = lambda run, checkpoint: None

    outcome = train(prepare(settings(guard="roll_back")), tmp_path / "run", hooks=[Damage()])
    assert outcome.done == 6
    told = capsys.readouterr().out
    assert "Going back to step-000004" in told and "The checkpoint before it is taken" in told
    assert [line["step"] for line in lines(tmp_path / "run")] == [1, 2, 3, 4, 5, 6]


def test_a_seldom_look_still_comes_before_a_checkpoint(tmp_path, monkeypatch):
    """As on a GPU, where flags are read every few steps: none is saved that a bad step has changed."""
    import vtrans.training.trainer as trainer

    class Seldom(Stepper):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            self.check_every = 25

    monkeypatch.setattr(trainer, "Stepper", Seldom)

    class Overflow(Callback):
        def on_start(self, run):
            self.handle = None

        def on_step(self, run, report):
            weight = next(run.prepared.model.networks["G_X"].parameters())
            if run.done == BAD:
                self.handle = weight.register_hook(lambda gradient: gradient * torch.nan)

    with pytest.raises(FloatingPointError, match=rf"step {BAD}: gradient of G_X. The weights were updated since"):
        train(prepare(settings()), tmp_path / "run", hooks=[Overflow()])
    assert newest(tmp_path / "run").name == "step-000002"
    assert facts(tmp_path / "run")["updated_since"] is True


def planted_in_one(folder, given, step):
    """NaN in the clips that the second process draws, and in no others."""
    import os

    real = Clips._draw

    def draw(self, key, epoch, index):
        clip = real(self, key, epoch, index)
        if os.environ["RANK"] == "1" and key[1] == 1 and (epoch * len(self) + index) // given.batch == step:
            clip = clip.clone()
            clip[0, 0, 2, 3] = torch.nan
        return clip

    Clips._draw = draw
    return train(prepare(given), folder)


SLOW_SKIP = pytest.param("skip", [0, 0], marks=pytest.mark.slow)


@pytest.mark.parametrize(("guard", "codes"), [("stop", [2, 2]), SLOW_SKIP, ("roll_back", [0, 0])])
def test_a_process_that_alone_sees_it_takes_the_other_along(tmp_path, guard, codes):
    folder = tmp_path / "run"
    assert ended(start_two(folder, planted_in_one, folder, settings(guard=guard, batch=2), BAD)) == codes, said(folder)
    assert f"not finite at step {BAD}: the clip of x." in said(folder) or guard != "stop"
    assert facts(folder, rank=1)["not_finite"] == ["the clip of x"]
    assert facts(folder, rank=0)["not_finite"] == ["a clip of another process"]
    assert load_file(folder / "replays" / f"step-{BAD:06d}-process-1.safetensors")["x"].isnan().any()
    assert newest(folder).name == ("step-000002" if guard == "stop" else "step-000006")
