"""Dialects: how a text file is written, found out where params do not say."""

from __future__ import annotations

import codecs
import csv
import io
from itertools import islice
from pathlib import Path

from crmlib.errors import InputError
from crmlib.params import Dialect
from crmlib.sources.headings import name_columns

DELIMITERS = (",", ";", "\t", "|")
SNIFFED_BYTES = 1 << 16
READ_BYTES = 1 << 22
#: Bytes beyond ASCII without which no code page is guessed.
TELLING_BYTES = 10
#: Central European and Cyrillic Windows, and what old Western systems write.
OTHER_CODE_PAGES = ("cp1250", "cp1251", "cp850", "cp437")


def check_not_empty(path: Path, where: str) -> None:
    """Refuse an empty file.

    Raises
    ------
    InputError
        Naming it.
    """
    if path.stat().st_size == 0:
        raise InputError(f"{where}: the file {path.name} is empty.")


def sniff_dialect(
    path: Path, kind: str | None, given: Dialect, where: str, whole: bool = True
) -> tuple[Dialect, tuple[str, ...]]:
    """Find out encoding and delimiter where they are not given.

    Parameters
    ----------
    path : Path
    kind : {"csv", "tsv"} or None
        Format, as params say.
    given : Dialect
        What params say of the file.
    where : str
        The key in the params, for errors.
    whole : bool
        Whether a text is read to its end before it is taken for UTF-8; else whoever reads it must look out.

    Returns
    -------
    (Dialect, tuple of str)
        The whole dialect, and the names of what was found out.

    Raises
    ------
    InputError
        If the file is empty or no text, or not in the encoding that was given.
    """
    check_not_empty(path, where)
    found: dict[str, str] = {}
    if given.encoding is None:
        found["encoding"] = _sniff_encoding(path, where, whole)
    else:
        try:
            codecs.lookup(given.encoding)
        except LookupError:
            raise InputError(f"{where}: no encoding is called {given.encoding}; write utf-8 or cp1252.") from None
    if given.delimiter is None and kind == "tsv":
        given = given.model_copy(update={"delimiter": "\t"})
    if given.delimiter is None:
        head = _head(path, found.get("encoding") or given.encoding or "", where)
        found["delimiter"] = _sniff_delimiter(head, given.skip_rows)
    return given.model_copy(update=found), tuple(found)


def read_heading(path: Path, dialect: Dialect, where: str) -> tuple[list[str], int]:
    """The names of a text file's columns, and how many lines stand above its first row.

    A name that stands twice gets a number, and a column without one its place.

    Raises
    ------
    InputError
        If there is no heading.
    """
    if dialect.header:
        return list(dialect.header), dialect.skip_rows
    lines = io.StringIO(_head(path, dialect.encoding or "", where), newline="")
    for _ in range(dialect.skip_rows):
        next(lines, None)
    if dialect.delimiter == "whitespace":
        names, length = next(lines, "").split(), 1
    else:
        reader = csv.reader(lines, delimiter=dialect.delimiter or ",")
        names, length = next(reader, []), reader.line_num
    if not any(name.strip() for name in names):
        raise InputError(f"{where}: the file {path.name} has no heading; give its columns under dialect: header:.")
    return name_columns(names), dialect.skip_rows + length


def _head(path: Path, encoding: str, where: str) -> str:
    with path.open("rb") as file:
        start = file.read(SNIFFED_BYTES)
    try:
        return codecs.getincrementaldecoder(encoding)().decode(start).removeprefix("\ufeff")
    except UnicodeDecodeError:
        raise InputError(
            f"{where}: the file {path.name} is not in {encoding}; "
            "give its encoding under dialect:, such as {encoding: cp1252}."
        ) from None


def _sniff_encoding(path: Path, where: str, whole: bool) -> str:
    """By byte-order mark; else UTF-8 if the whole file, or its head, is; else the code page that fits."""
    with path.open("rb") as file:
        start = file.read(SNIFFED_BYTES)
        if start.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
            return "utf-32"
        if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        if start.startswith(codecs.BOM_UTF8):
            return "utf-8-sig"
        if b"\0" in start:
            raise InputError(
                f"{where}: the file {path.name} is no text. CSV, TSV and Parquet can be read: "
                "export it as one of them, or give its format: under the entity."
            )
        decoder = codecs.getincrementaldecoder("utf-8")()
        file.seek(0)
        try:
            while block := file.read(READ_BYTES):
                decoder.decode(block)
                if not whole:
                    return "utf-8"
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            pass
        else:
            return "utf-8"
        file.seek(0)
        telling = b"".join(line for line in file.read(READ_BYTES).splitlines(keepends=True) if not line.isascii())
    encoding = _guess_code_page(telling)
    try:
        with path.open(encoding=encoding) as text:
            while text.read(READ_BYTES):
                pass
    except UnicodeDecodeError:
        raise InputError(
            f"{where}: the encoding of {path.name} could not be found out; "
            "give it under dialect:, such as {encoding: cp1252}."
        ) from None
    return encoding


def _guess_code_page(telling: bytes) -> str:
    """The code page of text that is not UTF-8: the Western one unless it is implausible, since it is the commonest."""
    if sum(byte > 127 for byte in telling[:SNIFFED_BYTES]) < TELLING_BYTES:
        return "cp1252"
    from charset_normalizer import from_bytes

    matches = from_bytes(telling, cp_isolation=["cp1252", *OTHER_CODE_PAGES])
    best = matches.best()
    if best is None or any("cp1252" in match.could_be_from_charset for match in matches):
        return "cp1252"
    return best.encoding if best.encoding in OTHER_CODE_PAGES else "cp1252"


def _sniff_delimiter(head: str, skip_rows: int) -> str:
    """The sign that splits most of the first lines into the same number of cells, more than one."""
    scores = {}
    for delimiter in DELIMITERS:
        lines = io.StringIO(head, newline="")
        for _ in range(skip_rows):
            next(lines, None)
        rows = [row for row in islice(csv.reader(lines, delimiter=delimiter), 50) if row]
        # the last one may be cut off
        widths = [len(row) for row in (rows[:-1] if len(rows) > 2 else rows)]
        if widths and widths[0] > 1:
            scores[delimiter] = (sum(width == widths[0] for width in widths) / len(widths), widths[0])
    return max(scores, key=lambda delimiter: scores[delimiter]) if scores else ","
