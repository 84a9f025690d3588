"""Texts of a run: pages, notebooks, exports, tracebacks. What names a person is found in them, and taken out.

By design only exports under ``private/`` name anybody; the others are looked through all the same.
"""

from __future__ import annotations

import csv
import hashlib
import html
import io
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from crmlib.rights.person import Person

#: What stands where a value stood.
GONE = "(erased)"
#: Files of rows: a row that names the person goes whole.
ROWS = (".csv", ".tsv", ".jsonl")
#: A shorter id would be found in any figure.
SHORTEST_ID = 6

_EMBEDDED = re.compile(r"base64,[A-Za-z0-9+/=\\]{200,}")
_SEPARATOR = r"[ .()/\u00a0-]{0,2}"
_SQUEEZED = str.maketrans("", "", " .()/-\u00a0")
_AT = r"(?:@|&#64;|&#x40;|%40|\\u0040)"


@dataclass(frozen=True)
class Needles:
    """How a person's values are found in a text.

    Parameters
    ----------
    pattern : re.Pattern
        Any of the values, however written.
    cores : tuple of str
        Without separators, in small letters: a text that holds none of them need not be searched.
    names, addresses : tuple of str
        A name is the person's where one of the addresses stands beside it.
    """

    pattern: re.Pattern[str]
    cores: tuple[str, ...]
    names: tuple[str, ...]
    addresses: tuple[str, ...]

    def find(self, text: str) -> list[str]:
        """The values in a text, as they are written there."""
        squeezed = _EMBEDDED.sub("", text).lower().translate(_SQUEEZED)
        found = (
            [match[0] for match in self.pattern.finditer(text)] if any(map(squeezed.__contains__, self.cores)) else []
        )
        folded = text.casefold()
        if any(address.casefold() in folded for address in self.addresses):
            found += [name for name in self.names if name.casefold() in folded]
        return found

    def take_out(self, text: str) -> str:
        """A text without the values."""
        found = self.find(text)
        without = self.pattern.sub(GONE, text)
        for name in self.names:
            if name in found:
                without = re.sub(re.escape(name), GONE, without, flags=re.IGNORECASE)
        return without


def make_needles(person: Person) -> Needles:
    """How a person's own values are found in texts: e-mails, phones, ids, and name with address."""
    emails = person.own.get("email", set()) | person.spelled.get("email", set())
    phones = {
        re.sub(r"\D", "", value)[-9:] for value in person.own.get("phone", set()) | person.spelled.get("phone", set())
    }
    ids = {re.sub(r"[\W_]", "", value) for value in person.spelled.get("national_id", set())}
    ids |= person.own.get("national_id", set())
    names = {name for _, name in person.records if len(name) >= SHORTEST_ID and re.search(r"\d", name)}
    names |= person.own.get("card", set()) | {one for ids_there in person.customers.values() for one in ids_there}
    digests = {
        hashlib.sha256(written.encode()).hexdigest()
        for value in person.own.get("email", set()) | person.own.get("phone", set())
        for written in (value, value.removeprefix("+"), value.upper())
    }
    patterns = [_AT.join(map(re.escape, value.split("@"))) for value in emails]
    patterns += [
        rf"(?<!\d)(?:(?:\+|00)\d{{1,3}}{_SEPARATOR})?{_spaced(value)}(?!\d)" for value in phones if len(value) > 6
    ]
    patterns += [rf"(?<![0-9A-Za-z]){_spaced(value)}(?![0-9A-Za-z])" for value in ids]
    patterns += [rf"(?<![0-9A-Za-z]){re.escape(value)}(?![0-9A-Za-z])" for value in names | digests]
    cores = emails | phones | ids | names | digests
    squeezed = {
        core.lower().translate(_SQUEEZED).partition("@")[0] if "@" in core else core.lower().translate(_SQUEEZED)
        for core in cores
    }
    return Needles(
        re.compile("|".join(sorted(filter(None, patterns), key=len, reverse=True)) or r"(?!)", re.IGNORECASE),
        tuple(sorted(core for core in squeezed if core)),
        _written(person.spelled.get("name", ())),
        _written(person.spelled.get("address", ())),
    )


def find_in_document(path: Path, needles: Needles) -> list[str]:
    """The lines, or of a file without rows the passages, of a document that name the person."""
    text = path.read_bytes().decode("utf-8", errors="replace")
    if not needles.find(path.name) and not needles.find(text):
        return []
    if path.suffix.lower() in ROWS:
        return [row for row in _list_rows(path, text) if needles.find(row)]
    return [line.strip()[:400] for line in text.splitlines() if needles.find(line)] or [path.name]


def clean_document(path: Path, needles: Needles) -> bytes | None:
    """A document without what names the person.

    Returns
    -------
    bytes or None
        The new content; None if the file goes, since its name names the person.
    """
    if needles.find(path.name):
        return None
    text = path.read_bytes().decode("utf-8", errors="replace")
    if path.suffix.lower() in ROWS:
        return "".join(row for row in _list_rows(path, text) if not needles.find(row)).encode()
    return needles.take_out(text).encode()


def _list_rows(path: Path, text: str) -> list[str]:
    """A file's rows as they stand there, line ends included; a quoted cell may hold some."""
    lines = io.StringIO(text, newline="").readlines()
    if path.suffix.lower() == ".jsonl":
        return lines
    reader = csv.reader(io.StringIO(text, newline=""))
    rows, begun = [], 0
    for _ in reader:
        rows.append("".join(lines[begun : reader.line_num]))
        begun = reader.line_num
    return rows


def _spaced(value: str) -> str:
    return _SEPARATOR.join(map(re.escape, value))


def _written(texts: Iterable[str]) -> tuple[str, ...]:
    """Texts as they stand in a file: plain, in a page, in JSON."""
    return tuple(sorted({form for text in texts for form in (text, html.escape(text), json.dumps(text)[1:-1])}))
