"""Text that is HTML already, and text that becomes it: nothing from data reaches a page unescaped."""

import html
import re

_UNPRINTABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Html(str):
    """A piece of a page. Plain strings are escaped wherever they meet one."""


def printable(text: str) -> str:
    """Return text with a replacement sign for each character that neither HTML nor XML may hold."""
    return _UNPRINTABLE.sub("\ufffd", text)


def escaped(value: object) -> Html:
    """Return a value as HTML: pieces of pages as they are, all else as escaped text."""
    return value if isinstance(value, Html) else _plain(value)


def joined(*parts: object) -> Html:
    """Return the parts one after the other, each escaped where it is plain."""
    return Html("".join(escaped(part) for part in parts))


def element(tag: str, *parts: object, **attributes: str | None) -> Html:
    """Return an element with escaped content; ``class_`` gives ``class``, None leaves an attribute out."""
    told = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{_plain(value)}"'
        for name, value in attributes.items()
        if value is not None
    )
    return Html(f"<{tag}{told}>{joined(*parts)}</{tag}>")


def _plain(value: object) -> Html:
    return Html(html.escape(printable(str(value))))
