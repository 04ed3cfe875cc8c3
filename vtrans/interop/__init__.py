"""Models elsewhere: checkpoints of published code, and generators as files (:mod:`vtrans.interop.export`)."""

from vtrans.interop.published import PUBLISHED_NAMES, load_published, published_keys, to_published

__all__ = ["PUBLISHED_NAMES", "load_published", "published_keys", "to_published"]
