"""What a step changes besides the weights: taken and put back, bit for bit, and refused before anything changes."""

import json
import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import vtrans
from vtrans.training.state import (
    capture_optimizers,
    capture_process,
    checked_optimizers,
    checked_process,
    seed_everything,
)


def through_a_file(rest):
    """What JSON makes of it."""
    return json.loads(json.dumps(rest))


def taken(optimizers):
    tensors, rest = capture_optimizers(optimizers)
    return tensors, through_a_file(rest)


def optimizers_of(make, shapes=((2, 3), (4,)), steps=0):
    """Optimizers of two phases, with weights of their own, after some steps."""
    draws = torch.Generator().manual_seed(0)
    weights = {
        phase: [torch.nn.Parameter(torch.rand(*shape, generator=draws)) for shape in shapes] for phase in ("a", "ab")
    }
    optimizers = {phase: make(own) for phase, own in weights.items()}
    stepped(optimizers, steps)
    return optimizers


def parameters(optimizer):
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def stepped(optimizers, steps, seed=1):
    draws = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        for optimizer in optimizers.values():
            for parameter in parameters(optimizer):
                parameter.grad = torch.rand(parameter.shape, generator=draws)
            optimizer.step()


KINDS = {
    "adam": lambda own: torch.optim.Adam(own, lr=0.1, betas=(0.5, 0.99)),
    "groups": lambda own: torch.optim.Adam([{"params": own[:1], "lr": 0.3}, {"params": own[1:]}], lr=0.1),
    "momentum": lambda own: torch.optim.SGD(own, lr=0.1, momentum=0.9),
    "no state": lambda own: torch.optim.SGD(own, lr=0.1),
}


@pytest.mark.parametrize("kind", KINDS)
def test_optimizers_go_on_as_they_would_have(kind):
    first = optimizers_of(KINDS[kind], steps=2)
    second = optimizers_of(lambda own: KINDS[kind](own), steps=2)
    for optimizer in second.values():
        optimizer.state.clear()
    checked_optimizers(second, *taken(first))()
    for optimizers in (first, second):
        stepped(optimizers, 3, seed=2)
    for phase in first:
        assert first[phase].state_dict()["param_groups"] == second[phase].state_dict()["param_groups"]
        for ours, theirs in zip(parameters(first[phase]), parameters(second[phase]), strict=True):
            assert torch.equal(ours, theirs)


def test_what_is_taken_stays_as_it_was():
    """On the CPU, by names that say the phase, the parameter and the number; later steps don't change it."""
    optimizers = optimizers_of(KINDS["adam"], steps=1)
    tensors, rest = taken(optimizers)
    assert set(tensors) == {
        f"{p}/{i}/{n}" for p in ("a", "ab") for i in (0, 1) for n in ("step", "exp_avg", "exp_avg_sq")
    }
    assert rest["a"]["numbers"] == {} and rest["a"]["groups"][0]["params"] == [0, 1]
    before = {name: tensor.clone() for name, tensor in tensors.items()}
    stepped(optimizers, 1)
    assert all(torch.equal(before[name], tensor) for name, tensor in tensors.items())
    assert all(tensor.is_contiguous() and not tensor.requires_grad for tensor in tensors.values())


class Counting(torch.optim.SGD):
    """Keeps a plain number for each parameter, and a tensor."""

    def step(self):
        for parameter in parameters(self):
            self.state[parameter]["count"] = self.state[parameter].get("count", 0) + 1
            self.state[parameter]["last"] = 0.5
            self.state[parameter]["mean/squared"] = torch.full_like(parameter, 2.0)


def test_plain_numbers_are_kept_too():
    first, second = optimizers_of(Counting, steps=3), optimizers_of(Counting)
    tensors, rest = taken(first)
    assert rest["ab"]["numbers"] == {str(i): {"count": 3, "last": 0.5} for i in (0, 1)}
    checked_optimizers(second, tensors, rest)()
    for number, parameter in enumerate(parameters(second["a"])):
        state = second["a"].state[parameter]
        mean = state.pop("mean/squared")
        assert state == {"count": 3, "last": 0.5} and torch.equal(mean, torch.full_like(parameter, 2.0))
        assert mean.data_ptr() != tensors[f"a/{number}/mean/squared"].data_ptr()


