"""The estimate of a step's memory, and the advice where it runs out."""

from dataclasses import replace

import pytest
import torch

import vtrans
from vtrans.training import DataSettings, ModelSettings, TrainingSettings, memory, prepare, train

MODEL = {
    "generator": ("resnet", {"blocks": 2, "width": 8}),
    "predictor": ("unet", {"depth": 3, "width": 8}),
    "discriminator": ("patch", {"width": 8}),
}
SETTINGS = TrainingSettings(
    recipe="recycle_gan",
    model=ModelSettings(**{role: list(part) for role, part in MODEL.items()}),
    data=DataSettings(world="shapes", size=64, world_streams=2, clip_length=4),
    steps=2,
    batch=4,
    device="cpu",
    trackers=[],
)


def measured(model, shape, batch):
    """What the generators' phase keeps, on real tensors: an independent count."""
    kept = {}

    def note(tensor):
        kept[tensor.data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    x, y = torch.rand(2, batch, *shape).mul(2).sub(1).unbind()
    parameters = {parameter.data_ptr() for parameter in model.parameters()}
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        model.generator_loss(x, y)
    return sum(size for place, size in kept.items() if place not in parameters)


@pytest.mark.parametrize("batch", [1, 3])
def test_the_estimate_is_what_a_step_keeps(batch):
    model = vtrans.build("recycle_gan", **MODEL)
    found = memory.estimate(model, (3, 3, 64, 64), batch)
    assert found.kept == pytest.approx(measured(model, (3, 3, 64, 64), batch), rel=0.1)
    assert found.weights == 16 * sum(parameter.numel() for parameter in model.parameters())


def test_recomputing_keeps_less_and_changes_no_number():
    torch.manual_seed(0)
    x, y = torch.rand(2, 1, 3, 3, 64, 64).mul(2).sub(1).unbind()
    plain, thrifty = (vtrans.build("recycle_gan", **MODEL) for _ in range(2))
    thrifty.recompute(["G", "P_X"])
    assert memory.estimate(thrifty, (3, 3, 64, 64), 1).kept < 0.6 * memory.estimate(plain, (3, 3, 64, 64), 1).kept
    for model in (plain, thrifty):
        model.generator_loss(x, y).total.backward()
    for ours, theirs in zip(plain.parameters(), thrifty.parameters(), strict=True):
        assert (ours.grad is None) == (theirs.grad is None)
        assert ours.grad is None or torch.equal(ours.grad, theirs.grad)


def test_a_network_that_updates_a_state_is_not_recomputed():
    model = vtrans.build(
        "recycle_gan", **{**MODEL, "generator": ("resnet", {"blocks": 1, "width": 4, "norm": "batch"})}
    )
    with pytest.raises(ValueError, match="recompute: expected networks that run twice .*, got G_X with batch norm"):
        model.recompute(["G"])
    with pytest.raises(ValueError, match="Unknown network to recompute: 'Q'"):
        model.recompute(["Q"])


def test_where_memory_runs_out_the_error_says_what_to_change(tmp_path, monkeypatch):
    prepared = prepare(SETTINGS)

    def too_much(*args, **options):
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    monkeypatch.setattr("vtrans.training.stepping.Stepper.__call__", too_much)
    with pytest.raises(MemoryError) as told:
        train(prepared, tmp_path / "run")
    message = str(told.value)
    for option in ("--accumulate 2", "--recompute '[G, P]'", "--data.clip_length 3", "--data.crop", "--precision bf16"):
        assert option in message
    assert "GiB less" in message


def test_other_errors_are_not_taken_for_it():
    assert not memory.is_out_of_memory(RuntimeError("sizes do not match"))
    assert memory.is_out_of_memory(MemoryError())


def test_the_summary_counts_parts_and_precision():
    whole = memory.summary(prepare(SETTINGS))
    parts = memory.summary(prepare(replace(SETTINGS, accumulate=4)))
    numbers = [float(text.split(": ")[1].split(" GiB")[0]) for text in (whole, parts)]
    assert numbers[1] < numbers[0]
