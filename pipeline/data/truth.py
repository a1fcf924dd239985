"""The spellings of 0 and 1: a label may say ``True`` or ``no`` where others say 1 or 0."""

TRUTH = {word: float(value) for value, words in enumerate(("false f no n", "true t yes y")) for word in words.split()}
"""Words in lower case and the number each stands for; digits are numbers already."""


def truth_of(text: str) -> float | None:
    """Return 0.0 or 1.0 for a cell that means so (``0``, ``1.0``, ``TRUE``, ``no``), else None."""
    word = text.strip().lower()
    if word in TRUTH:
        return TRUTH[word]
    try:
        value = float(word)
    except ValueError:
        return None
    return value if value in (0.0, 1.0) and "_" not in word else None
