"""What does not fit is refused before training begins, in words that help."""

from dataclasses import replace

import pytest

from vtrans.training import Callback, DataSettings, ModelSettings, TrainingSettings, prepare, train
from vtrans.training.checkpoints import checkpoints_in

SMALL = ModelSettings(
    generator=["resnet", {"blocks": 1, "width": 4}], discriminator=["n_layers", {"layers": 1, "width": 4}]
)
SETTINGS = TrainingSettings(
    recipe="gan",
    model=SMALL,
    data=DataSettings(world="shapes", size=16),
    steps=1,
    preview_every=0,
    trackers=[],
    device="cpu",
)


def refused(settings, error=ValueError):
    with pytest.raises(error) as caught:
        prepare(settings)
    return str(caught.value)


def test_sizes_that_the_published_networks_cannot_take():
    data = DataSettings(world="shapes", size=96)
    small = replace(SMALL, predictor=["unet_256", {"width": 2}])
    assert refused(TrainingSettings(recipe="recycle_gan", model=small, data=data)) == (
        "data.size and data.crop: expected clips whose height and width every network takes, such as 256, got 96x96 "
        "(height x width), which does not suit P_X (multiples of 256 from 256 up), P_Y (multiples of 256 from 256 up). "
        "Pass another --data.size (or --data.crop), or a smaller network, such as "
        """--model.predictor '["unet", {"depth": 4}]'."""
    )


def test_data_that_are_missing():
    assert "no data.x and no data.y" in refused(replace(SETTINGS, data=DataSettings()))
    assert "got data.world and data.x" in refused(replace(SETTINGS, data=DataSettings(world="shapes", x="a.mp4")))
    assert "expected a file or folder that exists" in refused(
        replace(SETTINGS, data=DataSettings(x="a.mp4", y="b.mp4")), FileNotFoundError
    )


def test_unknown_names():
    assert "Did you mean 'shapes'?" in refused(replace(SETTINGS, data=DataSettings(world="shape")))
    assert "Did you mean 'recycle_gan'?" in refused(replace(SETTINGS, recipe="recyclegan"))


def test_channels_that_the_data_do_not_have():
    message = refused(replace(SETTINGS, model=replace(SMALL, channels=1)))
    assert message.startswith("data.x: expected frames of 1 channel, as model.channels says, got 3")


@pytest.mark.parametrize(
    ("name", "value"), [("steps", 0), ("batch", 0), ("lr", -1.0), ("threads", 0), ("log_every", 0)]
)
def test_numbers_out_of_range(name, value):
    with pytest.raises(ValueError, match=rf"^{name}: expected .*, got {value}\.$"):
        replace(SETTINGS, **{name: value})


def test_a_clip_length_too_short():
    assert "expected 3 frames or more, got 2" in refused(
        replace(
            SETTINGS,
            recipe="recycle_gan",
            model=replace(SMALL, predictor=["unet", {"depth": 2, "width": 4}]),
            data=DataSettings(world="shapes", size=16, clip_length=2),
        )
    )


def test_a_folder_in_use_is_never_written_to(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="which holds files. Pass another --out.$"):
        train(prepare(SETTINGS), tmp_path)
    with pytest.raises(FileExistsError, match="which holds files but no run"):
        train(prepare(SETTINGS), tmp_path, resume="auto")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_run_is_resumed_with_its_own_settings_alone(tmp_path):
    train(prepare(SETTINGS), tmp_path / "run")
    with pytest.raises(FileExistsError, match="or --resume auto to go on with that run"):
        train(prepare(SETTINGS), tmp_path / "run")
    other = replace(SETTINGS, batch=2, model=replace(SMALL, losses={"adversarial": 3.0}))
    with pytest.raises(ValueError, match=r"(?s)model.losses .*3.0.*batch 2 instead of 1. Pass the same settings"):
        train(prepare(other), tmp_path / "run", resume="auto")
    longer = train(prepare(replace(SETTINGS, steps=2)), tmp_path / "run", resume="auto")
    assert longer.done == 2
    assert train(prepare(replace(SETTINGS, steps=2)), tmp_path / "run", resume="auto").done == 2
    with pytest.raises(ValueError, match="schedule"):
        train(prepare(replace(SETTINGS, steps=3, schedule="published")), tmp_path / "run", resume="auto")


