"""Registries: what they hold, and how they refuse."""

import inspect

import pytest

import vtrans
from vtrans import catalog, registry
from vtrans.data.worlds import worlds
from vtrans.errors import refusal, unknown
from vtrans.registry import Registry

REGISTRIES = {
    name: getattr(vtrans, name)
    for name in ("generators", "discriminators", "predictors", "losses", "recipes", "distances", "criteria")
}
CONTENTS = {
    "generators": {"resnet", "resnet_6blocks", "resnet_9blocks", "unet", "unet_128", "unet_256", "timm_unet"},
    "discriminators": {"patch", "n_layers", "pixel", "temporal_patch"},
    "predictors": {"unet", "unet_128", "unet_256", "resnet", "siamese", "conv_gru", "last_frame", "linear"},
    "losses": {
        "adversarial",
        "adversarial_prediction",
        "cycle",
        "identity",
        "recurrent",
        "recycle",
        "r1",
        "gradient_penalty",
    },
    "recipes": {
        *("gan", "cycle_gan", "recurrent_gan", "recycle_gan", "recycle_cycle_gan"),
        *("recycle_gan_frozen", "recycle_cycle_gan_frozen"),
    },
    "distances": {"l1", "l2", "charbonnier"},
    "criteria": {"least_squares", "non_saturating", "vanilla", "hinge", "wasserstein"},
}
ENTRIES = [(kind, name) for kind, entries in REGISTRIES.items() for name in entries]


class Part:
    """A part. With a second sentence."""

    def __init__(self, size=1, *, name="", reference=""):
        self.size, self.name, self.reference = size, name, reference


@pytest.fixture
def parts():
    made = Registry("part")
    made.add("plain", Part)
    made.add("large", Part, description="A large one.", reference="Nobody, 1900", size=9)
    return made


@pytest.mark.parametrize("kind", REGISTRIES)
def test_the_built_in_parts(kind):
    built_in = {name for name in REGISTRIES[kind] if REGISTRIES[kind][name].factory.__module__.startswith("vtrans.")}
    assert built_in == CONTENTS[kind]
    assert REGISTRIES[kind] is getattr(catalog, kind) is getattr(registry, kind)


@pytest.mark.parametrize(("kind", "name"), ENTRIES)
def test_every_entry_describes_itself_and_takes_its_defaults(kind, name):
    entry = REGISTRIES[kind][name]
    assert entry.name == name and entry.reference
    assert entry.description.endswith(".") and "\n" not in entry.description
    assert set(entry.defaults) <= set(inspect.signature(entry.factory).parameters)
    if kind not in ("generators", "discriminators", "predictors") and name != "timm_unet":
        entry.create(**entry.defaults)


@pytest.mark.parametrize(("kind", "name"), ENTRIES)
def test_a_misspelled_name_and_a_misspelled_option_are_answered(kind, name):
    with pytest.raises(ValueError, match=rf"Unknown \w+ '{name}x'\. Did you mean '\w+'\? Known: .*{name}.*register"):
        REGISTRIES[kind].create(f"{name}x")
    with pytest.raises(ValueError, match=rf"Unknown option of \w+ '{name}': 'wrong_option'\."):
        REGISTRIES[kind].create(name, wrong_option=1)


def test_entries_are_built_with_presets_and_options(parts):
    assert parts.create("plain").size == 1
    assert parts.create("large").size == 9
    assert parts.create("large", size=2).size == 2
    assert dict(parts["large"].defaults) == {"size": 9, "name": "", "reference": ""}
    assert parts["plain"].description == "A part. With a second sentence."
    assert (parts["large"].description, parts["large"].reference) == ("A large one.", "Nobody, 1900")


def test_an_option_may_be_called_name(parts):
    assert parts.create("plain", name="n", reference="r").name == "n"


