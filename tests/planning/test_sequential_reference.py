"""The planned step against the published step written plainly, one call a frame."""

import copy
import importlib.util
import sys
from pathlib import Path

import pytest
import torch
from helpers.models import build, clips, randomize


def load_reference():
    path = Path(__file__).parents[2] / "benchmarks" / "sequential.py"
    spec = importlib.util.spec_from_file_location("published_step_written_plainly", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


sequential = load_reference()

CASES = {
    "cycle and identity": {},
    "without cycle and identity": {"cycle": False, "identity": 0.0},
    "cycle alone": {"identity": 0.0},
    "identity alone": {"cycle": False},
    "adversarial predictions": {"adversarial_prediction": True},
    "unequal weights": {"lambda_x": 7.0, "lambda_y": 3.0, "identity": 0.2},
    "longer context": {"context": 3},
}


def published_model(settings):
    lambdas = {"x": settings.lambda_x, "y": settings.lambda_y}
    losses = {"recurrent": lambdas, "recycle": lambdas}
    losses["cycle"] = lambdas if settings.cycle else None
    identity = {domain: weight * settings.identity for domain, weight in lambdas.items()}
    losses["identity"] = identity if settings.identity > 0 else None
    if settings.adversarial_prediction:
        losses["adversarial_prediction"] = 1.0
    predictor = ("unet", {"depth": 2, "width": 2, "context": settings.context})
    return randomize(build("recycle_cycle_gan", losses=losses, predictor=predictor).double())


@pytest.mark.parametrize("length", [3, 5])
@pytest.mark.parametrize("case", CASES)
def test_two_steps_give_the_same_numbers_gradients_and_weights(case, length):
    settings = sequential.Settings(**CASES[case])
    length = max(length, settings.context + 1)
    model = published_model(settings)
    plain = copy.deepcopy(dict(model.networks.items()))
    x, y = clips(length, batch=2)
    optimizers, plainly = model.optimizers(), sequential.optimizers_of(plain)
    for number in range(2):
        report = model.step(x, y, optimizers, step=number)
        expected = sequential.training_step(plain, x, y, plainly, settings)
        assert set(report) == set(expected)
        for name, value in expected.items():
            assert value.item() > 0
            assert report[name].item() == pytest.approx(value.item(), rel=1e-11), f"step {number}, {name}"
        for name, network in plain.items():
            for (key, p), q in zip(model.networks[name].named_parameters(), network.parameters(), strict=True):
                torch.testing.assert_close(p.grad, q.grad, rtol=1e-8, atol=1e-11, msg=f"gradient of {name}.{key}")
    for name, network in plain.items():
        for p, q in zip(model.networks[name].parameters(), network.parameters(), strict=True):
            torch.testing.assert_close(p, q, rtol=1e-6, atol=1e-7)
