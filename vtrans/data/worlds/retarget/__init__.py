"""A world of two characters that perform the same poses."""

from vtrans.data.worlds.retarget.retarget import Retarget

__all__ = ["Retarget"]