def test_a_mapping_of_names(parts):
    assert list(parts) == ["plain", "large"] and len(parts) == 2
    assert "plain" in parts and "other" not in parts
    assert not any(odd in parts for odd in (["plain"], {}, None, 5))
    assert repr(parts).splitlines() == [
        "part registry, 2 entries",
        "plain  A part. With a second sentence.",
        "large  A large one.",
    ]
    parts.remove("plain")
    assert list(parts) == ["large"]


def test_the_decorator_returns_what_it_was_given(parts):
    @parts.register("mine", size=3)
    class Mine(Part):
        """Mine."""

    assert isinstance(Mine, type) and parts.create("mine").size == 3
    assert parts.name_of(Mine) == "mine", "its only name, though with presets"
    assert parts.name_of(Part) == "plain"
    assert parts.name_of(int) is None


def test_a_name_without_presets_comes_first():
    made = Registry("part")
    made.add("large", Part, size=9)
    made.add("plain", Part)
    assert made.name_of(Part) == "plain"


def test_failed_additions_change_nothing(parts):
    before = dict.fromkeys(parts)
    with pytest.raises(ValueError, match=r"part 'plain' is registered already, by .*Part\. Choose another name, or"):
        parts.add("plain", Part)
    for name in ("two words", "", "1st", None, 5):
        with pytest.raises(ValueError, match="part name: expected an identifier such as 'my_part', got"):
            parts.add(name, Part)
    with pytest.raises(TypeError, match="factory of part 'other': expected a class or function, got 5"):
        parts.add("other", 5)
    with pytest.raises(
        ValueError, match=r"option of part 'other': 'sizes'\. Did you mean 'size'\? Known: size, name, ref"
    ):
        parts.add("other", Part, sizes=3)
    with pytest.raises(
        TypeError, match=r"factory of part 'other': expected a class or .* can be read, got <built-in fun"
    ):
        parts.add("other", min)
    assert dict.fromkeys(parts) == before


@pytest.mark.parametrize("name", ["plian", 5, None, ["a"], {}])
def test_unknown_names(parts, name):
    with pytest.raises(ValueError, match=r"Unknown part .*Known: plain, large\. Add your own with @vtrans\.parts\.reg"):
        parts[name]
    with pytest.raises(ValueError, match="Unknown part"):
        parts.remove(name)


def test_presets_of_a_factory_that_takes_any(parts):
    parts.add("any", lambda **options: options, colour="red")
    assert parts.create("any", size=1) == {"colour": "red", "size": 1}


def test_positions_are_no_options(parts):
    parts.add("positions", lambda *sizes, depth=1: (sizes, depth))
    with pytest.raises(ValueError, match=r"Unknown option of part 'positions': 'sizes'\. Known: depth"):
        parts.create("positions", sizes=1)


def test_the_advice_names_the_place_to_import_from():
    for made, place in ((Registry("part", where="here.parts"), "here.parts"), (worlds, "vtrans.data.worlds")):
        with pytest.raises(ValueError, match=rf"Add your own with @{place}\.register\(\.\.\.\)"):
            made["nothing"]


def test_an_option_is_suggested(parts):
    with pytest.raises(ValueError, match=r"Unknown option of part 'plain': 'sise'\. Did you mean 'size'\? Known: size"):
        parts.create("plain", sise=3)


def test_what_stands_for_a_part(parts):
    assert parts.resolve("part", "large").size == 9
    assert parts.resolve("part", ("plain", {"size": 4})).size == parts.resolve("part", ["plain", {"size": 4}]).size == 4
    assert parts.resolve("part", len) is len
    for wrong in (5, None, ("plain",), ("plain", 5), {}):
        with pytest.raises(TypeError, match=r"my_argument: expected the name of a part, or a \(name, options\) pair"):
            parts.resolve("my_argument", wrong)
    with pytest.raises(TypeError, match="my_argument: expected a part, got the class Part. Pass an instance."):
        parts.resolve("my_argument", Part)


def test_wording():
    assert refusal("a", allowed="b", got="c", why="d", fix="e?") == "a: expected b, got c. d. e?"
    assert unknown("thing", "zzz", []) == "Unknown thing 'zzz'. Known: none."
