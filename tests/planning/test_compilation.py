"""Functions compiled whole, without a model: what is told of failures, and how weights and states are laid out."""

import copy
import pickle
import sys
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from vtrans.planning.compilation import Programs, compile_whole, lay_out_channels_last, lay_out_state


@pytest.fixture(autouse=True)
def fresh_compiler():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


class Backend:
    """Runs the graph as it is; counts the compilations, and keeps what they are called."""

    def __init__(self):
        self.count = 0

    def __call__(self, graph, inputs):
        self.count += 1
        return graph.forward


def test_programs_are_kept_by_key_and_backend():
    one, other, programs = Backend(), Backend(), Programs()
    double, negate = (lambda x: x + x), (lambda x: -x)
    ones = torch.ones(2)
    assert programs.get("a", double, name="d", backend=one)(ones).tolist() == [2, 2]
    assert programs.get("a", negate, name="d", backend=one)(ones).tolist() == [2, 2], "what was compiled for the key"
    assert programs.get("b", negate, name="d", backend=one)(ones).tolist() == [-1, -1]
    assert programs.get("a", negate, name="d", backend=other)(ones).tolist() == [-1, -1]
    assert (one.count, other.count, len(programs)) == (2, 1, 3)
    for copied in (copy.deepcopy(programs), pickle.loads(pickle.dumps(programs))):
        assert len(copied) == 0
        assert copied.get("a", negate, name="d", backend=one)(ones).tolist() == [-1, -1]
    assert len(programs) == 3


@torch._dynamo.config.patch(recompile_limit=1)
def test_beyond_the_limit_it_runs_uncompiled():
    backend, seen = Backend(), []

    def double(x):
        seen.append(1) if not torch.compiler.is_compiling() else None
        return x + x

    compiled = compile_whole(double, name="double", backend=backend)
    assert compiled(torch.ones(2)).tolist() == [2, 2]
    with pytest.warns(
        UserWarning, match="^double was compiled for many situations already: it runs uncompiled.$"
    ) as warned:
        assert compiled(torch.ones(2, dtype=torch.int32)).tolist() == [2, 2]
    assert warned[0].filename == __file__, "told of the place that called it"
    assert compiled(torch.ones(2, dtype=torch.int64)).tolist() == [2, 2], "said once"
    assert backend.count == 1 and len(seen) == 2


@torch._dynamo.config.patch(recompile_limit=1)
def test_each_program_has_a_limit_of_its_own():
    backend = Backend()

    def double(x):
        return x + x

    for dtype in (torch.float32, torch.float64, torch.int32):
        assert compile_whole(double, name="double", backend=backend)(torch.ones(2, dtype=dtype)).tolist() == [2, 2]
    assert backend.count == 3


def test_sizes_differ_between_programs_without_being_left_open():
    """PyTorch would take functions of one name for one function, whose sizes differ from call to call."""
    sizes = []

    def backend(graph, inputs):
        sizes.extend(given.shape[0] if isinstance(given, torch.Tensor) else given for given in inputs)
        return graph.forward

    def double(x):
        return x + x

    for size in (4, 5, 6):
        compile_whole(double, name="double", backend=backend)(torch.ones(size))
    assert sizes == [4, 5, 6] and all(type(size) is int for size in sizes)


def test_the_function_keeps_its_defaults_and_what_it_closes_over():
    scale = torch.tensor(3.0)

    def scaled(x, by=2.0):
        return scale * by * x

    assert compile_whole(scaled, name="scaled", backend="eager")(torch.ones(1)).item() == 6.0
    module = nn.Linear(1, 1)
    compiled = compile_whole(module, name="module", backend="eager")
    assert torch.equal(compiled(torch.ones(1, 1)), module(torch.ones(1, 1))), "what is no function is compiled too"


def chooses(x):
    return x if x.sum().item() > 0 else -x


def refuses(x):
    if x.sum().item() > 0:
        raise ValueError("no such thing")
    return x


def test_what_cannot_be_compiled_is_named():
    with pytest.raises(RuntimeError) as told:
        compile_whole(chooses, name="generators", backend="eager")(torch.ones(2))
    message = str(told.value)
    assert message.startswith("generators cannot be compiled in one piece: ") and "\n" not in message
    assert message.endswith("Train without compilation, or write that part with tensors alone.")


