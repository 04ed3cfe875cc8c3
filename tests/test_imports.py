"""`import vtrans` is quick and light, and each module imports from its own floor or below."""

import ast
import statistics
import subprocess
import sys
from collections.abc import Iterator
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

# Lowest first. A new module or folder at the top of the package gets its floor here.
FLOORS = {
    "calls": 1,
    "compilation": 1,
    "errors": 1,
    "expressions": 1,
    "notation": 1,
    "operators": 1,
    "progress": 1,
    "registry": 1,
    "times": 1,
    "functional": 2,
    "networks": 2,
    "losses": 3,
    "guard": 4,
    "objective": 4,
    "phases": 4,
    "planner": 4,
    "plans": 4,
    "pool": 4,
    "schedule": 4,
    "assembly": 5,
    "catalog": 5,
    "checks": 5,
    "execution": 5,
    "explanation": 5,
    "export": 5,
    "interop": 5,
    "model": 5,
    "pretrained": 5,
    "recipes": 5,
    "testing": 5,
    "translation": 5,
    "data": 6,
    "evaluation": 7,
    "training": 7,
    "cli": 8,
    "__main__": 8,
}
# `from vtrans import build` asks for the public names, of which the highest live on this floor.
PUBLIC_FLOOR = 5


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


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """The parts of vtrans a file imports, anywhere in it: (line, first name below vtrans, or "" for vtrans itself)."""
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
                part = target[1] if len(target) > 1 else ""
                yield node.lineno, part if part in PARTS else ""


PARTS = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_come_from_the_same_floor_or_below(path):
    part = part_of(path)
    assert part in FLOORS, f"give {part} a floor in the table of {Path(__file__).name}"
    for line, other in imported(path):
        floor = FLOORS[other] if other else PUBLIC_FLOOR
        assert floor <= FLOORS[part], (
            f"vtrans/{path.relative_to(PACKAGE)}, line {line}: {part} (floor {FLOORS[part]}) imports "
            f"{other or 'the public names'} (floor {floor})"
        )


def test_the_check_of_floors_sees_every_form(tmp_path, monkeypatch):
    """Absolute, relative, inside a function, and through the package itself."""
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path)
    monkeypatch.setattr(sys.modules[__name__], "PARTS", {"cli", "losses", "registry"})
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
    assert sorted(imported(path)) == [
        (2, "cli"),
        (3, "registry"),
        (4, ""),
        (4, "cli"),
        (5, "losses"),
        (6, "registry"),
        (8, "cli"),
    ]
