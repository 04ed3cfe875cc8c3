"""Equations as MathML, which browsers show and screen readers read by themselves."""

from __future__ import annotations

from functools import lru_cache
from html import escape


@lru_cache(maxsize=1024)
def mathml(latex: str, text: str) -> str:
    r"""An equation as MathML.

    Args:
        latex: The equation.
        text: The same in plain text, for what knows no MathML.

    Example:
        >>> made = mathml(r"\sum_t (D_Y(y_t) - 1)^2", "Σ_t (D_Y(y_t) − 1)²")
        >>> made[:5], "<msup>" in made, 'alttext="Σ_t (D_Y(y_t) − 1)²"' in made
        ('<math', True, True)
    """
    from latex2mathml.converter import convert

    made = convert(latex, display="inline")
    return made.replace("<math ", f'<math alttext="{escape(text, quote=True)}" ', 1)
