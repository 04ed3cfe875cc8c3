"""The recipes: what they hold, and short seeded runs of each."""

import pytest
import torch
from helpers.models import build, clips

import vtrans
from vtrans.losses import Cycle

BUILT_IN = [name for name in vtrans.recipes if vtrans.recipes[name].factory.__module__.startswith("vtrans.")]
LOSSES = {
    "gan": {"adversarial": 1.0},
    "cycle_gan": {"adversarial": 1.0, "cycle": 10.0, "identity": 5.0},
    "recurrent_gan": {"adversarial": 1.0, "recurrent": 10.0},
    "recycle_gan": {"adversarial": 1.0, "recurrent": 10.0, "recycle": 10.0},
    "recycle_gan_frozen": {"adversarial": 1.0, "recurrent": 10.0, "recycle": 10.0},
    "recycle_cycle_gan": {"adversarial": 1.0, "recurrent": 10.0, "recycle": 10.0, "cycle": 10.0, "identity": 5.0},
}
LOSSES["recycle_cycle_gan_frozen"] = LOSSES["recycle_cycle_gan"]


def test_there_is_a_list_for_every_recipe():
    assert set(LOSSES) == set(BUILT_IN)


@pytest.mark.parametrize("name", BUILT_IN)
def test_losses_weights_and_parts(name):
    recipe = vtrans.recipes.create(name)
    assert {key: loss.weight for key, loss in recipe.named_losses.items()} == LOSSES[name]
    per_frame = name in ("gan", "cycle_gan")
    assert {getattr(loss, "frames", None) for loss in recipe.named_losses.values()} - {None} == {
        "all" if per_frame else "past"
    }
    assert (recipe.generator, recipe.predictor, recipe.discriminator) == ("resnet_6blocks", "unet_256", "patch")
    assert recipe.clip_length == 3
    roles = {key.partition("_")[0] for key in build(name).networks}
    assert roles == ({"G", "D"} if per_frame else {"G", "P", "D"})


@pytest.mark.parametrize("name", BUILT_IN)
def test_some_steps_bring_the_generators_loss_down(name):
    model = build(name).double()
    x, y = clips(3, batch=1)
    optimizers = model.optimizers(lr=2e-3)
    before = model.generator_loss(x, y).total.item()
    start = vtrans.recipes.create(name).warm_up
    for step in range(start, start + 12):
        report = model.step(x, y, optimizers, step=step)
    assert report.phases["generators"].total.item() < before
    assert all(torch.isfinite(value) for value in report.values())


def test_what_a_recipe_does_first_can_be_changed():
    model = build("recycle_gan_frozen")
    first, generators, *_ = model.phases
    assert (first.name, first.trains, first.stop, generators.start) == ("warm_up", ("P",), 1000, 1000)
    assert generators.trains == ("G",) and "recurrent" not in generators.losses
    shorter = build("recycle_gan_frozen", warm_up=5, frozen_predictors=False)
    assert [phase.stop for phase in shorter.phases][0] == 5 and shorter.phases[1].trains == ("G", "P")
    assert build("recycle_gan_frozen", phases=build("recycle_gan").phases).phases == build("recycle_gan").phases
    assert vtrans.build(**model.config).phases == model.phases


@pytest.mark.parametrize("name", ["gan", "cycle_gan"])
def test_single_frames_are_enough_without_predictors(name):
    model = build(name).double()
    assert model.minimum_length == 1
    x, y = clips(1)
    a, b = model.networks["G_Y"](x[:, 0]), model.networks["G_X"](y[:, 0])
    report = model.generator_loss(x, y)
    judged = model.networks["D_Y"](a)
    torch.testing.assert_close(report["adversarial/y"], (judged - 1).square().mean())
    if name == "cycle_gan":
        back, same = model.networks["G_X"](a), model.networks["G_X"](x[:, 0])
        torch.testing.assert_close(report["cycle/x"], 10 * (back - x[:, 0]).abs().mean())
        torch.testing.assert_close(report["identity/x"], 5 * (same - x[:, 0]).abs().mean())
    fakes = model.networks["D_X"](b).square().mean() + (model.networks["D_X"](x[:, 0]) - 1).square().mean()
    torch.testing.assert_close(model.discriminator_loss(x, y)["discriminator/x"], 0.5 * fakes)


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_default_networks_are_the_published_ones(name):
    model = vtrans.build(name)
    sizes = {key: sum(p.numel() for p in net.parameters()) for key, net in model.networks.items()}
    assert sizes["G_X"] == sizes["G_Y"] > 7_000_000 and sizes["D_X"] > 2_000_000
    if "P_X" in sizes:
        assert sizes["P_X"] > 50_000_000


@pytest.mark.parametrize("losses", [5, ["cycle"], {"a": 5}, None])
def test_recipes_hold_losses(losses):
    with pytest.raises(TypeError, match=r"losses: expected losses such as Cycle\(\), or a mapping of them, got"):
        vtrans.Recipe(losses=losses)


def test_two_losses_of_one_name_need_names():
    with pytest.raises(ValueError, match="losses: expected one loss of each name, got 'cycle' twice. Pass a mapping"):
        vtrans.Recipe(losses=[Cycle(), Cycle(weight=2.0)])
    named = vtrans.Recipe(losses={"cycle": Cycle(), "again": Cycle(frames="all")}).named_losses
    assert list(named) == ["cycle", "again"]
