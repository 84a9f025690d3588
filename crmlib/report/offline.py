"""A page stands by itself: it may ask nothing of any other address and run no script."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from crmlib.errors import GateError

#: Elements that load or run something.
REFUSED = {"script", "iframe", "frame", "object", "embed", "link", "base", "audio", "video", "source", "portal"}
#: Attributes whose value is an address (or a list of them).
ADDRESSES = {
    "action",
    "background",
    "cite",
    "data",
    "formaction",
    "href",
    "ping",
    "poster",
    "src",
    "srcset",
    "xlink:href",
}
#: Addresses inside the page or beside it.
INSIDE = re.compile(r"#|data:image/|[\w.-]+\.html(#|$)")
IN_CSS = re.compile(r"@import|image-set\(|url\(\s*['\"]?(?!#|data:image/)", re.IGNORECASE)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[int, str]] = []
        self._in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_style = tag == "style"
        line = self.getpos()[0]
        if tag in REFUSED:
            self.found.append((line, f"<{tag}>"))
        for name, value in attrs:
            value = (value or "").strip()
            reaches = name in ADDRESSES and value and not INSIDE.match(value)
            refreshes = tag == "meta" and name == "http-equiv" and value.casefold() == "refresh"
            if reaches or refreshes or name.startswith("on") or IN_CSS.search(value):
                self.found.append((line, f"<{tag} {name}>"))

    def handle_endtag(self, tag: str) -> None:
        self._in_style = self._in_style and tag != "style"

    def handle_data(self, data: str) -> None:
        if self._in_style and IN_CSS.search(data):
            self.found.append((self.getpos()[0], "<style>"))


def find_outside(page: str) -> list[tuple[int, str]]:
    """Find what in a page would load, run or link to something else.

    Parameters
    ----------
    page : str
        HTML.

    Returns
    -------
    list of (int, str)
        Line and element, with its attribute; never the address itself.
    """
    reader = _Reader()
    reader.feed(page)
    reader.close()
    return reader.found


def check_offline(page: str, name: str) -> None:
    """Refuse a page that does not stand by itself.

    Parameters
    ----------
    page : str
        HTML.
    name : str
        Name of the page, for the message.

    Raises
    ------
    GateError
        If it would load, run or link to something else; names line and element.
    """
    found = find_outside(page)
    if found:
        line, element = found[0]
        raise GateError(
            f"Page '{name}', line {line}: {element} reaches outside the page ({len(found)} such in all). Pages work "
            "offline: take the address or script out of the notebook, or write it as plain text."
        )