def test_a_checkpoint_to_resume_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="where no checkpoint is"):
        train(prepare(SETTINGS), tmp_path / "run", resume=str(tmp_path / "elsewhere"))
    assert not (tmp_path / "run").exists()


class Failing(Callback):
    def __init__(self, at):
        self.at = at

    def on_start(self, run):
        if self.at == 0:
            raise RuntimeError("broken")

    def on_step(self, run, report):
        if run.done == self.at:
            raise RuntimeError("broken")


FAILED_STARTS = {
    "rates of phases that are not there": {"lr": {"generator": 1e-4}},
    "nothing to validate on": {"validate_every": 5, "data": "folders"},
    "an unknown tracker": {"trackers": ["paper"]},
    "an unknown callback": {"callbacks": ["nobody"]},
    "a callback that fails": {"trackers": ["tensorboard"], "hooks": [Failing(0)]},
    "a step that fails": {"trackers": ["tensorboard"], "log_every": 100, "hooks": [Failing(1)]},
}


@pytest.fixture
def folders(tmp_path):
    from PIL import Image

    for domain in ("x", "y"):
        (tmp_path / domain).mkdir()
        for number in range(4):
            Image.new("RGB", (16, 16)).save(tmp_path / domain / f"{number}.png")
    return DataSettings(x=str(tmp_path / "x"), y=str(tmp_path / "y"), size=16)


@pytest.mark.parametrize("what", FAILED_STARTS)
@pytest.mark.parametrize("there", [True, False])
def test_a_failed_start_leaves_nothing_behind(tmp_path, folders, what, there):
    changes = dict(FAILED_STARTS[what])
    hooks = changes.pop("hooks", [])
    if "data" in changes:
        changes["data"] = folders
    folder = tmp_path / "run"
    if there:
        folder.mkdir()
    with pytest.raises((ValueError, RuntimeError)):
        train(prepare(replace(SETTINGS, steps=3, **changes)), folder, hooks=hooks)
    assert not list(folder.iterdir()) if there else not folder.exists()
    assert train(prepare(SETTINGS), folder).done == 1, "the place can be used at once"


def test_a_failed_start_in_a_run_takes_nothing_away(tmp_path):
    folder = tmp_path / "run"
    train(prepare(SETTINGS), folder)
    before = sorted(path.relative_to(folder) for path in folder.rglob("*"))
    with pytest.raises(RuntimeError, match="broken"):
        train(prepare(replace(SETTINGS, steps=2)), folder, resume="auto", hooks=[Failing(0)])
    assert before == sorted(path.relative_to(folder) for path in folder.rglob("*"))
    assert train(prepare(replace(SETTINGS, steps=2)), folder, resume="auto").done == 2


def test_a_place_that_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FileExistsError, match="out: expected a folder, got the file"):
        train(prepare(SETTINGS), tmp_path / "file")
    with pytest.raises(OSError, match="out: expected a place for a folder, got .* which cannot be written"):
        train(prepare(SETTINGS), tmp_path / "file" / "run")


def test_a_damaged_config_of_the_run(tmp_path):
    folder = tmp_path / "run"
    train(prepare(SETTINGS), folder)
    for text in ("steps: [", "- 1", ""):
        (folder / "config.yaml").write_text(text)
        with pytest.raises(ValueError, match="config.yaml|settings that it was begun with"):
            train(prepare(SETTINGS), folder, resume="auto")
    assert len(checkpoints_in(folder / "checkpoints")) == 1


def test_a_run_too_short_for_the_generators_is_told():
    predictor = ["resnet", {"blocks": 1, "width": 4}]
    settings = replace(SETTINGS, recipe="recycle_gan_frozen", model=replace(SMALL, predictor=predictor, warm_up=2))
    told = "The generators do not learn in them: they start at step 2."
    assert told in prepare(replace(settings, steps=2)).summary()
    assert told not in prepare(replace(settings, steps=3)).summary()
