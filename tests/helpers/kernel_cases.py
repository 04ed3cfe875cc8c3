"""The Triton kernels against plain float64 formulas: in Triton's interpreter on a CPU, or on a GPU.

Run by `test_kernels.py`, or by hand on a GPU with `pytest tests/helpers/kernel_cases.py`.
"""

import os

import pytest
import torch

import vtrans
from vtrans.functional import kernels
from vtrans.functional.kernels import Part, distances, judged, norms, weighted_sums
from vtrans.losses import parts

DEVICE = "cpu" if os.environ.get("TRITON_INTERPRET") == "1" else "cuda"
LAST = torch.channels_last
# The greatest error, relative to the greatest value. The interpreter cuts off what bfloat16 cannot hold.
TOLERANCE = {torch.float32: 2e-6, torch.bfloat16: 2**-7 if DEVICE == "cpu" else 2**-8, torch.float16: 2**-11}
DTYPES = list(TOLERANCE)


@pytest.fixture(autouse=True)
def enabled(monkeypatch):
    """Kernels run, and a case fails if the reference runs instead."""
    kernels.enable("triton")
    monkeypatch.setattr(distances, "_reference", refuse)
    monkeypatch.setattr(norms, "_reference", refuse)
    yield
    kernels.enable("eager")


def refuse(*args):
    raise AssertionError("the reference ran")


def random(*shape, dtype=torch.float32, layout="contiguous"):
    values = torch.randn(shape, device=DEVICE).to(dtype)
    if layout == "channels_last":
        values = values.contiguous(memory_format=LAST)
    elif layout == "transposed":
        values = values.transpose(-1, -2).contiguous().transpose(-1, -2)
    elif layout == "every_second":
        values = values.repeat_interleave(2, -1)[..., ::2]
    elif layout == "offset":
        values = torch.cat([values[:1], values])[1:]
    return values.requires_grad_()


def close(found, expected, dtype=torch.float32):
    assert found.isfinite().all()
    error = (found.double() - expected).abs().max() / expected.abs().max().clamp(min=1e-30)
    assert error <= TOLERANCE[dtype], error


def double(tensor):
    return tensor.detach().double().clone().requires_grad_()


FORMULAS = {
    "l1": lambda d, e: d.abs(),
    "l2": lambda d, e: d**2,
    "charbonnier": lambda d, e: (d**2 + e**2) ** 0.5 - e,
    "above": lambda d, e: d.clamp(min=0),
    "below": lambda d, e: (-d).clamp(min=0),
    "minus": lambda d, e: -d,
}


def expected_terms(parts, frames, weights):
    """By the formulas, of other frames in the order of the parts."""
    waiting, terms = iter(frames), [torch.zeros((), dtype=torch.float64, device=DEVICE) for _ in weights]
    for part in parts:
        a, b = next(waiting), next(waiting) if isinstance(part.b, torch.Tensor) else part.b
        terms[part.term] = terms[part.term] + part.count * FORMULAS[part.kind](a - b, part.epsilon).mean()
    return torch.stack(terms) * weights.double()


def compare(parts, weights, factors=None, dtype=torch.float32):
    given = [frame for part in parts for frame in part.frames]
    exact = {frame: double(frame) for frame in given}
    found, expected = weighted_sums(parts, weights), expected_terms(parts, [exact[frame] for frame in given], weights)
    close(found, expected)
    factors = torch.ones_like(found) if factors is None else factors
    wanted = [frame for frame in exact if frame.requires_grad]
    gradients = torch.autograd.grad(found, wanted, factors, retain_graph=True)
    references = torch.autograd.grad(expected, [exact[frame] for frame in wanted], factors.double())
    for frame, gradient, reference in zip(wanted, gradients, references, strict=True):
        assert gradient.shape == frame.shape and gradient.dtype == frame.dtype
        close(gradient, reference, dtype)
    return found, wanted, gradients


