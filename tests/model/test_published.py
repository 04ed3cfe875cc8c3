"""Every figure of the published training step, reproduced in float64."""

import json
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

import vtrans
from vtrans.interop import PUBLISHED_NAMES, to_published

REFERENCE = json.loads((Path(__file__).parents[1] / "data" / "files" / "published_step.json").read_text())
OPTIONS = REFERENCE["case"]["options"]
TERMS = {
    **{"G_A": "adversarial/y", "G_B": "adversarial/x", "D_A": "discriminator/y", "D_B": "discriminator/x"},
    **{
        f"{ours}_{theirs}": f"{term}/{domain}"
        for ours, term in (("Recyc", "recycle"), ("Pred", "recurrent"), ("Cyc", "cycle"))
        for theirs, domain in (("A", "x"), ("B", "y"))
    },
    **{"idt_A": "identity/y", "idt_B": "identity/x"},
}


def seeded_model() -> vtrans.TranslationModel:
    lambdas = {"x": OPTIONS["lambda_A"], "y": OPTIONS["lambda_B"]}
    identity = {domain: weight * OPTIONS["identity"] for domain, weight in lambdas.items()}
    model = vtrans.build(
        "recycle_cycle_gan",
        generator=("resnet_6blocks", {"width": OPTIONS["ngf"]}),
        predictor=("unet_128", {"width": OPTIONS["ngf"]}),
        discriminator=("patch", {"width": OPTIONS["ndf"]}),
        losses={"cycle": lambdas, "recycle": lambdas, "recurrent": lambdas, "identity": identity},
    ).double()
    for theirs, ours in PUBLISHED_NAMES.items():
        for key, tensor in to_published(model.networks[ours]).items():
            random = np.random.default_rng(zlib.crc32(f"{theirs}/{key}".encode()))
            values = (random.standard_normal(tuple(tensor.shape)) * 0.05).astype(np.float32)
            with torch.no_grad():
                tensor.copy_(torch.from_numpy(values))
    return model


def seeded_clip(name: str) -> torch.Tensor:
    shape = (OPTIONS["batchSize"], 3, 3, 8, 8)
    values = np.random.default_rng(zlib.crc32(name.encode())).uniform(-1, 1, shape).astype(np.float32)
    frames = torch.from_numpy(values).double().flatten(0, 1)
    resized = interpolate(frames, size=(OPTIONS["fineSize"],) * 2, mode="bilinear", align_corners=False)
    return resized.unflatten(0, shape[:2])


def test_three_steps_give_every_published_figure():
    model = seeded_model()
    x, y = seeded_clip("x"), seeded_clip("y")
    optimizers = model.optimizers(lr=OPTIONS["lr"], betas=(OPTIONS["beta1"], 0.999))
    for number, expected in enumerate(REFERENCE["case"]["steps"]):
        report = model.step(x, y, optimizers, step=number)
        assert {TERMS[name] for name in expected["errors"]} == set(report)
        for name, figure in expected["errors"].items():
            assert report[TERMS[name]].item() == pytest.approx(figure, rel=1e-9), f"step {number}, {name}"
        for theirs, figure in expected["grad_norm"].items():
            gradients = [parameter.grad for parameter in model.networks[PUBLISHED_NAMES[theirs]].parameters()]
            norm = torch.stack([gradient.norm() for gradient in gradients]).norm().item()
            assert norm == pytest.approx(figure, rel=1e-9), f"step {number}, gradient of {theirs}"
    for theirs, figure in REFERENCE["case"]["after_sum_of_first_parameter"].items():
        first = next(iter(to_published(model.networks[PUBLISHED_NAMES[theirs]]).values()))
        assert first.sum().item() == pytest.approx(figure, rel=1e-9), theirs


def test_first_step_in_float32():
    model = seeded_model().float()
    x, y = seeded_clip("x").float(), seeded_clip("y").float()
    expected = REFERENCE["case"]["steps"][0]
    report = model.step(x, y, model.optimizers())
    for name, figure in expected["errors"].items():
        assert report[TERMS[name]].item() == pytest.approx(figure, rel=1e-5), name
