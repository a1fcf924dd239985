"""Reading JSON that somebody else wrote."""

import json
import re
from typing import Any

_HALF = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F]"
)
"""What escapes half of a character, or looks so: no file and no terminal takes one."""


def parse_json(text: str | bytes) -> Any:
    """Return what a JSON text says.

    Raises:
        ValueError: when it is no JSON, no utf-8, has half of a character, or its brackets lie deeper than the
            interpreter's stack.
    """
    try:
        text = text.decode(json.detect_encoding(text)) if isinstance(text, bytes) else text
        value = json.loads(text)
        if _HALF.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = error.object[error.start : error.start + 1]
        raise ValueError(f"half of a character ({half!r}), which no text can have") from None
    except RecursionError:
        raise ValueError("its brackets are nested too deeply to be read") from None
    return value
