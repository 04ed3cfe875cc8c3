"""`import vtrans` is quick and light, and imports go one way down through the rooms of the package."""

import ast
import statistics
import subprocess
import sys
from collections.abc import Collection, Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "vtrans"
HEAVY = [
    "PIL",
    "av",
    "cv2",
    "huggingface_hub",
    "jsonargparse",
    "kornia",
    "matplotlib",
    "rich",
    "timm",
    "torchvision",
]

# The rooms, lowest first: each imports from those before it alone, and no file from itself by way of others.
# A new module or folder at the top of the package gets its place here.
ORDER = [
    "version",
    "errors",
    "files",
    "progress",
    "registry",
    "moved",
    "functional",
    "algebra",
    "planning",
    "networks",
    "losses",
    "objectives",
    "recipes",
    "built_in",
    "model",
    "testing",
    "interop",
    "",  # the public names: `import vtrans`
    "data",
    "evaluation",
    "training",
    "ablation",
    "cli",
    "__main__",
]
LIMITED = {"data": {"version", "errors", "files", "progress", "registry"}}
"""Rooms that know of less than what is below them: data know nothing of models."""


def python(code: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def import_seconds(module: str) -> float:
    return float(python(f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"))


def test_import_takes_little_longer_than_torch():
    """Interleaved, so that a busy spell hits both; on a noisy machine it goes on until medians or minima agree."""
    torch, vtrans = [], []
    import_seconds("vtrans")  # compiles the bytecode and warms the disk's cache
    for _ in range(12):
        torch.append(import_seconds("torch"))
        vtrans.append(import_seconds("vtrans"))
        extra = min(min(vtrans) - min(torch), statistics.median(vtrans) - statistics.median(torch))
        if len(torch) >= 3 and extra <= 0.3:
            break
    assert extra <= 0.3, f"import vtrans takes {extra:.2f} s more than import torch ({torch=}, {vtrans=})"


BUILD = 'vtrans.build("recycle_gan", generator=("resnet", {"blocks": 1, "width": 4}), predictor=("unet", {"width": 4}))'


@pytest.mark.parametrize("code", ["vtrans.build", BUILD], ids=["import", "recipe"])
def test_heavy_modules_stay_unimported(code):
    loaded = python(f"import sys, vtrans; {code}; print([name for name in {HEAVY} if name in sys.modules])")
    assert loaded.strip() == "[]"


PARTS = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
FILES = sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    """The module that a file is, below vtrans: "losses.cycle", "losses" for its __init__, "" for vtrans itself."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    return module.partition(".")[0]


def imported(path: Path, modules: Collection[str]) -> Iterator[tuple[int, str]]:
    """The modules that a file imports, anywhere in it, late or for types alone: (line, module)."""
    package = ["vtrans", *path.relative_to(PACKAGE).parent.parts]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            targets = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            base = base + (node.module.split(".") if node.module else [])
            targets = [[*base, alias.name] for alias in node.names]
        else:
            continue
        for target in targets:
            if target[0] == "vtrans":
                parts = target[1:]
                while parts and ".".join(parts) not in modules:
                    parts.pop()
                yield node.lineno, ".".join(parts)


MODULES = {name_of(path): path for path in FILES}


def test_every_room_has_a_place():
    assert {room_of(module) for module in MODULES} == set(ORDER)


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_one_way_down(module):
    room = room_of(module)
    below = LIMITED.get(room, {*ORDER[: ORDER.index(room)]})
    for line, other in imported(MODULES[module], MODULES):
        assert room_of(other) in {room, *below}, (
            f"{MODULES[module].relative_to(PACKAGE.parent)}, line {line}: {room or 'vtrans'} imports vtrans.{other}"
        )


def test_no_file_imports_itself_by_way_of_others():
    graph = {module: {other for _, other in imported(path, MODULES)} - {module} for module, path in MODULES.items()}
    TopologicalSorter(graph).prepare()  # a CycleError names the files


def test_the_check_sees_every_form(tmp_path, monkeypatch):
    """Absolute, relative, inside a function, and through the package itself."""
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path)
    (tmp_path / "losses").mkdir()
    path = tmp_path / "losses" / "cycle.py"
    path.write_text(
        "import torch\n"
        "import vtrans.cli.main\n"
        "from vtrans.registry import Registry\n"
        "from vtrans import build, cli\n"
        "from . import base\n"
        "from .. import registry\n"
        "def f():\n"
        "    from ..cli import main\n"
    )
    assert sorted(imported(path, {"", "cli", "cli.main", "losses", "losses.base", "registry"})) == [
        (2, "cli.main"),
        (3, "registry"),
        (4, ""),
        (4, "cli"),
        (5, "losses.base"),
        (6, "registry"),
        (8, "cli.main"),
    ]
