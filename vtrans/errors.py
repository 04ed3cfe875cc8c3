"""One wording for refusals: the argument, what is allowed, what came, why, and what to do."""

import difflib
from collections.abc import Iterable


def refusal(argument: str, *, allowed: str, got: object, why: str = "", fix: str = "") -> str:
    """Words a refusal the way every error of the library is worded.

    Args:
        argument: Name of the argument (or file) that is refused.
        allowed: What would have been accepted, in words.
        got: What came instead; a string is quoted as it stands.
        why: The reason for the rule, one sentence.
        fix: What the user can do now, one sentence.

    Returns:
        The message, for a ``ValueError``, ``TypeError`` or ``FileExistsError``.

    Example:
        >>> print(refusal("steps", allowed="a whole number above 0", got=-3, fix="Pass steps=1000."))
        steps: expected a whole number above 0, got -3. Pass steps=1000.
    """
    sentences = [f"{argument}: expected {allowed}, got {got}."]
    sentences += [text if text.endswith((".", "?", "!")) else f"{text}." for text in (why, fix) if text]
    return " ".join(sentences)


def unknown(kind: str, name: object, known: Iterable[str], *, fix: str = "") -> str:
    """Words the refusal of an unknown name: the list that exists and the nearest match.

    Args:
        kind: What the name was meant to name, such as ``"generator"``.
        name: The name that came.
        known: The names that exist.
        fix: What the user can do besides using the nearest name.

    Returns:
        The message.

    Example:
        >>> print(unknown("generator", "resnett", ["resnet", "unet"]))
        Unknown generator 'resnett'. Did you mean 'resnet'? Known: resnet, unet.
    """
    names = list(known)
    by_lower = {known_name.lower(): known_name for known_name in reversed(names)}
    near = [by_lower[match] for match in difflib.get_close_matches(str(name).lower(), by_lower, n=1, cutoff=0.5)]
    sentences = [f"Unknown {kind} {name!r}."]
    if near:
        sentences.append(f"Did you mean {near[0]!r}?")
    sentences.append(f"Known: {', '.join(names) or 'none'}.")
    if fix:
        sentences.append(fix)
    return " ".join(sentences)
