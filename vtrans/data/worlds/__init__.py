"""Synthetic worlds: unpaired training streams and held-out pairs with their exact translation."""

from typing import Any

from vtrans.data.worlds.motion import Motion, exact_motion
from vtrans.data.worlds.motion_keyed import MotionKeyed
from vtrans.data.worlds.pairing import pairing_share
from vtrans.data.worlds.retarget import Retarget
from vtrans.data.worlds.shapes import Shapes
from vtrans.data.worlds.street import Street
from vtrans.data.worlds.world import Domain, Truth, World
from vtrans.registry import Registry

__all__ = ["Domain", "Motion", "Truth", "World", "exact_motion", "pairing_share", "worlds"]

worlds: Registry[World[Any]] = Registry("world", where="vtrans.data.worlds")
for world in (Shapes, MotionKeyed, Retarget, Street):
    worlds.add(world.name, world)
