"""CONTRIBUTING.md is true: its paths exist, its drawing has the rooms in their order, and the page shows it."""

import ast
import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
DRAWING = re.search(r"```mermaid\n(.*?)```", TEXT, re.DOTALL)[1]
PATHS = sorted({path for path in re.findall(r"`([\w./]+/[\w.]*)`", TEXT)} | set(re.findall(r"\]\((docs/[\w.]+)", TEXT)))


@pytest.mark.parametrize("path", PATHS)
def test_what_it_names_exists(path):
    """Paths as seen from the project's top, or from the package."""
    assert (ROOT / path).exists() or (ROOT / "vtrans" / path).exists()


def test_the_drawing_has_every_room_in_the_order_of_imports():
    imports = (ROOT / "tests" / "test_imports.py").read_text(encoding="utf-8")
    order = ast.literal_eval(re.search(r"^ORDER = (\[.*?^\])", imports, re.DOTALL | re.MULTILINE)[1])
    drawn = [room for label in re.findall(r'\w+\["([^"]*?)<br>', DRAWING) for room in label.split(", ")]
    assert drawn == [room for room in reversed(order) if room in drawn]
    rooms = {path.parent.name for path in (ROOT / "vtrans").glob("*/__init__.py")}
    assert rooms <= set(drawn)


def test_the_page_draws_it_and_follows_its_links():
    path = ROOT / "docs" / "hooks" / "contributing.py"
    spec = importlib.util.spec_from_file_location("contributing", path)
    hook = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hook)
    page = hook.page()
    assert "mermaid" not in page and "](docs/" not in page and "](extending.md#a-loss)" in page
    labels = re.findall(r'\w+\["([^"]*<br>[^"]*)"\]', DRAWING)
    titles = re.findall(r'subgraph \w+ \["(.*?)"\]', DRAWING)
    assert re.findall(r"<span>(.*?)</span>", page) == labels
    assert re.findall(r"<b>(.*?)</b>", page) == titles
