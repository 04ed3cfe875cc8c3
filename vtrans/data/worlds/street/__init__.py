"""A drive along a street, as images or as labels."""

from vtrans.data.worlds.street.street import Street, palette

__all__ = ["Street", "palette"]
