"""What no file of the repository may hold."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
UNFINISHED = re.compile("|".join(["TO" + "DO", "FIX" + "ME"]))  # in halves: this file is looked at too
OF_ONE_MACHINE = re.compile(r"(?<![\w.])/(?:home|root|work|tmp)\b")


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    """The text files under version control by path."""
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        listed = ""
    if not listed:
        pytest.skip("no git checkout")
    found = {}
    for name in listed.split("\0"):
        if (ROOT / name).is_file():
            content = (ROOT / name).read_bytes()
            if b"\0" not in content:
                found[name] = content.decode()
    return found


def places(texts, pattern):
    return [
        f"{name}, line {number}: {line.strip()}"
        for name, text in texts.items()
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(line)
    ]


def test_nothing_is_left_unfinished(texts):
    assert not places(texts, UNFINISHED)


def test_no_path_of_one_machine(texts):
    published = {name: text for name, text in texts.items() if name.startswith(("vtrans/", "docs/", "README.md"))}
    assert published and not places(published, OF_ONE_MACHINE)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ('open("/home/me/a")', True),
        ("cd /tmp", True),
        ("https://host/home/a", False),
        ("./work/a", False),
        ("frames/workshop", False),
    ],
)
def test_the_pattern_of_paths(line, found):
    assert bool(places({"a": line}, OF_ONE_MACHINE)) == found
