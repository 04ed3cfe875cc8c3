"""Why a network must be called frame by frame."""

import pytest
from timm.layers import DropPath
from torch import nn

from vtrans.networks.generators import ResnetGenerator, UnetGenerator
from vtrans.networks.traits import sensitive_modules, sequential_reasons

REASONS = {
    "batch norm": ("batch norm in training", lambda: nn.BatchNorm2d(2)),
    "synchronised": ("batch norm in training", lambda: nn.SyncBatchNorm(2)),
    "dropout": ("dropout in training", lambda: nn.Dropout(0.1)),
    "dropout of channels": ("dropout in training", lambda: nn.Dropout2d(0.1)),
    "alpha dropout": ("dropout in training", lambda: nn.AlphaDropout(0.1)),
    "feature alpha dropout": ("dropout in training", lambda: nn.FeatureAlphaDropout(0.1)),
    "drop path": ("dropout in training", lambda: DropPath(0.1)),
    "attention": ("dropout in training", lambda: nn.MultiheadAttention(4, 1, dropout=0.1)),
    "recurrent": ("dropout in training", lambda: nn.GRU(2, 2, num_layers=2, dropout=0.1)),
    "spectral norm": (
        "spectral norm in training",
        lambda: nn.utils.parametrizations.spectral_norm(nn.Conv2d(2, 2, 1)),
    ),
    "old spectral norm": ("spectral norm in training", lambda: nn.utils.spectral_norm(nn.Conv2d(2, 2, 1))),
    "instance norm": (
        "instance norm with running statistics in training",
        lambda: nn.InstanceNorm2d(2, track_running_stats=True),
    ),
    "rrelu": ("random leaky ReLU in training", nn.RReLU),
}
NONE = {
    "plain": lambda: nn.Conv2d(2, 2, 1),
    "instance norm": lambda: nn.InstanceNorm2d(2, affine=True),
    "group norm": lambda: nn.GroupNorm(1, 2),
    "no dropout": lambda: nn.Dropout(0.0),
    "no drop path": lambda: DropPath(0.0),
    "no attention dropout": lambda: nn.MultiheadAttention(4, 1),
    "weight norm": lambda: nn.utils.parametrizations.weight_norm(nn.Conv2d(2, 2, 1)),
}


@pytest.mark.filterwarnings("ignore:.*spectral_norm:FutureWarning")
@pytest.mark.parametrize("case", REASONS)
def test_layers_that_force_single_calls_in_training(case):
    reason, make = REASONS[case]
    network = nn.Sequential(nn.Conv2d(2, 2, 1), make())
    assert sequential_reasons(network) == (reason,)
    assert sequential_reasons(network.eval()) == ()
    parts = sensitive_modules(network)
    assert parts
    parts[0].train()
    assert sequential_reasons(network) == (reason,)


@pytest.mark.parametrize("case", NONE)
def test_layers_that_do_not(case):
    network = nn.Sequential(NONE[case](), nn.ReLU())
    assert sequential_reasons(network) == ()
    assert sensitive_modules(network) == []


def test_batch_norm_without_running_statistics_looks_across_the_batch_in_evaluation_too():
    network = nn.BatchNorm2d(2, track_running_stats=False).eval()
    assert sequential_reasons(network) == ("batch norm without running statistics",)


def test_a_reason_is_given_once():
    network = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm2d(2), nn.Dropout(0.1), nn.BatchNorm2d(2))
    assert sequential_reasons(network) == ("dropout in training", "batch norm in training")
    assert len(sensitive_modules(network)) == 4


@pytest.mark.parametrize(("declared", "reasons"), [(True, ("declared sequential",)), (False, ())])
def test_a_declaration_decides(declared, reasons):
    class Declared(nn.Sequential):
        sequential = declared

    network = Declared(nn.Dropout(0.5))
    assert sequential_reasons(network) == reasons
    assert sequential_reasons(network.eval()) == reasons
    assert sensitive_modules(network) == []


@pytest.mark.parametrize("factory", [ResnetGenerator, UnetGenerator])
def test_our_networks(factory):
    assert sequential_reasons(factory(in_channels=3, out_channels=3, width=1)) == ()
    assert sequential_reasons(factory(in_channels=3, out_channels=3, width=1, dropout=0.5)) == ("dropout in training",)
