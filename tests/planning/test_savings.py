"""What a planned step leaves out: copies, gradients that no one asks for, and judging a real frame twice."""

import pytest
import torch
from helpers.models import build, clips


def inputs_of(model, phase, x, y):
    """What each network is given in a phase, and what it returns."""
    seen = {}
    hooks = [
        network.register_forward_hook(
            lambda _, given, made, name=name: seen.setdefault(name, []).append((given[0], made))
        )
        for name, network in model.networks.items()
    ]
    prepared = model.prepare(x, y)
    report = model.phase_loss(phase, prepared)
    for hook in hooks:
        hook.remove()
    return seen, prepared, report


def storage(frames):
    return frames.untyped_storage().data_ptr()


def test_consecutive_frames_are_not_copied():
    model = build("gan").double()
    x, y = clips(4)
    seen, prepared, _ = inputs_of(model, "generators", x, y)
    given = {clip.of: frames for clip, frames in prepared.leaves.items()}
    for source, target in (("x", "Y"), ("y", "X")):
        [(translated_from, translated)], [(judged, _)] = seen[f"G_{target}"], seen[f"D_{target}"]
        assert storage(translated_from) == storage(given[source])
        assert storage(judged) == storage(translated)


def test_clips_of_a_batch_of_one_are_not_copied():
    model = build("gan").double()
    x, y = clips(4, batch=1)
    prepared = model.prepare(x, y)
    assert {storage(frames) for frames in prepared.leaves.values()} == {storage(x), storage(y)}


@pytest.mark.parametrize("length", [3, 6])
def test_real_frames_are_judged_once(length):
    """They count once for each fake beside them: translated, predicted, and predicted from real frames."""
    model = build("recycle_gan").double()
    x, y = clips(length)
    seen, _, report = inputs_of(model, "discriminators", x, y)
    fakes = (length - 1) + 2 * (length - 2)
    for judge in ("D_X", "D_Y"):
        assert sum(len(given) for given, _ in seen[judge]) == (length + fakes) * len(x)
    judged = sum(len(made) for _, made in seen["D_X"])
    assert judged == (length + fakes) * len(x) and report["discriminator/x"].item() > 0


def accumulators(tensor):
    """The parameters that a backward pass reaches."""
    waiting, seen, found = [tensor.grad_fn], set(), set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            found.add(id(node.variable))
        waiting += [parent for parent, _ in node.next_functions]
    return found


@pytest.mark.parametrize("recipe", ["gan", "recycle_cycle_gan"])
def test_no_gradient_is_computed_that_no_one_asks_for(recipe):
    model = build(recipe).double()
    x, y = clips(3)
    prepared = model.prepare(x, y)
    reports = {}
    for phase in model.phases:
        report = reports[phase.name] = model.phase_loss(phase.name, prepared, before=reports)
        assert accumulators(report.total) == {id(p) for p in model.parameters_of(phase.name)}


def test_frames_that_were_translated_are_not_translated_again():
    model = build("recycle_gan").double()
    x, y = clips(3)
    prepared = model.prepare(x, y)
    first = model.phase_loss("generators", prepared)
    called = []
    for name, network in model.networks.items():
        network.register_forward_hook(lambda *_, name=name: called.append(name))
    model.phase_loss("discriminators", prepared, before={"generators": first})
    assert sorted(called) == ["D_X", "D_Y"]


def test_what_is_carried_keeps_no_graph_alive():
    model = build("gan").double()
    first = model.phase_loss("generators", model.prepare(*clips(3)))
    assert first.carried and not any(frames.requires_grad for frames in first.carried.values())


def test_optimizers_are_fused():
    model = build("gan")
    assert all(optimizer.defaults["fused"] for optimizer in model.optimizers().values())
    assert all(optimizer.defaults["foreach"] for optimizer in model.optimizers(implementation="foreach").values())


@pytest.mark.parametrize("recipe", ["recycle_cycle_gan", "recycle_gan_frozen"])
def test_a_step_never_waits_for_a_number(recipe):
    """Tensors on the meta device have none: whatever asked for one, and made a GPU's queue run dry, would raise."""
    model = build(recipe).to("meta")
    x, y = (clip.to("meta") for clip in clips(3, dtype=torch.float32))
    optimizers = model.optimizers(implementation="foreach")
    for step in (0, 1, 1000, 1001):
        model.step(x, y, optimizers, step=step)
    with pytest.raises(RuntimeError):
        model.generator_loss(x, y).total.item()