class Plain(torch.optim.Optimizer):
    """Has no options, and so none of how it is computed."""

    def __init__(self, weights):
        super().__init__(weights, {})


def test_an_optimizer_without_options():
    optimizers = optimizers_of(Plain)
    checked_optimizers(optimizers, *taken(optimizers))()
    assert optimizers["a"].state_dict()["param_groups"] == [{"params": [0, 1]}]


def test_the_settings_of_before_come_back_but_not_how_it_is_computed():
    first = optimizers_of(lambda own: torch.optim.Adam(own, lr=0.1, betas=(0.5, 0.9), foreach=True))
    second = optimizers_of(lambda own: torch.optim.Adam(own, lr=0.7, betas=(0.1, 0.2), fused=True, maximize=True))
    checked_optimizers(second, *taken(first))()
    (group,) = second["a"].state_dict()["param_groups"]
    assert (group["lr"], group["betas"], group["maximize"]) == (0.1, (0.5, 0.9), False)
    assert (group["foreach"], group["fused"], group["params"]) == (None, True, [0, 1])


def test_an_option_that_is_new_keeps_its_value():
    """Of a later PyTorch, which the checkpoint knows nothing of."""
    first, second = optimizers_of(KINDS["adam"]), optimizers_of(KINDS["adam"])
    tensors, rest = taken(first)
    for phase in rest:
        del rest[phase]["groups"][0]["amsgrad"]
        rest[phase]["groups"][0] |= {"gone": "text", "mode": "fast", "limit": "low"}
        second[phase].param_groups[0] |= {"mode": "slow", "limit": None}
    checked_optimizers(second, tensors, rest)()
    (group,) = second["a"].param_groups
    assert group["amsgrad"] is False and (group["gone"], group["mode"], group["limit"]) == ("text", "fast", "low")


def test_what_is_put_back_is_laid_out_as_the_parameters_and_owns_its_memory():
    shapes = ((2, 3, 4, 4),)
    first, second = optimizers_of(KINDS["adam"], shapes, steps=1), optimizers_of(KINDS["adam"], shapes)
    for parameter in parameters(second["a"]):
        parameter.data = parameter.data.to(memory_format=torch.channels_last)
    tensors, rest = taken(first)
    tensors = {name: tensor.double() if name == "a/0/exp_avg" else tensor for name, tensor in tensors.items()}
    checked_optimizers(second, tensors, rest)()
    state = second["a"].state[parameters(second["a"])[0]]
    assert state["exp_avg"].is_contiguous(memory_format=torch.channels_last) and not state["exp_avg"].requires_grad
    for name, value in state.items():
        assert value.data_ptr() != tensors[f"a/0/{name}"].data_ptr()
        assert torch.equal(value, tensors[f"a/0/{name}"].to(value.dtype))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, r: r.pop("a"), "optimizers of the checkpoint: expected a, ab, got ab"),
        (lambda t, r: r["a"]["groups"][0]["params"].pop(), r"groups of \[2\], got groups of \[1\] parameters"),
        (lambda t, r: r["a"]["groups"].append(r["a"]["groups"][0]), r"groups of \[2\], got groups of \[2, 2\]"),
        (lambda t, r: t.update({"ab/1/exp_avg": torch.zeros(5)}), r"exp_avg of parameter 1 of ab .*\(4,\), got \(5,\)"),
        (lambda t, r: r["ab"]["groups"][0].update(lr="fast"), "lr of the optimizer of ab .* such as 0.1, got 'fast'"),
        (lambda t, r: r["a"]["groups"][0].update(betas=[0.5]), r"betas of .* such as \(0.5, 0.99\), got \(0.5,\)"),
        (lambda t, r: r["a"]["groups"][0].update(betas=[0.5, "x"]), r"betas of the optimizer of a in the checkpoint"),
        (lambda t, r: r["a"]["groups"][0].update(betas=0.5), r"betas of the optimizer of a in the checkpoint"),
        (lambda t, r: r["a"]["groups"][0].update(eps=[0.5]), r"eps of the optimizer of a in the checkpoint"),
    ],
)
def test_a_state_that_does_not_fit_is_named_and_changes_nothing(change, message):
    optimizers = optimizers_of(KINDS["adam"])
    tensors, rest = taken(optimizers_of(KINDS["adam"], steps=1))
    change(tensors, rest)
    with pytest.raises(ValueError, match=message):
        checked_optimizers(optimizers, tensors, rest)
    assert not any(optimizer.state for optimizer in optimizers.values())


