"""Compiles every variant of the Triton kernels for an H200's instructions, which needs no GPU, and runs none.

The launches are the library's own, with a stand-in for the driver; what the interpreter lets pass, such as a variable
that changes its type in a loop, is refused here. Prints what each kernel needs.
"""

from unittest import mock

import torch
from triton.backends.compiler import GPUTarget
from triton.runtime import driver
from triton.runtime.jit import JITFunction

from vtrans.functional.kernels import Part, distances, instance_norm, judged, norms, weighted_sums

launch = JITFunction.run
compiled = {}


class Driver:
    def get_current_device(self):
        return 0

    def get_current_stream(self, device):
        return 0

    def get_current_target(self):
        return GPUTarget("cuda", 90, 32)


def compile_only(kernel, *args, grid, warmup, **options):
    made = launch(kernel, *args, grid=grid, warmup=True, **options)
    compiled.setdefault(kernel.__name__, []).append(made)


def phase(dtype):
    a, b = (torch.randn(2, 3, 32, 32).to(dtype).requires_grad_() for _ in range(2))
    logits = torch.randn(2, 1, 5, 5).to(dtype).requires_grad_()
    kinds = ("l1", "l2", "charbonnier", "above", "below", "minus")
    parts = [Part(kind, a, b if i % 2 else b.detach(), i) for i, kind in enumerate(kinds)]
    return parts + [judged(c, logits, r, 6) for c in ("hinge", "least_squares") for r in ("real", "fake", "generator")]


def features(dtype, shape, layout):
    return torch.randn(shape).to(dtype).contiguous(memory_format=layout).requires_grad_()


def main():
    driver.set_active(Driver())
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        weighted_sums(phase(dtype), torch.ones(7)).sum().backward()
        for shape in ((2, 8, 16, 16), (1, 40, 128, 128), (1, 7, 31, 33)):
            for layout in (torch.contiguous_format, torch.channels_last):
                for slope in (0.0, 1.0):
                    x = features(dtype, shape, layout)
                    y = instance_norm(x, slope=slope, residual=x.detach() if slope else None)
                    y.backward(torch.ones_like(y))
    for name, variants in compiled.items():
        assert all(variant.asm["cubin"] for variant in variants)
        spilled = sum(".local" in variant.asm["ptx"] for variant in variants)
        print(f"{name}: {len(variants)} launches, {spilled} that spill")


if __name__ == "__main__":
    everywhere = {"runs_triton": lambda *tensors: True}
    with mock.patch.multiple(distances, **everywhere), mock.patch.multiple(norms, **everywhere):
        with mock.patch.object(JITFunction, "run", compile_only):
            main()