@pytest.mark.parametrize("kind", FORMULAS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_kind_in_every_type(kind, dtype):
    a, b = random(2, 3, 7, 9, dtype=dtype), (random(2, 3, 7, 9, dtype=dtype) - 1).detach().requires_grad_()
    compare([Part(kind, a, b, count=2.0, epsilon=0.1)], torch.tensor([3.0], device=DEVICE), dtype=dtype)


@pytest.mark.parametrize("criterion", ["least_squares", "hinge"])
@pytest.mark.parametrize("role", ["real", "fake", "generator"])
def test_criteria_of_logits(criterion, role):
    compare([judged(criterion, random(3, 1, 5, 5), role, count=0.5)], torch.tensor([1.0], device=DEVICE))


@pytest.mark.parametrize("count", [1, 2047, 2048, 2049, 70_001])
def test_odd_sizes(count):
    compare([Part("l1", random(count), random(count))], torch.tensor([1.0], device=DEVICE))


def test_more_blocks_than_programs(monkeypatch):
    from vtrans.functional.kernels import distances_triton

    monkeypatch.setattr(distances_triton, "_PROGRAMS", 3)
    compare([Part("l2", random(40_000), 0.5)], torch.tensor([1.0], device=DEVICE))


LAYOUTS = ["contiguous", "channels_last", "transposed", "every_second", "offset"]


@pytest.mark.slow
@pytest.mark.parametrize("first", LAYOUTS)
@pytest.mark.parametrize("second", LAYOUTS)
def test_memory_orders_of_frames(first, second):
    a, b = random(2, 3, 6, 4, layout=first), random(2, 3, 6, 4, layout=second)
    compare([Part("charbonnier", a, b)], torch.tensor([2.0], device=DEVICE))


def phase():
    """Parts of four terms, some with several parts, without gradient for targets, of several sizes and types."""
    x, y, z = random(2, 3, 16, 16), random(4, 3, 16, 16), random(4, 1, 3, 3)
    fake = random(2, 3, 16, 16)
    parts = [
        Part("l1", fake, x.detach(), 0, 2.0),
        Part("charbonnier", y, random(4, 3, 16, 16), 2, 3.0, 0.01),
        judged("least_squares", z, "generator", 3, 4.0),
        judged("hinge", z, "fake", 3, 0.5),
        Part("l2", fake, random(2, 3, 16, 16).detach(), 0),
    ]
    return parts, torch.tensor([10.0, 5.0, 0.5, 1.0], device=DEVICE)


@pytest.mark.parametrize("factors", [None, [1.0, 1.0, 1.0, 2.0], [0.0, 1.0, -3.0, 1.0]])
def test_a_whole_phase_with_gradients_that_come_from_above(factors):
    parts, weights = phase()
    found, wanted, _ = compare(parts, weights, None if factors is None else torch.tensor(factors, device=DEVICE))
    assert found[1] == 0
    assert len(wanted) == 4


def test_gradients_can_be_taken_again():
    """The second time they come from the frames, and what was given out before stays as it was."""
    parts, weights = phase()
    found, wanted, first = compare(parts, weights)
    kept = [gradient.clone() for gradient in first]
    again = torch.autograd.grad(found, wanted, torch.full_like(found, 2.0))
    for before, gradient, after in zip(kept, first, again, strict=True):
        assert torch.equal(before, gradient)
        torch.testing.assert_close(after, 2 * before, rtol=1e-6, atol=0)


def test_frames_of_two_types():
    """Each gradient has the type of its frame."""
    a, b = random(2, 3, 8, 8, dtype=torch.bfloat16), random(2, 3, 8, 8)
    compare([Part("l2", a, b)], torch.tensor([3.0], device=DEVICE), dtype=torch.bfloat16)


def test_an_expanded_frame():
    row = random(1, 3, 1, 8)
    a, b = row.expand(2, 3, 4, 8), random(2, 3, 4, 8).detach()
    (found,) = torch.autograd.grad(weighted_sums([Part("l2", a, b)], torch.ones(1, device=DEVICE)).sum(), row)
    exact = double(row)
    close(found, torch.autograd.grad(((exact - b.double()) ** 2).mean(), exact)[0])


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
@pytest.mark.parametrize("kind", FORMULAS)
def test_nan_and_infinity_pass_through(kind):
    a = torch.tensor([float("nan"), 1.0, float("inf"), float("-inf")], device=DEVICE).requires_grad_()
    for which in range(4):
        part = Part(kind, a[which : which + 1], 0.25)
        found = weighted_sums([part], torch.ones(1, device=DEVICE))
        torch.testing.assert_close(found[0], part.value(), equal_nan=True)
        expected = torch.autograd.grad(part.value(), a)[0]
        torch.testing.assert_close(torch.autograd.grad(found.sum(), a)[0], expected, equal_nan=True)


def test_nothing_to_compare_is_nan_as_a_mean_of_nothing_is():
    empty, some = random(0, 3, 4, 4), random(1, 3, 4, 4)
    found = weighted_sums([Part("l1", empty, empty), Part("l2", some, 0.0, 1)], torch.ones(2, device=DEVICE))
    assert found[0].isnan() and found[1].isfinite()
    assert torch.autograd.grad(found.sum(), empty)[0].shape == empty.shape


def test_without_gradients():
    with torch.no_grad():
        found = weighted_sums([Part("l1", random(5), 1.0)], torch.ones(1, device=DEVICE))
    assert not found.requires_grad


def test_sums_are_the_same_every_time():
    parts, weights = phase()
    assert torch.equal(weighted_sums(parts, weights), weighted_sums(parts, weights))


def test_frames_changed_before_the_backward_pass_are_noticed():
    a = random(8)
    b = a * 1
    found = weighted_sums([Part("l2", b, 0.0)], torch.ones(1, device=DEVICE))
    b.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        found.sum().backward()


@pytest.mark.skipif(DEVICE == "cpu", reason="takes the interpreter too long")
def test_counts_beyond_32_bits():
    count = 2**31 + 12_345
    frames = torch.zeros(count, dtype=torch.float16, device=DEVICE)
    frames[-5:] = 1024.0
    found = weighted_sums([Part("l2", frames, 0.0, count=float(count))], torch.ones(1, device=DEVICE))
    assert found.item() == 5 * 1024.0**2


def exact_norm(x, slope, residual, epsilon=1e-5):
    space = tuple(range(2, x.dim()))
    v = (x - x.mean(space, keepdim=True)) / (x.var(space, keepdim=True, correction=0) + epsilon) ** 0.5
    v = torch.where(v > 0, v, slope * v)
    return v if residual is None else v + residual


def compare_norm(x, slope, residual=None, above="contiguous"):
    found = kernels.instance_norm(x, slope=slope, residual=residual)
    exact, exact_residual = double(x), None if residual is None else double(residual)
    expected = exact_norm(exact, slope, exact_residual)
    assert found.shape == x.shape and found.dtype == x.dtype
    close(found, expected, x.dtype)
    factors = random(*x.shape, dtype=x.dtype, layout=above).detach()
    inputs, exact_inputs = ([x], [exact]) if residual is None else ([x, residual], [exact, exact_residual])
    gradients = torch.autograd.grad(found, inputs, factors)
    references = torch.autograd.grad(expected, exact_inputs, factors.double())
    for frame, gradient, reference in zip(inputs, gradients, references, strict=True):
        assert gradient.shape == frame.shape and gradient.dtype == frame.dtype
        close(gradient, reference, x.dtype)


# Maps in one program's registers, maps cut in pieces, of odd sizes, with more channels than a tile has.
SHAPES = [(2, 3, 7, 9), (1, 2, 1, 3), (1, 2, 91, 101), (1, 37, 5, 6)]


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("layout", ["contiguous", "channels_last"])
@pytest.mark.parametrize("slope", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("with_residual", [False, True])
def test_norm_activation_and_residual(shape, layout, slope, with_residual):
    residual = random(*shape, layout="every_second") if with_residual else None
    compare_norm(random(*shape, layout=layout), slope, residual, above="channels_last")


@pytest.mark.parametrize("layout", ["contiguous", "channels_last"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES[::2], ids=str)
def test_norm_in_every_type(dtype, shape, layout):
    compare_norm(random(*shape, dtype=dtype, layout=layout), 0.0, random(*shape, dtype=dtype))


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("above", LAYOUTS)
def test_norm_in_other_memory_orders(layout, above):
    compare_norm(random(2, 3, 6, 4, layout=layout), 0.2, above=above)


@pytest.mark.parametrize("programs", [1, 4])
@pytest.mark.parametrize("layout", ["contiguous", "channels_last"])
def test_pieces_of_several_tiles(programs, layout, monkeypatch):
    from vtrans.functional.kernels import norms_triton

    monkeypatch.setattr(norms_triton, "_PROGRAMS", programs)
    x = (
        random(1, 2, 91, 101).detach() * torch.linspace(0.1, 2, 101, device=DEVICE)
        + torch.arange(91, device=DEVICE)[:, None]
    )
    x = x.contiguous(memory_format=LAST) if layout == "channels_last" else x
    compare_norm(x.requires_grad_(), 0.2)


def test_norm_of_maps_with_more_dimensions():
    compare_norm(random(2, 3, 4, 5, 6), 0.0)


def test_norm_of_maps_far_from_zero():
    """Variances come from differences from the mean, also where pieces are put together."""
    for shape in SHAPES[::2]:
        x = (random(*shape) + 1000).detach().requires_grad_()
        found = kernels.instance_norm(x)
        # A rounding of the mean in float32, 6e-5 at 1000, is what may be lost.
        assert (found.double() - exact_norm(x.double(), 1.0, None)).abs().max() < 2e-4


def test_nan_in_a_map_stays_in_it():
    x = random(1, 2, 5, 5).detach()
    x[0, 0, 1, 1] = float("nan")
    for slope in (0.0, 1.0):
        found = kernels.instance_norm(x, slope=slope)
        assert found[0, 0].isnan().all() and found[0, 1].isfinite().all()


def test_norm_differentiated_twice(monkeypatch):
    """As a gradient penalty does: the reference takes over in the backward pass."""
    monkeypatch.undo()
    x = random(2, 3, 5, 7)
    exact = double(x)
    (gradient,) = torch.autograd.grad(kernels.instance_norm(x, slope=0.2).pow(3).sum(), x, create_graph=True)
    (reference,) = torch.autograd.grad(exact_norm(exact, 0.2, None).pow(3).sum(), exact, create_graph=True)
    seconds = torch.autograd.grad(gradient.square().sum(), x)[0]
    close(seconds / 30, torch.autograd.grad(reference.square().sum(), exact)[0] / 30, torch.float16)


def test_sums_differentiated_twice(monkeypatch):
    monkeypatch.undo()
    a, b, weights = random(2, 3, 4), random(2, 3, 4), torch.tensor([2.0], device=DEVICE)
    inputs, exact = [a, b], [double(a), double(b)]
    parts = [Part("charbonnier", a, b, epsilon=0.5), Part("l2", a, 1.0)]
    gradients = torch.autograd.grad(weighted_sums(parts, weights).pow(2).sum(), inputs, create_graph=True)
    expected = expected_terms(parts, [*exact, exact[0]], weights).pow(2).sum()
    references = torch.autograd.grad(expected, exact, create_graph=True)
    found = torch.autograd.grad(sum(g.pow(2).sum() for g in gradients), inputs)
    wanted = torch.autograd.grad(sum(g.pow(2).sum() for g in references), exact)
    for ours, theirs in zip(found, wanted, strict=True):
        close(ours, theirs)


def test_the_terms_of_a_phase_in_one_launch(monkeypatch):
    model = vtrans.build(
        "recycle_cycle_gan",
        generator=("resnet", {"blocks": 1, "width": 2}),
        predictor=("unet", {"depth": 2, "width": 2}),
        discriminator=("n_layers", {"layers": 1, "width": 2}),
        losses={
            "cycle": {"distance": "charbonnier"},
            **{name: {"distance": "l2"} for name in ("recurrent", "recycle", "identity")},  # l1 feels rounding
        },
    ).to(DEVICE)
    x, y = (torch.rand(2, 1, 3, 3, 8, 8, device=DEVICE) * 2 - 1).unbind()
    launched = []
    monkeypatch.setattr(parts, "weighted_sums", lambda *given: launched.append(len(given[0])) or weighted_sums(*given))
    found = results(model, x, y)
    assert launched == [12, 8]  # parts of the generators' terms, and of the discriminators'
    monkeypatch.undo()
    kernels.enable("eager")
    for name, value in results(model, x, y).items():
        if not name.endswith("bias"):  # before an instance norm they have no gradient but rounding
            error = float((found[name] - value).norm() / value.norm())
            assert error < 1e-3, f"{name}: {error}"


def results(model, x, y):
    """The terms of all phases, and the gradients."""
    model.zero_grad(set_to_none=True)
    prepared, reports, found = model.prepare(x, y), {}, {}
    for phase in model.phases:
        report = reports[phase.name] = model.phase_loss(phase.name, prepared, before=reports)
        report.total.backward()
        found |= {name: value.detach() for name, value in report.items()}
    return found | {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
