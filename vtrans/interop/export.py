"""A generator as a file of its own, ONNX or ``torch.export``, checked against PyTorch before it appears."""

from __future__ import annotations

import copy
import json
import logging
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from vtrans.errors import refusal
from vtrans.model import TranslationModel
from vtrans.networks.sizes import nearest_sizes
from vtrans.version import __version__

FORMATS = {".onnx": "ONNX", ".pt2": "torch.export"}
TOLERANCE = 1e-4
"""The largest difference to PyTorch with which a file is kept, as a share of PyTorch's largest absolute value. Where
float32 itself is further than that from float64, as with instance norm over few pixels, ten times as far is allowed."""

METADATA = "vtrans.json"
"""The name of a ``.pt2`` file's metadata among its extra files."""

_NEEDED = {".onnx": ("onnx", "onnxscript", "onnxruntime"), ".pt2": ()}


@dataclass(frozen=True)
class Comparison:
    """What a file and PyTorch made of the same random frames.

    Args:
        shape: (batch, channel, height, width) of the frames.
        difference: The largest absolute difference.
        allowed: The largest that is allowed.
    """

    shape: tuple[int, ...]
    difference: float
    allowed: float


@dataclass(frozen=True)
class Sizes:
    """The frames that a file takes: multiples of ``multiple`` from ``least`` up, or one ``fixed`` (height, width)."""

    multiple: int
    least: int
    fixed: tuple[int, int] | None = None

    def __str__(self) -> str:
        if self.fixed is not None:
            return f"of {self.fixed[0]}x{self.fixed[1]} (height x width) alone"
        return f"with height and width in multiples of {self.multiple} from {self.least} up"

    def samples(self) -> list[tuple[int, int, int]]:
        """(batch, height, width) to compare at: the smallest size, the next one, and one of about 128 pixels."""
        if self.fixed is not None:
            return [(1, *self.fixed), (3, *self.fixed)]
        usual = max(self.least, -(-128 // self.multiple) * self.multiple)
        longer = self.least + self.multiple
        return [(1, self.least, self.least), (3, longer, self.least), (2, usual, usual + self.multiple)]

    def traced(self) -> tuple[int, int]:
        """(height, width) to trace with: not the smallest, some of whose sides within would be taken for constants."""
        return self.fixed or (self.least + self.multiple, self.least + 2 * self.multiple)

    def dynamic_shapes(self) -> dict[int, Any]:
        """The axes that may change, for ``torch.export``."""
        shapes: dict[int, Any] = {0: Dim("batch", min=1)}
        if self.fixed is None:
            sides = [Dim(name, min=self.least // self.multiple) for name in ("rows", "columns")]
            shapes |= {axis: self.multiple * side for axis, side in zip((2, 3), sides, strict=True)}
        return shapes


@dataclass(frozen=True)
class Exported:
    """What :func:`export_generator` wrote.

    Args:
        path: The file.
        sizes: The frames that it takes.
        comparisons: How it compares with PyTorch.
        metadata: What the file says about itself.
    """

    path: Path
    sizes: Sizes
    comparisons: tuple[Comparison, ...]
    metadata: dict[str, str]


def export_generator(
    model: TranslationModel,
    path: str | os.PathLike[str],
    *,
    to: str,
    size: tuple[int, int] | None = None,
    overwrite: bool = False,
) -> Exported:
    """Writes a generator to a file that runs without this library.

    The file takes ``frames``, float32 ``(batch, channel, height, width)`` in [-1, 1], and returns ``translated``, of
    the same batch, height and width. It is read back and compared with PyTorch at several sizes and batches, on the
    CPU, and appears under its name only if it computes the same.

    Args:
        model: The model; it stays as it is.
        path: The file: ``.onnx``, or ``.pt2`` for ``torch.export``.
        to: The domain to translate into, ``"x"`` or ``"y"``.
        size: (height, width) in pixels, for a file that takes this size alone; None for one that takes all that the
            generator takes.
        overwrite: Whether a file that is there is replaced.

    Returns:
        What was written, and how it compares.

    Raises:
        FileExistsError: The file is there, or a folder, or a file in place of its folder.
        ImportError: The packages of the format are not installed.
        ValueError: The suffix, the domain or the size is unknown to the generator or the format; the generator cannot
            be exported; or the file computes something else.
        TypeError: The size is no pair of whole numbers.

    Example:
        >>> import vtrans
        >>> model = vtrans.build("gan", generator=("unet", {"depth": 2, "width": 4}))
        >>> exported = export_generator(model, "generator.pt2", to="y")
        >>> print(exported.sizes)
        with height and width in multiples of 4 from 4 up
        >>> torch.export.load("generator.pt2").module()(torch.zeros(1, 3, 8, 12)).shape
        torch.Size([1, 3, 8, 12])
    """
    target = Path(path)
    check_target(target, overwrite=overwrite)
    names, source = model.translating(to), model.source_of(to)
    if len(names) != 1 or source is None:
        got = f"a translation by {', '.join(names)}"
        raise ValueError(refusal("to", allowed="a translation by one network, frame by frame", got=got))
    (name,) = names
    generator = copy.deepcopy(model.networks[name]).cpu().float().eval().requires_grad_(False)
    sizes = _sizes(name, generator, size)
    channels = model.channels[source]
    expected = [_reference(name, generator, channels, shape, sizes) for shape in sizes.samples()]
    metadata = _metadata(model, to, sizes)
    with _quiet():
        program = _program(name, generator, expected[0][0], sizes)
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.stem}.") as folder:
            written = Path(folder, target.name)
            with _refused(name, generator, f"that can be exported as {FORMATS[target.suffix]}"):
                run = _WRITERS[target.suffix](program, written, metadata)
                made = [run(frames) for frames, _ in expected]
            pairs = zip(expected, made, strict=True)
            comparisons = tuple(_compare(generator, *pair, other) for pair, other in pairs)
            _check(target, name, comparisons)
            written.replace(target)
    return Exported(target, sizes, comparisons, metadata)


def check_target(path: Path, *, overwrite: bool) -> None:
    """Refuses a file that cannot be written, before any work is done; see :func:`export_generator`."""
    if path.suffix not in FORMATS:
        allowed = "a file that ends in .onnx, or in .pt2 for torch.export"
        raise ValueError(refusal(str(path), allowed=allowed, got=f"the suffix {path.suffix!r}"))
    blocked = next((parent for parent in path.parents if parent.exists() and not parent.is_dir()), None)
    if blocked is not None:
        raise FileExistsError(refusal(str(path), allowed="a place in a folder", got=f"the file {blocked}"))
    if path.is_dir():
        raise FileExistsError(refusal(str(path), allowed="a file, or a place for one", got="a folder"))
    if path.exists() and not overwrite:
        fix = "Choose another name, or pass overwrite=True (--overwrite)"
        raise FileExistsError(refusal(str(path), allowed="a place without a file", got="one that is there", fix=fix))
    missing = [package for package in _NEEDED[path.suffix] if find_spec(package) is None]
    if missing:
        got, fix = f"no {' and no '.join(missing)}", 'Install what is missing: pip install "vtrans[export]"'
        allowed = f"the packages that {FORMATS[path.suffix]} needs, {', '.join(_NEEDED[path.suffix])}"
        raise ImportError(refusal(str(path), allowed=allowed, got=got, fix=fix))


def _sizes(name: str, generator: nn.Module, size: tuple[int, int] | None) -> Sizes:
    multiple, minimum = int(getattr(generator, "multiple", 1)), int(getattr(generator, "minimum", 1))
    least = nearest_sizes(0, multiple=multiple, minimum=minimum)[0]
    if size is not None and (len(size) != 2 or any(type(side) is not int for side in size)):
        raise TypeError(refusal("size", allowed="None or whole numbers (height, width)", got=repr(size)))
    if size is not None and any(side < least or side % multiple for side in size):
        nearest = [
            f"{axis} {' or '.join(map(str, nearest_sizes(side, multiple=multiple, minimum=minimum)))}"
            for axis, side in zip(("height", "width"), size, strict=True)
        ]
        raise ValueError(
            refusal(
                "size",
                allowed=f"height and width in multiples of {multiple} from {least} up, which {name} takes",
                got=f"{size[0]}x{size[1]} (height x width)",
                fix=f"Nearest that work: {', '.join(nearest)}",
            )
        )
    return Sizes(multiple, least, size)


def _reference(
    name: str, generator: nn.Module, channels: int, shape: tuple[int, int, int], sizes: Sizes
) -> tuple[Tensor, Tensor]:
    """Random frames, the same in every call, and what PyTorch makes of them."""
    batch, height, width = shape
    random = torch.Generator().manual_seed(0)
    frames = torch.rand(batch, channels, height, width, generator=random) * 2 - 1
    fix = "Pass a size that it takes (--size), or declare the sizes as its attributes multiple and minimum"
    with (
        torch.no_grad(),
        _refused(name, generator, f"that takes frames {sizes}", f", which fails on {height}x{width}", fix),
    ):
        return frames, generator(frames)


def _metadata(model: TranslationModel, to: str, sizes: Sizes) -> dict[str, str]:
    facts = {
        "to": to,
        "channels_in": model.channels["y" if to == "x" else "x"],
        "channels_out": model.channels[to],
        "range": "[-1, 1]",
        "multiple": sizes.multiple,
        "minimum": sizes.least,
        "vtrans": __version__,
    }
    if sizes.fixed is not None:
        facts |= {"height": sizes.fixed[0], "width": sizes.fixed[1]}
    return {key: str(value) for key, value in facts.items()}


def _program(name: str, generator: nn.Module, frames: Tensor, sizes: Sizes) -> ExportedProgram:
    from torch.fx.experimental import _config

    sample = frames.new_zeros(2, frames.shape[1], *sizes.traced())
    # Without it, a size at which some layer sees a single row would be refused by the file.
    oblivious = _config.patch(backed_size_oblivious=True)  # type: ignore[attr-defined]
    fix = "" if sizes.fixed is not None else "Pass a size (--size HEIGHT WIDTH) to export it for that one alone"
    kind = f"that can be exported as a file that takes frames {sizes}"
    with torch.no_grad(), oblivious, _refused(name, generator, kind, fix=fix):
        program = torch.export.export(generator, (sample,), dynamic_shapes=(sizes.dynamic_shapes(),), strict=False)
    for part in program.graph_module.modules():
        if isinstance(part, torch.fx.GraphModule):
            for node in part.graph.nodes:
                node.meta.pop("stack_trace", None)  # it names folders of this machine
    return program


def _write_onnx(program: ExportedProgram, path: Path, metadata: dict[str, str]) -> Callable[[Tensor], Tensor]:
    names = {0: "batch", 2: "height", 3: "width"}
    if "height" in metadata:
        names = {0: "batch"}
    made = torch.onnx.export(
        program,
        input_names=["frames"],
        output_names=["translated"],
        dynamic_shapes=(names,),
        dynamo=True,
        verbose=False,
    )
    assert made is not None  # with dynamo=True and no file
    made.model.metadata_props.update(metadata)
    made.save(path, external_data=False)

    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors alone
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda frames: torch.from_numpy(session.run(None, {"frames": frames.numpy()})[0])


def _write_program(program: ExportedProgram, path: Path, metadata: dict[str, str]) -> Callable[[Tensor], Tensor]:
    program.example_inputs = None  # frames of zeros, which would be saved too
    torch.export.save(program, path, extra_files={METADATA: json.dumps(metadata)})
    read: Any = torch.export.load(path).module()
    return lambda frames: read(frames)


_WRITERS = {".onnx": _write_onnx, ".pt2": _write_program}
"""Each writes a file, and reads it back as a function of frames."""


def _compare(generator: nn.Module, frames: Tensor, reference: Tensor, other: Tensor) -> Comparison:
    same = other.shape == reference.shape
    difference = float((other - reference).abs().max()) if same else float("inf")
    allowed = TOLERANCE * float(reference.abs().max())
    if difference > allowed:
        allowed = max(allowed, 10 * _rounding(generator, frames, reference))
    return Comparison(tuple(frames.shape), difference, allowed)


@torch.no_grad()
def _rounding(generator: nn.Module, frames: Tensor, reference: Tensor) -> float:
    """How far PyTorch is from itself in float64; 0 for a generator that draws at random, or is in float32 alone."""
    try:
        repeats = torch.equal(generator(frames), reference)
        exact = copy.deepcopy(generator).double()(frames.double())
    except RuntimeError:
        return 0.0
    return float((exact - reference).abs().max()) if repeats else 0.0


def _check(path: Path, name: str, comparisons: tuple[Comparison, ...]) -> None:
    for found in comparisons:
        if not found.difference <= found.allowed:  # nor where either is not a number
            raise ValueError(
                refusal(
                    str(path),
                    allowed=f"what {name} computes, to {found.allowed:.2g}",
                    got=f"a difference of {found.difference:.2g} on frames {found.shape}, so that no file was written",
                    why="A generator that draws at random, or whose weights are not finite, does this too",
                )
            )


@contextmanager
def _refused(name: str, generator: nn.Module, kind: str, where: str = "", fix: str = "") -> Iterator[None]:
    """Makes of what fails within it a refusal of the generator, without an exporter's advice and traces."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        lines = [line.strip(" -") for line in str(error).splitlines() if line.strip()]
        reason = " ".join(line.partition("For more information")[0].strip() for line in lines[:2])
        got, why = f"{type(generator).__name__}{where}", f"{type(error).__name__}: {reason or 'no message'}"
        raise ValueError(refusal(name, allowed=f"a generator {kind}", got=got, why=why, fix=fix)) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps back the warnings and logs of exporters; what they wrote is compared instead."""
    before = logging.root.manager.disable
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.ERROR)
        try:
            yield
        finally:
            logging.disable(before)
