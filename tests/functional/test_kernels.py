"""The references of the kernels, the switch, fused layers; and the kernels themselves, in Triton's interpreter."""

import copy
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from helpers.models import build, clips

import vtrans
from vtrans.functional import kernels
from vtrans.functional.kernels import Part, instance_norm, judged, weighted_sums
from vtrans.networks.fusion import fuse
from vtrans.networks.norms import InstanceNorm2d

HELPERS = Path(__file__).resolve().parents[1] / "helpers"
ROOT = HELPERS.parents[1]
needs_triton = pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed")


@pytest.fixture
def triton_chosen():
    kernels.enable("triton")
    yield
    kernels.enable("eager")


def run(*command, **environment):
    """What a fresh interpreter prints."""
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", **environment},
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


CASES = ["-m", "pytest", "-q", "-p", "no:cacheprovider", HELPERS / "kernel_cases.py"]


def passed(said):
    return int(re.search(r"(\d+) passed", said)[1])


@needs_triton
@pytest.mark.parametrize(
    ("marked", "least"), [("not slow", 50), pytest.param("slow", 90, marks=pytest.mark.slow)], ids=["quick", "slow"]
)
def test_kernels_in_the_interpreter(tmp_path, marked, least):
    said = run(*CASES, "-m", marked, f"--basetemp={tmp_path / 'cases'}", TRITON_INTERPRET="1")
    assert passed(said) >= least


@needs_triton
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_kernels_on_a_gpu(tmp_path):
    said = run(*CASES, f"--basetemp={tmp_path / 'cases'}", TRITON_INTERPRET="0")
    assert passed(said) > 140


@needs_triton
@pytest.mark.slow
def test_kernels_compile_for_a_gpu_without_one(tmp_path):
    said = run("-W", "ignore", HELPERS / "compiled_kernels.py", TRITON_CACHE_DIR=str(tmp_path), TRITON_INTERPRET="0")
    lines = dict(line.split(": ") for line in said.splitlines())
    assert set(lines) == {"_walk", "_add_up", "_rescale", "_moments", "_normalise", "_projections", "_gradient"}
    assert all(line.endswith(" 0 that spill") for line in lines.values()), said


@needs_triton
def test_kernels_are_off_unless_chosen_and_their_code_is_imported_only_to_run():
    """What imports Triton, that is; torch may import it by itself."""
    code = [
        "import sys, torch, vtrans",
        "from vtrans.functional import kernels",
        "print(kernels.enabled())",
        "kernels.enable('triton')",
        "kernels.instance_norm(torch.zeros(1, 1, 2, 2))",
        "print([name for name in sys.modules if name.startswith('vtrans') and name.endswith('_triton')])",
    ]
    assert run("-c", "\n".join(code)).split() == ["eager", "[]"]


@needs_triton
def test_chosen_kernels_leave_what_they_cannot_do_to_the_reference(triton_chosen):
    """Here a CPU; no error, and the same numbers."""
    x = torch.randn(2, 3, 4, 4)
    assert kernels.enabled() == "triton"
    torch.testing.assert_close(instance_norm(x), torch.nn.functional.instance_norm(x), rtol=0, atol=0)
    assert weighted_sums([Part("l1", x, 0.0)], torch.tensor([2.0])).item() == pytest.approx(2 * x.abs().mean().item())


@needs_triton
@pytest.mark.parametrize("backend", ["eager", "triton"])
def test_both_are_traced_without_a_break(backend):
    kernels.enable(backend)
    try:
        x, y = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4)

        def step(a, b, weights):
            normed = instance_norm(a, slope=0.2, residual=b)
            return weighted_sums([Part("l1", normed, b), judged("hinge", normed, "fake", 1)], weights)

        weights = torch.tensor([10.0, 1.0])
        torch.compiler.reset()
        traced = torch.compile(step, backend="eager", fullgraph=True)
        torch.testing.assert_close(traced(x, y, weights), step(x, y, weights))
    finally:
        kernels.enable("eager")


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: kernels.enable("cuda"), "backend: expected 'eager' or 'triton', got 'cuda'."),
        (lambda: Part("l3", torch.zeros(1), 0.0), "kind: expected l1, l2, charbonnier, above, below, minus, got 'l3'."),
        (
            lambda: Part("l1", torch.zeros(2, 3), torch.zeros(3)),
            "a and b: expected tensors of one shape, got (2, 3) and (3,).",
        ),
        (lambda: Part("l1", torch.zeros(1), 0.0, term=-1), "term: expected an index from 0 up, got -1."),
        (lambda: weighted_sums([], torch.ones(2)), "parts: expected some, of 2 terms, got parts of terms []."),
        (
            lambda: weighted_sums([Part("l1", torch.zeros(1), 0.0, term=2)], torch.ones(2)),
            "parts: expected some, of 2 terms, got parts of terms [2].",
        ),
        (
            lambda: judged("wasserstein", torch.zeros(1), "real"),
            "criterion: expected 'least_squares' or 'hinge', got 'wasserstein'.",
        ),
        (
            lambda: instance_norm(torch.zeros(1, 2, 3, 3), residual=torch.zeros(1, 1, 3, 3)),
            "residual: expected a tensor of shape (1, 2, 3, 3), got (1, 1, 3, 3).",
        ),
    ],
)
def test_refusals(call, error):
    with pytest.raises(ValueError, match=f"^{re.escape(error)}$"):
        call()


def test_a_missing_triton_is_refused(monkeypatch):
    monkeypatch.setattr("vtrans.functional.kernels.switch.find_spec", lambda name: None)
    with pytest.raises(ValueError, match="^backend: expected 'eager' where Triton is not installed, got 'triton'.$"):
        kernels.enable("triton")
    assert kernels.enabled() == "eager"


