"""The model: built, stepped, explained, saved, and used to translate."""

from vtrans.model.model import TranslationModel, build

__all__ = ["TranslationModel", "build"]
