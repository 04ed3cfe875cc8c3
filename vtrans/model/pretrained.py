"""Models on disk and on the hub: config.json and model.safetensors, nothing pickled."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor

from vtrans.errors import refusal
from vtrans.model.trainable import TrainableModel

Model = TypeVar("Model", bound=TrainableModel)
CONFIG, TENSORS = "config.json", "model.safetensors"


def save(model: TrainableModel, folder: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Writes a model's config.json and model.safetensors.

    Each file is written beside its place and moved there, so that a failure leaves what was there before.

    Args:
        model: The model, made by :func:`vtrans.build` from registered parts.
        folder: Where to; made if it is not there.
        overwrite: Whether a model that is there may be replaced.

    Raises:
        FileExistsError: A model is there and ``overwrite`` is false.
        ValueError: The model has no config.

    Example:
        >>> import tempfile, vtrans
        >>> model = vtrans.build("gan", generator=("resnet", {"blocks": 1, "width": 4}))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.save_pretrained(folder)
        ...     sorted(path.name for path in Path(folder).iterdir())
        ['config.json', 'model.safetensors']
    """
    from safetensors.torch import save_file

    config = _self_contained(model.config)
    target = _path(folder)
    blocked = next((path for path in (target, *target.parents) if path.exists() and not path.is_dir()), None)
    if blocked is not None:
        raise FileExistsError(refusal("folder", allowed="a folder, or a place for one", got=f"the file {blocked}"))
    present = [name for name in (CONFIG, TENSORS) if (target / name).exists()]
    if present and not overwrite:
        raise FileExistsError(
            refusal(
                "folder",
                allowed="a folder without a model",
                got=f"{target} with {' and '.join(present)}",
                fix="Choose another folder, or pass overwrite=True",
            )
        )
    target.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    text = json.dumps(config, indent=2) + "\n"
    for name in (CONFIG, TENSORS):
        part = target / f".{name}.part"
        if name == CONFIG:
            part.write_text(text)
        else:
            save_file(tensors, part, metadata={"format": "pt"})
        part.replace(target / name)


def load(build: Callable[..., Model], folder: str | os.PathLike[str], *, revision: str | None = None) -> Model:
    """Loads a model from a folder, or from the hub by ``owner/name``.

    Args:
        build: Makes the model that a config describes: :func:`vtrans.build`.
        folder: A folder that :func:`save` wrote, or a repository of the hub.
        revision: Branch, tag or commit on the hub.

    Returns:
        The model, on the CPU, each network in the precision that it was saved in.

    Raises:
        FileNotFoundError: The folder or one of its files is missing.
        ValueError: The config cannot be read, or tensors are missing, extra or of another shape (each is named).
    """
    source = _fetch(folder, revision)
    for name in (CONFIG, TENSORS):
        if not (source / name).is_file():
            raise FileNotFoundError(
                refusal(str(folder), allowed=f"a folder with {CONFIG} and {TENSORS}", got=f"no {name} there")
            )
    try:
        config = json.loads((source / CONFIG).read_text())
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(refusal(f"{source / CONFIG}", allowed="JSON", got=f"unreadable text ({error})")) from error
    if not isinstance(config, dict) or "recipe" not in config:
        raise ValueError(refusal(f"{source / CONFIG}", allowed="the config of a model", got=type(config).__name__))
    try:
        model = build(**config)
    except TypeError as error:
        raise ValueError(refusal(f"{source / CONFIG}", allowed="arguments of vtrans.build", got=str(error))) from error
    tensors = _read(source / TENSORS)
    _convert(model, tensors)
    load_tensors(model, tensors, str(source / TENSORS))
    return model


def load_tensors(model: TrainableModel, tensors: Mapping[str, Tensor], origin: str) -> None:
    """Loads tensors into a model after :func:`check_tensors`; on failure the model is as it was."""
    check_tensors(model, tensors, origin)
    model.load_state_dict(dict(tensors))


def check_tensors(model: TrainableModel, tensors: Mapping[str, Tensor], origin: str) -> None:
    """Checks that tensors are those of a model.

    Args:
        model: The model.
        tensors: Tensors by their names in the model's state dict.
        origin: Where they come from, for the message.

    Raises:
        ValueError: Tensors are missing, extra or of another shape; each is named.
    """
    wanted = model.state_dict()
    faults = [f"{name} is missing" for name in wanted if name not in tensors]
    faults += [f"{name} is extra" for name in tensors if name not in wanted]
    faults += [
        f"{name} has shape {tuple(tensors[name].shape)} in place of {tuple(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in tensors and tensors[name].shape != tensor.shape
    ]
    if faults:
        shown = "; ".join(faults[:20]) + (f"; and {len(faults) - 20} more" if len(faults) > 20 else "")
        raise ValueError(
            refusal(
                origin,
                allowed="the tensors of this model",
                got=f"{len(faults)} that do not fit: {shown}",
                fix="Load it into a model built with the same options",
            )
        )


def push(model: TrainableModel, repository: str, *, private: bool = False) -> str:
    """Uploads a model to the hub.

    Args:
        model: The model.
        repository: ``owner/name``; made if it is not there.
        private: Whether a repository that is made is private.

    Returns:
        The address of the upload.
    """
    import tempfile

    from huggingface_hub import HfApi

    hub = HfApi()
    hub.create_repo(repository, private=private, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        save(model, folder)
        return str(hub.upload_folder(repo_id=repository, folder_path=folder))


def _fetch(folder: str | os.PathLike[str], revision: str | None) -> Path:
    path = _path(folder)
    if path.is_dir():
        return path
    text = str(folder)
    if path.exists() or text.count("/") != 1 or text.startswith((".", "/", "~")):
        raise FileNotFoundError(
            refusal("folder", allowed="a folder with a saved model, or owner/name on the hub", got=repr(text))
        )
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(text, revision=revision, allow_patterns=[CONFIG, TENSORS]))
    except Exception as error:
        raise FileNotFoundError(
            f"{text!r} is no folder here, and the hub did not give it: {type(error).__name__}: {error}"
        ) from error


def _path(folder: object) -> Path:
    if isinstance(folder, str | os.PathLike):
        return Path(folder)
    raise TypeError(refusal("folder", allowed="a path", got=repr(folder)))


def _read(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise ValueError(refusal(str(path), allowed="a whole safetensors file", got=str(error))) from error


def _convert(model: TrainableModel, tensors: Mapping[str, Tensor]) -> None:
    """Gives each network the precision of its saved tensors, where they share one."""
    for name, network in model.networks.items():
        saved = [tensor for key, tensor in tensors.items() if key.startswith(f"networks.{name}.")]
        precisions = {tensor.dtype for tensor in saved if tensor.is_floating_point()}
        if len(precisions) == 1:
            network.to(precisions.pop())


def _self_contained(config: dict[str, Any]) -> dict[str, Any]:
    """The config without the places that initial weights came from, since the saved tensors replace them."""
    config = copy.deepcopy(config)
    for kind in ("generator", "predictor", "discriminator"):
        part = config[kind]
        for _, options in part.values() if isinstance(part, dict) else [part]:
            if options.get("weights") is not None:
                options["weights"] = None
    json.dumps(config)
    return config
