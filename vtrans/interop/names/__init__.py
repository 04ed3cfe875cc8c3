"""A file a method: by what names its published checkpoints know our tensors.

Each has ``FILES``, the pattern of a checkpoint's files, and ``tensors(model)``: for each published network, our name
(``"G_Y.stem.0.weight"``) of each of its tensors.
"""
