"""Synthetic worlds: unpaired training streams and held-out pairs with their exact translation."""

from typing import Any

from vtrans.data.worlds.motion import Motion
from vtrans.data.worlds.shapes import Shapes
from vtrans.data.worlds.world import Domain, Truth, World
from vtrans.registry import Registry

__all__ = ["Domain", "Motion", "Truth", "World", "worlds"]

worlds: Registry[World[Any]] = Registry("world", where="vtrans.data.worlds")
worlds.add(Shapes.name, Shapes)
