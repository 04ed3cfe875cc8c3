"""A finished grid that several tests look at."""

import pytest
from helpers.grids import grid

from vtrans.ablation import ablate


@pytest.fixture(scope="session")
def finished_grid(tmp_path_factory):
    """The folder of a grid of two variants and two seeds."""
    out = tmp_path_factory.mktemp("ablation") / "out"
    assert ablate(grid(seeds=2), out, jobs=1) == 0
    return out
