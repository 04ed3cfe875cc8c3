"""Calls of a network: frozen or not, of any method, kept or run once more in the backward pass."""

import pytest
import torch
from torch import nn

from vtrans.algebra.calls import call
from vtrans.algebra.domains import Domain


class Doubling(nn.Module):
    """Two methods on one weight, and how often each was called."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(2.0))
        self.calls = []

    def forward(self, frames):
        self.calls.append("forward")
        return self.weight * frames

    def twice(self, first, second):
        self.calls.append("twice")
        return self.weight * first + second


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize(("method", "value"), [("forward", 6.0), ("twice", 11.0)])
def test_gradients_of_a_call(recompute, frozen, method, value):
    network = Doubling()
    network.recompute = recompute
    frames = tuple(torch.tensor(number, requires_grad=True) for number in (3.0, 5.0)[: 1 + (method == "twice")])
    found = call(network, frames, frozen=frozen, method=method)
    assert found.item() == value
    assert network.calls == [method]
    found.backward()
    assert frames[0].grad == 2.0
    assert (network.weight.grad is None) == frozen and (frozen or network.weight.grad == 3.0)
    assert network.calls == [method] * (2 if recompute else 1), "run once more in the backward pass, or not"


def test_without_gradients_nothing_is_run_again():
    network = Doubling()
    network.recompute = True
    with torch.no_grad():
        assert call(network, (torch.tensor(3.0),), frozen=False) == 6.0
    assert network.calls == ["forward"]


def test_a_network_that_declares_nothing_runs_once_and_by_any_of_its_methods():
    network, frames = Doubling(), torch.tensor(3.0, requires_grad=True)
    Domain("x").G.run({"G_X": network}, frames, torch.tensor(1.0), method="twice").backward()
    Domain("x").G.run({"G_X": network}, frames).backward()
    assert network.calls == ["twice", "forward"] and frames.grad == 4.0


def test_a_network_is_called_with_its_hooks():
    network, seen = Doubling(), []
    network.register_forward_hook(lambda *_: seen.append("hook"))
    call(network, (torch.tensor(3.0),), frozen=False)
    call(network, (torch.tensor(3.0),), frozen=True)
    assert seen == ["hook", "hook"]
