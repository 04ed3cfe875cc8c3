"""A finished run with two checkpoints, and a copy of it to be damaged."""

import shutil
from dataclasses import replace

import pytest
from helpers.runs import SETTINGS

from vtrans.training import prepare, train
from vtrans.training.checkpoints import checkpoints_in


@pytest.fixture(scope="session")
def straight(tmp_path_factory):
    folder = tmp_path_factory.mktemp("straight") / "run"
    train(prepare(replace(SETTINGS, steps=4)), folder)
    assert [path.name for path in checkpoints_in(folder / "checkpoints")] == ["step-000002", "step-000004"]
    return folder


@pytest.fixture
def run(straight, tmp_path):
    return shutil.copytree(straight, tmp_path / "run")
