"""From names and options to a model: overrides, seeds, configurations, and what is refused."""

import json

import pytest
import torch
from helpers.models import PARTS, build, clips, randomize
from torch import nn

import vtrans
from vtrans import Phase
from vtrans.losses import Charbonnier, Cycle, Loss, Recycle

OVERRIDES = {
    "nothing": {},
    "weights": {"losses": {"cycle": 5.0, "recycle": {"x": 7.0, "y": 3.0}}},
    "schedules": {"losses": {"recycle": vtrans.Schedule([(0, 0.0), (100, 10.0)]), "cycle": {"points": [[0, 1.0]]}}},
    "schedules by domain": {"losses": {"cycle": {"weight": {"x": vtrans.Schedule([(0, 1.0)]), "y": 2.0}}}},
    "dropped": {"losses": {"recurrent": None}},
    "options": {"losses": {"adversarial": {"criterion": "vanilla", "pool": 5}, "recycle": {"distance": "l2"}}},
    "nested options": {"losses": {"recycle": {"distance": ("charbonnier", {"epsilon": 0.01})}}},
    "other names": {"losses": {"cycle": 1.0, "cycle_of_all": {"loss": "cycle", "frames": "all", "weight": 2.0}}},
    "a list": {"losses": ["adversarial", ("recycle", {"weight": 3.0}), ["cycle", {"frames": "all"}], ("r1", 2.0)]},
    "losses": {"losses": [Recycle(weight=3.0, frozen_predictor=True), Cycle()]},
    "losses replaced": {"losses": {"recycle": Recycle(weight=3.0)}},
    "parts by domain": {"generator": {"x": PARTS["generator"], "y": ("unet", {"depth": 2, "width": 2})}},
    "lists for pairs": {"predictor": ["unet", {"depth": 2, "width": 3}]},
    "channels": {"channels": {"x": 1, "y": 4}},
    "clip length": {"clip_length": 7},
    "warm up": {"warm_up": 3, "frozen_predictors": True},
    "phases": {"phases": [Phase("generators", trains=("G",), stop=9), {"name": "discriminators", "trains": ["D"]}]},
    "seed": {"seed": 12},
}


def same_weights(a, b):
    return all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))


@pytest.mark.parametrize("case", OVERRIDES)
def test_a_configuration_makes_the_same_model_through_json_too(case):
    model = build("recycle_gan", **OVERRIDES[case])
    written = json.loads(json.dumps(model.config))
    assert written == model.config
    again = vtrans.build(**written)
    assert again.config == model.config
    assert same_weights(again, model)
    assert str(again.explain()) == str(model.explain())
    assert list(again.losses) == list(model.losses) and again.phases == model.phases
    assert again.clip_length == model.clip_length


@pytest.mark.parametrize("recipe", vtrans.recipes)
def test_recipes_have_configurations(recipe):
    model = build(recipe)
    assert vtrans.build(**json.loads(json.dumps(model.config))).config == model.config


def test_a_configuration_is_a_copy():
    model = build("gan")
    model.config["generator"][1]["width"] = 99
    model.config["losses"].clear()
    assert model.config["generator"][1]["width"] == 2 and model.config["losses"]


# The user's own parts, by name.


