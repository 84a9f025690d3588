"""What a file says: every text in it, and where it stands, whatever the file hides it in.

Pages are read as HTML (texts, attributes, comments, the texts inside SVG), executed notebooks cell by cell
(sources, outputs, metadata), other JSON leaf by leaf, anything else line by line.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote

#: Elements that do not part the words around them.
INLINE = frozenset(
    {"a", "abbr", "b", "bdi", "bdo", "cite", "code", "data", "del", "dfn", "em", "font", "i", "ins", "kbd", "mark"}
    | {"q", "s", "samp", "small", "span", "strong", "sub", "sup", "time", "tspan", "u", "var", "wbr"}
)
#: Attributes of a drawing that hold measures, as long as they look like measures.
MEASURES = frozenset(
    {"cx", "cy", "d", "dx", "dy", "height", "offset", "points", "r", "rx", "ry", "transform", "viewbox", "width"}
    | {"x", "x1", "x2", "y", "y1", "y2"}
)
MEASURE = re.compile(r"[\s\d.,eE+%()MLHVCSQTAZmlhvcsqtaz-]*|((rotate|translate|scale|matrix)\([-\d.,\se]*\)\s*)*")
#: Numbers under these keys count things; they are no telephone numbers.
COUNTS = {"bytes", "rows", "size"}
#: Written between letters, but not seen: soft hyphen, zero-width marks, joiners, byte order mark.
UNSEEN = re.compile("[\u00ad\u200b-\u200f\u2060-\u2064\ufeff]")
ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})|\\x([0-9a-fA-F]{2})")
ANSI = re.compile(r"\x1b\[[0-9;]*m")
UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Passage:
    """A text of a file.

    Parameters
    ----------
    place : str
        Where it stands, in words; never a part of the text.
    text : str
        The text as a reader sees it; empty for what cannot be read.
    kind : {"text", "joined", "unreadable"}
        A text in one piece; pieces that stand beside each other, joined (the cells of a row); or something that
        cannot be searched (a bitmap).
    """

    place: str
    text: str
    kind: str = "text"


def read_passages(path: Path) -> Iterator[Passage]:
    """Read every text of a file.

    Parameters
    ----------
    path : Path
        An HTML or SVG page, a notebook, a JSON file, or plain text.

    Yields
    ------
    Passage
        In the order of the file; a file that is no text is one unreadable passage.
    """
    try:
        content = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        yield Passage("the whole file", "", UNREADABLE)
        return
    if path.suffix in {".html", ".htm", ".svg"}:
        yield from read_markup(content, "")
    elif path.suffix == ".ipynb":
        yield from _read_notebook(json.loads(content))
    elif path.suffix == ".json":
        yield from _read_json(content)
    else:
        yield from _read_lines(content)


def read_markup(markup: str, within: str) -> Iterator[Passage]:
    """Read the texts of HTML or SVG; `within` names what it stands in."""
    reader = _MarkupReader(within)
    reader.feed(markup)
    reader.close()
    reader.end_piece()
    yield from reader.passages


class _MarkupReader(HTMLParser):
    def __init__(self, within: str) -> None:
        super().__init__(convert_charrefs=True)
        self.passages: list[Passage] = []
        self._within = f"{within}, " if within else ""
        self._piece: list[str] = []
        self._row: list[str] | None = None
        self._line = 1

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "br":
            self._piece.append(" ")
        elif tag not in INLINE:
            self.end_piece()
        if tag == "tr":
            self._row = []
        for name, value in attrs:
            if value and not (name in MEASURES and MEASURE.fullmatch(value)):
                self._add(value, f"attribute {name} of <{tag}>" if name.isascii() else f"attribute of <{tag}>")

    def handle_endtag(self, tag: str) -> None:
        if tag not in INLINE:
            self.end_piece()
        if tag == "tr" and self._row:
            self._add(" ".join(self._row), "table row", "joined")
            self._row = None

    def handle_data(self, data: str) -> None:
        if not self._piece:
            self._line = self.getpos()[0]
        self._piece.append(data)

    def handle_comment(self, data: str) -> None:
        self._add(data, "comment")

    def handle_decl(self, decl: str) -> None:
        self._add(decl, "declaration")

    def handle_pi(self, data: str) -> None:
        self._add(data, "instruction")

    def unknown_decl(self, data: str) -> None:
        self._add(data, "declaration")

    def end_piece(self) -> None:
        """Close the text gathered so far."""
        text = "".join(self._piece)
        self._piece.clear()
        if text.strip():
            self.passages += _split(text, f"{self._within}line {self._line}")
            if self._row is not None:
                self._row.append(text)

    def _add(self, text: str, what: str, kind: str = "text") -> None:
        self.passages += _split(text, f"{self._within}line {self.getpos()[0]}, {what}", kind)


def _read_notebook(notebook: dict[str, Any]) -> Iterator[Passage]:
    for number, cell in enumerate(notebook.get("cells", []), start=1):
        place = f"cell {number}"
        yield from _split(_join(cell.get("source", "")), f"{place}, source")
        for output in cell.get("outputs", []):
            yield from _read_output(output, f"{place}, output")
        rest = {key: value for key, value in cell.items() if key not in {"source", "outputs"}}
        yield from _read_leaves(rest, f"{place}, metadata")
    yield from _read_leaves(
        {key: value for key, value in notebook.items() if key != "cells"}, "metadata of the notebook"
    )


def _read_output(output: dict[str, Any], place: str) -> Iterator[Passage]:
    for kind, content in output.get("data", {}).items():
        if kind in {"text/html", "image/svg+xml"}:
            yield from read_markup(_join(content), place)
        elif kind.startswith(("image/", "audio/", "video/")) or kind == "application/pdf":
            yield Passage(f"{place}, {kind}", "", UNREADABLE)
        elif isinstance(content, dict):
            yield from _read_leaves(content, place)
        else:
            yield from _split(_join(content), place)
    yield from _split(_join(output.get("text", "")), place)
    yield from _split(_join(output.get("traceback", ""), "\n"), place)
    rest = {key: value for key, value in output.items() if key not in {"data", "text", "traceback"}}
    yield from _read_leaves(rest, place)


def _read_json(content: str) -> Iterator[Passage]:
    def line_of(leaf: Any) -> int:
        at = next((at for form in (True, False) if (at := content.find(json.dumps(leaf, ensure_ascii=form))) >= 0), 0)
        return content.count("\n", 0, at) + 1

    for leaf in _leaves(json.loads(content)):
        yield from _split(str(leaf), f"line {line_of(leaf)}")


def _read_leaves(value: Any, place: str) -> Iterator[Passage]:
    for leaf in _leaves(value):
        yield from _split(str(leaf), place)


def _leaves(value: Any) -> Iterator[str | int]:
    """Every key, text and whole number of a JSON value; counts and fractions are left out."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            if not (key in COUNTS and isinstance(inner, int)):
                yield from _leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)
    elif isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        yield value


def _read_lines(content: str) -> Iterator[Passage]:
    lines = content.splitlines()
    for number, line in enumerate(lines, start=1):
        yield from _split(line, f"line {number}")
    for number, pair in enumerate(pairwise(lines), start=1):
        yield from _split(" ".join(pair), f"line {number}", "joined")


def _join(text: Any, by: str = "") -> str:
    return by.join(map(str, text)) if isinstance(text, list) else str(text)


def _split(text: str, place: str, kind: str = "text") -> Iterator[Passage]:
    """A text as it is read, and again as it reads once its escapes are undone; and what hides in it."""
    if "data:image/" in text or "data:application/" in text:
        yield Passage(f"{place}, embedded data", "", UNREADABLE)
    seen = _undo(text)
    if seen.strip():
        yield Passage(place, seen, kind)
    if "%" in seen and (decoded := unquote(seen)) != seen:
        yield Passage(place, decoded, kind)


def _undo(text: str) -> str:
    text = UNSEEN.sub("", ANSI.sub("", unescape(text)))
    text = ESCAPE.sub(lambda found: chr(int(found[1] or found[2], 16)), text)
    return unicodedata.normalize("NFC", text)