@pytest.mark.parametrize("name", ["l1", "l2", "charbonnier"])
def test_parts_equal_the_registered_distances(name):
    a, b = torch.randn(2, 4, 3, 5, 5, dtype=torch.float64).unbind()
    assert torch.equal(Part(name, a, b).value(), vtrans.distances.create(name)(a, b))


@pytest.mark.parametrize("name", ["least_squares", "hinge"])
@pytest.mark.parametrize("role", ["real", "fake", "generator"])
def test_parts_equal_the_registered_criteria(name, role):
    logits = torch.randn(4, 1, 5, 5, dtype=torch.float64)
    assert torch.equal(judged(name, logits, role).value(), vtrans.criteria.create(name)(logits, role))


def test_terms_are_weighted_sums_of_their_parts():
    a, b = torch.randn(2, 6, dtype=torch.float64).unbind()
    weights = torch.tensor([2.0, 5.0, 7.0], dtype=torch.float64)
    found = weighted_sums([Part("l1", a, b, 2, 3.0), Part("l2", a, 1.0), Part("l2", b, 1.0, 2)], weights)
    expected = [
        2 * (a - 1).square().mean(),
        torch.zeros((), dtype=torch.float64),
        7 * (3 * (a - b).abs().mean() + (b - 1).square().mean()),
    ]
    torch.testing.assert_close(found, torch.stack(expected))


def test_sixteen_bits_are_summed_with_32():
    frames = torch.full((70_000,), 0.1, dtype=torch.bfloat16)
    found = weighted_sums([Part("l1", frames, 0.0)], torch.ones(1))
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(frames[0].item(), rel=1e-6)


def exact_norm(x):
    return (x - x.mean((2, 3), keepdim=True)) / (x.var((2, 3), keepdim=True, correction=0) + 1e-5).sqrt()


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("given", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("above", [torch.contiguous_format, torch.channels_last])
def test_instance_norm_in_any_memory_order(batch, given, above):
    """Of a single sample too, whose gradient torch gets wrong on a CPU where that from above is channels-last."""
    x = torch.randn(batch, 3, 8, 6, dtype=torch.float64).contiguous(memory_format=given).requires_grad_()
    factors = torch.randn(batch, 3, 8, 6, dtype=torch.float64).contiguous(memory_format=above)
    norm = InstanceNorm2d(3)
    torch.testing.assert_close(norm(x), exact_norm(x))
    found, expected = (torch.autograd.grad(function(x), x, factors)[0] for function in (norm, exact_norm))
    torch.testing.assert_close(found, expected)


def test_instance_norm_equals_that_of_torch_bit_for_bit():
    x, factors = torch.randn(2, 2, 3, 9, 7).unbind()
    x.requires_grad_()
    ours, theirs = InstanceNorm2d(3), torch.nn.InstanceNorm2d(3)
    assert torch.equal(ours(x), theirs(x))
    assert torch.equal(*(torch.autograd.grad(norm(x), x, factors)[0] for norm in (ours, theirs)))


def test_a_map_of_one_element_is_refused():
    with pytest.raises(ValueError, match="Expected more than 1 spatial element"):
        instance_norm(torch.zeros(1, 3, 1, 1))


NETWORKS = {
    "resnet": (vtrans.generators, {"in_channels": 3, "out_channels": 3, "blocks": 2, "width": 4}, 9),
    "resnet with dropout": (
        vtrans.generators,
        {"in_channels": 3, "out_channels": 3, "blocks": 1, "width": 4, "dropout": 0.5},
        7,
    ),
    "patch": (vtrans.discriminators, {"channels": 3, "width": 4}, 3),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_fused_networks_compute_the_same(name):
    registry, options, count = NETWORKS[name]
    network = registry.create(name.split()[0], **options)
    fused = copy.deepcopy(network)
    assert fuse(fused) == count
    assert fuse(fused) == 0
    assert list(fused.state_dict()) == list(network.state_dict())
    assert [n for n, _ in fused.named_parameters()] == [n for n, _ in network.named_parameters()]
    x = torch.randn(2, 3, 32, 32)
    results = []
    for module in (network, fused):
        torch.manual_seed(1)
        made = module(x)
        results.append([made, *torch.autograd.grad(made.square().sum(), list(module.parameters()))])
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(*results, strict=True))


def test_layers_with_hooks_are_not_fused():
    network = vtrans.discriminators.create("patch", channels=3, width=4)
    network.body[2].register_forward_hook(lambda *args: None)
    assert fuse(network) == 2
    assert isinstance(network.body[2], torch.nn.LeakyReLU)


@pytest.mark.parametrize("norm", ["batch", "group", "none"])
def test_other_norms_are_not_fused(norm):
    network = vtrans.generators.create("resnet", in_channels=3, out_channels=3, blocks=1, width=4, norm=norm)
    assert fuse(network) == 0


@needs_triton
@pytest.mark.parametrize("criterion", ["least_squares", "hinge", "vanilla"])
@pytest.mark.parametrize("distance", ["l1", "l2", "charbonnier"])
def test_an_objective_is_the_same_with_kernels_chosen(triton_chosen, criterion, distance):
    """On a CPU in float64 their references run: the parts are those of the terms."""
    losses = {
        "adversarial": {"criterion": criterion},
        "recurrent": {"distance": distance},
        "recycle": {"distance": distance},
        "cycle": {"distance": lambda a, b: (a - b).abs().mean()},
    }
    model = build("recycle_cycle_gan", losses=losses).double()
    x, y = clips(3)
    found = {**model.generator_loss(x, y), **model.discriminator_loss(x, y)}
    kernels.enable("eager")
    expected = {**model.generator_loss(x, y), **model.discriminator_loss(x, y)}
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)