@pytest.mark.parametrize(("name", "value"), [("lr", 1), ("weight_decay", True), ("capturable", None), ("maximize", 1)])
def test_numbers_of_other_kinds_are_numbers(name, value):
    """JSON and versions of PyTorch write 0 for 0.0 or False; and null is what an option is that was not set."""
    optimizers = optimizers_of(KINDS["adam"])
    tensors, rest = taken(optimizers)
    rest["a"]["groups"][0][name] = value
    checked_optimizers(optimizers, tensors, rest)()
    assert optimizers["a"].param_groups[0][name] == value


def test_nothing_is_put_back_by_checking_alone():
    optimizers = optimizers_of(KINDS["adam"])
    checked_optimizers(optimizers, *taken(optimizers_of(KINDS["adam"], steps=1)))
    assert not any(optimizer.state for optimizer in optimizers.values())


def pooled(shown=0, size=3):
    """A model whose pools have been shown so many images of each domain."""
    part = {"generator": ("resnet", {"blocks": 1, "width": 4}), "discriminator": ("patch", {"width": 4})}
    model = vtrans.build("gan", **part, losses={"adversarial": {"pool": size}})
    for number, pool in enumerate(model.pools.values()):
        show(pool, shown, number)
    return model


def show(pool, count, seed):
    frames = torch.rand(count, 1, 3, 4, 4, generator=torch.Generator().manual_seed(seed))
    return [pool.query(frame[None]) for frame in frames]


def draws():
    return random.random(), random.gauss(), np.random.standard_normal(3).tolist(), torch.rand(3).tolist()


@pytest.mark.parametrize("shown", [0, 1, 5])
def test_pools_and_all_random_generators_go_on_as_they_would_have(shown):
    first, second = pooled(shown), pooled(1)
    seed_everything(1)
    np.random.standard_normal()  # which leaves a second draw behind for the next call
    random.gauss()
    tensors, rest = capture_process(first)
    assert tensors["random/numpy"].dtype == torch.int64, "which every version can read"
    expected = draws()
    seed_everything(2)
    before = draws()
    seed_everything(2)
    put_back = checked_process(second, tensors, through_a_file(rest))
    assert draws() == before and len(second.pools["x"].images) == 1, "checking alone changes nothing"
    put_back()
    assert draws() == expected
    for domain in ("x", "y"):
        ours, theirs = first.pools[domain], second.pools[domain]
        for image, other in zip(ours.images, theirs.images, strict=True):
            assert torch.equal(image, other)
            assert other.data_ptr() not in {tensor.data_ptr() for tensor in tensors.values()}
        for shown, other in zip(show(ours, 9, 3), show(theirs, 9, 3), strict=True):
            assert torch.equal(shown, other)
    assert not torch.equal(first.pools["x"].images[0], first.pools["y"].images[0])


def test_images_of_a_pool_go_to_where_the_model_is():
    tensors, rest = capture_process(pooled(2))
    model = pooled().to("meta")
    checked_process(model, tensors, rest)()
    assert {image.device.type for image in model.pools["y"].images} == {"meta"}


