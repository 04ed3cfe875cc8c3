"""What does not fit is refused before training begins, in words that help."""

from dataclasses import replace

import pytest

from vtrans.training import DataSettings, ModelSettings, TrainingSettings, prepare, train
from vtrans.training.run_folder import RunFolder

SMALL = ModelSettings(
    generator=["resnet", {"blocks": 1, "width": 4}], discriminator=["n_layers", {"layers": 1, "width": 4}]
)
SETTINGS = TrainingSettings(
    recipe="gan", model=SMALL, data=DataSettings(world="shapes", size=16), steps=1, preview_every=0, device="cpu"
)


def refused(settings, error=ValueError):
    with pytest.raises(error) as caught:
        prepare(settings)
    return str(caught.value)


def test_sizes_that_the_published_networks_cannot_take():
    data = DataSettings(world="shapes", size=96)
    assert refused(TrainingSettings(recipe="recycle_gan", data=data)) == (
        "data.size and data.crop: expected clips whose height and width every network takes, such as 256, got 96x96 "
        "(height x width), which does not suit P_X (multiples of 256 from 256 up), P_Y (multiples of 256 from 256 up). "
        "Pass another --data.size (or --data.crop), or a smaller network, such as "
        """--model.predictor '["unet", {"depth": 4}]'."""
    )


def test_data_that_are_missing():
    assert "no data.x and no data.y" in refused(replace(SETTINGS, data=DataSettings()))
    assert "got both" in refused(replace(SETTINGS, data=DataSettings(world="shapes", x="a.mp4")))
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
        RunFolder(tmp_path / "run").begin({}, str(tmp_path / "elsewhere"))
    assert not (tmp_path / "run").exists()