def test_an_error_of_its_own_is_told_instead():
    with pytest.raises(ValueError, match="^no such thing$"):
        compile_whole(refuses, name="generators", backend="eager")(torch.ones(2))


def test_a_compiler_that_fails_is_told_as_it_is():
    def backend(graph, inputs):
        raise OSError(f"there is\n   no g++ {'!' * 1000}")

    with pytest.raises(RuntimeError) as told:
        compile_whole(lambda x: x + x, name="generators", backend=backend)(torch.ones(2))
    message = str(told.value)
    assert message.startswith("generators: the compiler failed. ") and "there is no g++ !" in message
    assert message.endswith("! Train without compilation.") and len(message) < 600


def test_inductor_draws_as_without_and_gcc_keeps_variables_apart(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    flag = SimpleNamespace(cpp=SimpleNamespace(enable_floating_point_contract_flag="off of old"))
    monkeypatch.setattr(torch, "_inductor", SimpleNamespace(config=flag), raising=False)
    monkeypatch.setitem(sys.modules, "torch._inductor", torch._inductor)
    given = {}
    monkeypatch.setattr(torch, "compile", lambda function, **options: given.update(options) or function)
    drawn, flags = {"fallback_random": True}, {"cpp.enable_floating_point_contract_flag": "off -fstack-reuse=none"}
    for platform, gcc, options in (("linux", True, drawn | flags), ("linux", False, drawn), ("darwin", True, drawn)):
        monkeypatch.setattr(sys, "platform", platform)
        builder = SimpleNamespace(is_gcc=lambda gcc=gcc: gcc)
        monkeypatch.setattr(torch._inductor, "cpp_builder", builder, raising=False)
        compile_whole(chooses, name="a", backend="inductor")
        assert given["options"] == options and given["backend"] == "inductor" and given["fullgraph"] is True
    compile_whole(chooses, name="a")
    assert given["backend"] == "inductor", "which is what is used unless another is named"
    compile_whole(chooses, name="a", backend="eager")
    assert given["options"] is None

    def no_compiler():
        raise OSError("none found")

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(torch._inductor.cpp_builder, "is_gcc", no_compiler)
    compile_whole(chooses, name="a")
    assert given["options"] == drawn, "to be told by Inductor, where it needs one"
    monkeypatch.setattr(torch._inductor.cpp_builder, "is_gcc", lambda: True)
    monkeypatch.setattr(flag.cpp, "enable_floating_point_contract_flag", True)
    compile_whole(chooses, name="a")
    assert given["options"] == drawn, "a version whose setting is no flag"


def trained(module):
    module(torch.ones(1, 3, 5, 5)).sum().backward()
    return module


def test_weights_and_gradients_are_laid_out_channels_last_and_keep_their_numbers():
    module = nn.Sequential(trained(nn.Conv2d(3, 4, 3)), nn.Conv2d(4, 2, 3), nn.Linear(2, 2))
    before = {name: value.clone() for name, value in module.state_dict().items()}
    gradient = module[0].weight.grad.clone()
    lay_out_channels_last(module)
    for convolution in module[:2]:
        assert convolution.weight.is_contiguous(memory_format=torch.channels_last)
        assert not convolution.weight.is_contiguous()
    assert module[0].weight.grad.is_contiguous(memory_format=torch.channels_last) and module[1].weight.grad is None
    assert torch.equal(module[0].weight.grad, gradient)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_an_optimizer_s_state_is_laid_out_as_its_parameters_are():
    module = trained(nn.Conv2d(3, 4, 3))
    optimizer = torch.optim.Adam(module.parameters(), lr=0.1)
    optimizer.step()
    lay_out_channels_last(module)
    states = optimizer.state
    before = {name: value.clone() for name, value in states[module.weight].items()}
    bias = states[module.bias]["exp_avg"]
    lay_out_state(optimizer)
    for name in ("exp_avg", "exp_avg_sq"):
        moved = states[module.weight][name]
        assert moved.stride() == module.weight.stride() and torch.equal(moved, before[name])
        assert not moved.requires_grad
    assert torch.equal(states[module.weight]["step"], before["step"]) and states[module.weight]["step"].ndim == 0
    assert states[module.bias]["exp_avg"] is bias, "what lies right stays"
    kept = states[module.weight]["exp_avg"]
    lay_out_state(optimizer, (), {})
    assert states[module.weight]["exp_avg"] is kept