def test_a_model_without_pools_has_its_random_state():
    model = vtrans.build("gan", generator=("resnet", {"blocks": 1, "width": 4}))
    tensors, rest = capture_process(model)
    expected = draws()
    checked_process(model, tensors, through_a_file(rest))()
    assert draws() == expected and rest["pools"] == {}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda t, r: r["pools"].pop("x"), ValueError, "pools of the checkpoint: expected x, y, got y"),
        (lambda t, r: r["pools"].clear(), ValueError, "pools of the checkpoint: expected x, y, got none"),
        (lambda t, r: t.update({"pools/y/1": torch.zeros(3, 4, 5)}), ValueError, "pool of y .* images of one size"),
        (lambda t, r: t.update({f"pools/x/{i}": torch.zeros(4, 4) for i in range(3)}), ValueError, "pool of x .*"),
        (lambda t, r: t.pop("pools/x/2"), KeyError, "pools/x/2"),
        (lambda t, r: t.update({"pools/x/random": torch.zeros(7, dtype=torch.uint8)}), RuntimeError, None),
        (lambda t, r: t.update({"random/torch": torch.zeros(7, dtype=torch.uint8)}), RuntimeError, None),
        (lambda t, r: t.update({"random/numpy": torch.zeros(7)}), IndexError, None),
        (lambda t, r: r["random"].update(python=[3, [1, 2], None]), ValueError, None),
    ],
)
def test_the_state_of_another_process_is_refused_and_changes_nothing(change, error, message):
    model = pooled(1)
    tensors, rest = capture_process(pooled(5))
    rest = through_a_file(rest)
    change(tensors, rest)
    seed_everything(3)
    expected = draws()
    seed_everything(3)
    with pytest.raises(error, match=message):
        checked_process(model, tensors, rest)
    assert draws() == expected and [len(pool.images) for pool in model.pools.values()] == [1, 1]


def test_more_images_than_a_pool_keeps_are_refused():
    tensors, rest = capture_process(pooled(4, size=4))
    with pytest.raises(ValueError, match="pool of . in the checkpoint: expected at most 3 images of one size, got 4"):
        checked_process(pooled(size=3), tensors, rest)
    checked_process(pooled(size=4), tensors, rest)()


def test_the_random_state_of_a_gpu_is_kept_where_the_model_is_on_one(monkeypatch):
    """Without a GPU: what PyTorch would be asked and told."""
    gpu = torch.device("cuda", 1)
    model = SimpleNamespace(parameters=lambda: iter([SimpleNamespace(device=gpu)]), pools={})
    states, made, real = {gpu: torch.tensor([1, 2], dtype=torch.uint8)}, [], torch.Generator

    def generator(device="cpu"):
        if device == "cpu":
            return real()
        made.append(device)
        return SimpleNamespace(set_state=lambda state: made.append(state.tolist()))

    monkeypatch.setattr(torch.cuda, "get_rng_state", states.__getitem__)
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda state, device: states.update({device: state}))
    monkeypatch.setattr(torch, "Generator", generator)
    tensors, rest = capture_process(model)
    assert tensors["random/cuda"].tolist() == [1, 2]
    states[gpu] = torch.zeros(2)
    put_back = checked_process(model, tensors, rest)
    assert made == [gpu, [1, 2]] and states[gpu].tolist() == [0, 0], "a state is tried on another generator first"
    put_back()
    assert states[gpu].tolist() == [1, 2]
    del tensors["random/cuda"]  # a checkpoint that was written on a CPU
    states[gpu] = torch.zeros(2)
    checked_process(model, tensors, rest)()
    assert states[gpu].tolist() == [0, 0]


def test_the_state_of_a_gpu_is_passed_over_on_a_cpu():
    model = pooled()
    tensors, rest = capture_process(model)
    assert "random/cuda" not in tensors
    tensors["random/cuda"] = torch.zeros(2, dtype=torch.uint8)
    checked_process(model, tensors, rest)()


@pytest.mark.parametrize("seed", [7, 2**32 + 7])
def test_a_seed_seeds_all_three(seed):
    seed_everything(seed)
    ours = random.random(), np.random.rand(), torch.rand(()).item()
    torch_alone = torch.rand((), generator=torch.Generator().manual_seed(seed)).item()
    assert ours == (random.Random(seed).random(), np.random.RandomState(7).rand(), torch_alone)