@pytest.fixture
def own_parts():
    @vtrans.losses.register("smooth_motion", description="Mine.")
    class Smooth(Loss):
        def __init__(self, weight=2.0, strength=1.0):
            super().__init__(weight=weight)
            self.strength = strength

        def terms(self, x, y):
            yield self.compare(y.P(y.G(x.past)), y.G(x.frames))

    @vtrans.losses.register("strong_cycle", description="Mine.", weight=50.0)
    class Mine(Cycle):
        """A loss known only with a preset."""

    @vtrans.generators.register("one_layer", description="Mine.", kernel=3)
    class OneLayer(nn.Conv2d):
        def __init__(self, in_channels, out_channels, kernel=1):
            super().__init__(in_channels, out_channels, kernel, padding=kernel // 2)

    @vtrans.recipes.register("my_recipe", description="Mine.")
    def my_recipe():
        return vtrans.Recipe(losses=[Smooth(), Cycle()], generator="one_layer", clip_length=5, **_parts())

    yield Smooth, Mine, OneLayer
    for registry, name in (("losses", "smooth_motion"), ("losses", "strong_cycle"), ("generators", "one_layer")):
        getattr(vtrans, registry).remove(name)
    vtrans.recipes.remove("my_recipe")


def _parts():
    return {kind: PARTS[kind] for kind in ("predictor", "discriminator")}


def test_own_parts_serve_by_name_and_in_configurations(own_parts):
    smooth, mine, layer = own_parts
    model = vtrans.build("my_recipe", losses={"smooth_motion": {"strength": 3.0}, "strong_cycle": {}})
    assert type(model.losses["smooth_motion"]) is smooth and model.losses["smooth_motion"].strength == 3.0
    assert (type(model.losses["strong_cycle"]), model.losses["strong_cycle"].weight) == (mine, 50.0)
    assert type(model.networks["G_X"]) is layer and model.networks["G_X"].kernel_size == (3, 3)
    assert model.clip_length == 5
    again = vtrans.build(**json.loads(json.dumps(model.config)))
    assert again.config == model.config and same_weights(model, again)
    assert type(again.losses["strong_cycle"]) is mine
    report = again.generator_loss(*clips(5, dtype=torch.float32))
    assert {"smooth_motion/y", "strong_cycle/x", "cycle/x"} <= set(report)


def test_options_of_a_loss_that_is_not_registered_can_be_changed():
    class Mine(Loss):
        def __init__(self, weight=1.0, size=1):
            super().__init__(weight=weight)
            self.size = size

        def terms(self, x, y):
            yield self.compare(x.G(x.past), x.past)

    vtrans.recipes.add("with_mine", lambda: vtrans.Recipe(losses=[Mine(size=4)], **PARTS), description="Mine.")
    try:
        model = vtrans.build("with_mine", losses={"mine": 3.0})
        with pytest.raises(ValueError, match="Unknown option of loss 'mine': 'sise'. Did you mean 'size'"):
            vtrans.build("with_mine", losses={"mine": {"sise": 3}})
    finally:
        vtrans.recipes.remove("with_mine")
    assert (model.losses["mine"].weight, model.losses["mine"].size) == (3.0, 4)


def test_a_loss_that_only_shares_the_name_of_another_has_no_configuration():
    own = type("Cycle", (Cycle,), {"terms": lambda self, x, y: iter([self.compare(x.G(x.past), x.past)])})
    model = build("gan", losses=[own()])
    with pytest.raises(ValueError, match="parts that are not registered, so that no plain data describe it. Register"):
        _ = model.config


@pytest.mark.parametrize(
    "losses",
    [
        {"cycle": lambda step: 1.0},
        {"cycle": {"distance": lambda a, b: a.mean()}},
        {"cycle": {"distance": Charbonnier()}},
    ],
)
def test_options_that_are_no_plain_data_work_without_a_configuration(losses):
    model = build("cycle_gan", losses=losses)
    assert model.generator_loss(*clips(1, dtype=torch.float32)).total.isfinite()
    assert model.explain().latex()
    with pytest.raises(ValueError, match="no plain data describe it"):
        _ = model.config


# Published settings.


def test_published_settings_are_within_reach():
    without = build("recycle_cycle_gan", losses={"cycle": None, "identity": None})
    assert without.config["losses"] == build("recycle_gan").config["losses"]
    judged = build("recycle_gan", losses={"adversarial_prediction": 1.0}).double()
    report = judged.generator_loss(*clips(3, batch=2))
    assert {"adversarial_prediction/x", "adversarial_prediction/y"} <= set(report)
    lambdas = {"recurrent": {"x": 7.0, "y": 3.0}, "recycle": {"x": 7.0, "y": 3.0}}
    vanilla = randomize(build("recycle_gan", losses={"adversarial": {"criterion": "vanilla"}, **lambdas}).double())
    plain = randomize(build("recycle_gan").double())
    x, y = clips(3)
    report, reference = vanilla.generator_loss(x, y), plain.generator_loss(x, y)
    torch.testing.assert_close(report["recycle/x"], 0.7 * reference["recycle/x"])
    torch.testing.assert_close(report["recurrent/y"], 0.3 * reference["recurrent/y"])
    g, p, d = (vanilla.networks[name] for name in ("G_Y", "P_Y", "D_Y"))
    translated = [g(x[:, t]) for t in (0, 1)]
    logits = [d(f) for f in (*translated, p(torch.stack(translated, 1)))]
    torch.testing.assert_close(report["adversarial/y"], -sum(v.sigmoid().log().mean() for v in logits))
    siamese = build("recycle_gan", predictor=("siamese", {"width": 1}))
    assert siamese.generator_loss(*clips(3, batch=1, size=64, dtype=torch.float32)).total.isfinite()
    assert set(build("cycle_gan", clip_length=1).generator_loss(*clips(1, dtype=torch.float32))) == {
        f"{loss}/{domain}" for loss in ("adversarial", "cycle", "identity") for domain in "xy"
    }


# Seeds.


def test_initial_weights_depend_on_seed_and_role_alone():
    models = [build(recipe, seed=seed) for recipe in vtrans.recipes for seed in (0, 1)]
    networks = {}
    for i, model in enumerate(models):
        for name, network in model.networks.items():
            networks.setdefault((i % 2, name), []).append(network)
    for found in networks.values():
        assert all(same_weights(found[0], other) for other in found)
    assert not same_weights(networks[0, "G_X"][0], networks[1, "G_X"][0])
    assert not same_weights(networks[0, "G_X"][0], networks[0, "G_Y"][0])


def test_building_leaves_the_global_random_state_alone():
    before = torch.get_rng_state()
    build("recycle_gan")
    assert torch.equal(torch.get_rng_state(), before)


# Channels.


def test_identity_is_left_out_where_channels_differ_and_refused_where_it_is_asked_for():
    channels = {"x": 1, "y": 3}
    with pytest.warns(UserWarning, match="identity is left out: x has 1 channels and y has 3, and it applies a gen"):
        model = build("recycle_cycle_gan", channels=channels)
    assert "identity" not in model.losses and "identity is left out" in str(model.explain())
    report = model.step(clips(3, channels=1)[0].float(), clips(3)[1].float(), model.optimizers())
    assert report["cycle/x"].isfinite()
    fix = r"losses\['identity'\]: expected domains with the same channels, got 1 in x and 3 in y.*Drop it with"
    with pytest.raises(ValueError, match=fix):
        build("recycle_cycle_gan", channels=channels, losses={"identity": 5.0})
    with pytest.raises(ValueError, match=fix):
        build("gan", channels=channels, losses=["adversarial", "identity"])
    quiet = build("recycle_cycle_gan", channels=channels, losses={"identity": None})
    assert not quiet.notes


# What is refused.

LOSS = "expected a finite number of 0 or more, a Schedule, or {'x': weight, 'y': weight}, got "
CHANNELS = [0, -1, True, "3", 3.0, None, [3, 3], {"x": 3}, {"x": 3, "y": "a"}, {"x": 3, "y": 3, "z": 3}]
CHANNELS += [{"x": True, "y": 1}]
WEIGHTS = [-1, True, float("nan"), float("inf"), "1", [], {"points": [(0, -1.0)]}]
WRONG = [
    ({"recipe": "recycle-gan"}, "Unknown recipe 'recycle-gan'. Did you mean 'recycle_gan'?"),
    ({"recipe": 5}, "Unknown recipe 5. Known: "),
    ({"recipe": None}, "Unknown recipe None."),
    ({"recipe": ["gan"]}, "Unknown recipe ['gan']."),
    ({"generator": "resnett"}, "Unknown generator 'resnett'. Did you mean 'resnet'?"),
    ({"generator": ("resnet", {"blokcs": 1})}, "Unknown option of generator 'resnet': 'blokcs'. Did you mean 'blocks'"),
    ({"generator": ("resnet", {"blocks": "a"})}, "blocks: expected a whole number of at least 0, got 'a'."),
    ({"generator": ("resnet", {"in_channels": 3})}, "options of 'resnet': expected options besides the channels, got "),
    ({"generator": ("resnet", {3: 4})}, "options of generator: expected names (strings), got 3."),
    ({"generator": 5}, "generator: expected a name such as 'unet', or a pair ('unet', {'depth': 6}), got 5."),
    ({"generator": ("resnet", 5)}, "generator: expected a name such as 'unet', or a pair"),
    ({"generator": ("resnet",)}, "generator: expected a name such as 'unet', or a pair"),
    ({"generator": nn.Identity()}, "generator: expected a name such as 'unet', or a pair"),
    ({"generator": {"x": "resnet"}}, "generator: expected a part, or one for each of 'x' and 'y', got {'x': 'resnet'}"),
    ({"predictor": {"x": "unet", "y": 5}}, "predictor['y']: expected a name such as 'unet', or a pair"),
    ({"discriminator": "pach"}, "Unknown discriminator 'pach'. Did you mean 'patch'?"),
    *[({"channels": c}, f"channels: expected a whole number above 0, or {{'x': …, 'y': …}}, got {c!r}.")
      for c in CHANNELS],
    ({"losses": 5}, "losses: expected a mapping or a sequence, got 5."),
    ({"losses": "cycle"}, "losses: expected a mapping or a sequence, got 'cycle'."),
    ({"losses": {"cycl": 1.0}}, "Unknown loss 'cycl'. Did you mean 'cycle'?"),
    ({"losses": {5: 1.0}}, "Unknown loss '5'."),
    ({"losses": {"recurent": None}}, "Unknown loss to drop 'recurent'. Did you mean 'recurrent'?"),
    ({"losses": []}, "losses: expected at least one loss, got none left."),
    ({"losses": dict.fromkeys(["adversarial", "recurrent", "recycle"])}, "losses: expected at least one loss, got non"),
    ({"losses": ["cycle", "cycle"]}, "losses: expected one loss of each name, got 'cycle' twice."),
    ({"losses": [5]}, "losses: expected losses, names or (name, options) pairs, got 5."),
    ({"losses": [Cycle]}, "losses: expected losses, names or (name, options) pairs, got <class"),
    ({"losses": {"cycle": "l2"}}, f"weight: {LOSS}'l2'."),
    *[({"losses": {"recycle": w}}, LOSS) for w in WEIGHTS],
    ({"losses": {"recycle": {"x": 1.0}}}, LOSS),
    ({"losses": {"recycle": {"weigth": 3}}}, "Unknown option of loss 'recycle': 'weigth'. Did you mean 'weight'?"),
    ({"losses": {"recycle": {3: 4}}}, "options of losses['recycle']: expected names (strings), got 3."),
    ({"losses": {"again": {"loss": "cycel"}}}, "Unknown loss 'cycel'. Did you mean 'cycle'?"),
    ({"losses": {"recycle": {"points": 5}}}, "points: expected (step, finite value) pairs with ascending steps, got 5"),
    *[({"clip_length": n}, f"clip_length: expected a whole number of frames above 0, got {n!r}.")
      for n in (0, "3", True, 2.0)],
    *[({"warm_up": n}, f"warm_up: expected a whole number of steps, 0 for none, got {n!r}.")
      for n in (-1, "a", True, 1.0)],
    ({"frozen_predictors": "yes"}, "frozen_predictors: expected True or False, got 'yes'."),
    ({"recipe": "gan", "warm_up": 5}, "warm_up and frozen_predictors: expected a recipe with predictors and its own p"),
    ({"warm_up": 5, "losses": {"recurrent": None}}, "warm_up: expected a recipe whose predictors learn from real stre"),
    ({"warm_up": 5, "phases": [{"name": "generators", "trains": ["G"]}]}, "Write the phases out with phases=[vtrans.P"),
    *[({"phases": p}, f"phases: expected a list of phases, got {p!r}.") for p in (5, [], "generators", {})],
    ({"phases": [5]}, "phases: expected vtrans.Phase(…) or mappings of its arguments, got 5."),
    ({"phases": [{"nam": "generators", "trains": ["G"]}]}, "Unknown argument of a phase: 'nam'. Did you mean 'name'?"),
    ({"phases": [{"name": "generators"}]}, "phases: expected 'name' and 'trains' in each, got no 'trains'."),
    ({"phases": [{"name": "generators", "trains": ["Q"]}]}, "Unknown network of phase 'generators': 'Q'. Known: G, P,"),
    ({"phases": [{"name": "generatorz", "trains": ["G"]}]}, "phase 'generatorz': expected losses with terms for 'gene"),
    ({"phases": [{"name": "generators", "trains": ["G"], "losses": ["recycle", "recurent"]}]}, "Did you mean 'recurre"),
    ({"phases": [{"name": "generators", "trains": ["G"]}] * 2}, "phases: expected one phase of each name, got 'genera"),
    ({"networks": 5}, "networks: expected a mapping such as {'E_X': encoder}, got int."),
    ({"networks": {"G_X": 5}}, "networks['G_X']: expected a torch.nn.Module, a name such as 'unet', or a pair"),
    ({"networks": {"G_X": None}}, "networks['G_X']: expected a torch.nn.Module, a name such as 'unet', or a pair"),
    ({"networks": {"E_X": nn.Identity()}}, "Unknown network 'E_X'."),
    ({"networks": {"g_x": nn.Identity()}}, "Unknown network 'g_x'. Did you mean"),
    *[({"seed": s}, f"seed: expected a whole number, got {s!r}.") for s in ("a", 1.5, None, True)],
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*take no part:UserWarning")
@pytest.mark.parametrize(("arguments", "message"), WRONG, ids=[str(arguments)[:60] for arguments, _ in WRONG])
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises((ValueError, TypeError)) as refused:
        build(**{"recipe": "recycle_gan", **arguments})
    assert message in str(refused.value)


def test_a_recipe_has_to_make_a_recipe():
    vtrans.recipes.add("odd", lambda: 5, description="Odd.")
    try:
        with pytest.raises(TypeError, match="recipe 'odd': expected a function that returns a Recipe, got int"):
            vtrans.build("odd")
    finally:
        vtrans.recipes.remove("odd")


def test_the_clip_length_grows_to_what_the_losses_need_and_a_shorter_one_is_refused():
    model = build("recycle_gan", predictor=("unet", {"depth": 3, "width": 4, "context": 4}))
    assert model.clip_length == model.minimum_length == model.config["clip_length"] == 5
    with pytest.raises(ValueError, match="clip_length: expected 3 or more for these losses and networks, got 1"):
        build("recycle_gan", clip_length=1)
