"""Whatever bytes a file holds, reading it ends in frames or in an error that names it."""

import pytest
from helpers.malformed import examine_all, malformed, originals


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return originals(tmp_path_factory.mktemp("originals"))


def outcomes(folder, files, count, *, seed):
    paths = []
    for name, content in malformed(files, count, seed=seed):
        paths.append(folder / name)
        paths[-1].write_bytes(content)
    found = examine_all(paths)
    assert len(found) == count
    assert {name: outcome for name, outcome in found.items() if outcome not in ("frames", "refused")} == {}
    return list(found.values())


def test_the_files_it_starts_from_are_good(files):
    assert set(examine_all(files).values()) == {"frames"}


def test_a_reader_that_dies_is_seen(tmp_path, files, monkeypatch):
    paths = [tmp_path / name for name in ("kill.mp4", "good.mp4")]
    for path in paths:
        path.write_bytes(files[0].read_bytes())
    (tmp_path / "vtrans" / "data").mkdir(parents=True)
    (tmp_path / "vtrans" / "__init__.py").write_text("")
    stand_in = "import os\ndef open_source(path):\n    os.abort() if 'kill' in str(path) else os.remove('gone.mp4')\n"
    (tmp_path / "vtrans" / "data" / "__init__.py").write_text(stand_in)
    monkeypatch.syspath_prepend(tmp_path)
    found = examine_all(paths)
    assert found["kill.mp4"].startswith("died with -6")
    assert found["good.mp4"].startswith("FileNotFoundError that doesn't name the file")


def test_some_malformed_files(tmp_path, files):
    found = outcomes(tmp_path, files, 64, seed=0)
    assert 10 < found.count("frames") < 54


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_many_malformed_files(tmp_path, files, seed):
    found = outcomes(tmp_path, files, 480, seed=seed)
    assert 100 < found.count("frames") < 380
