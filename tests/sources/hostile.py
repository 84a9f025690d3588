"""Deliveries as no sender should write them, and some do: what each is, and what must become of it.

Each is written by a script, so that the corpus is whole and small in the repository: every row is taken in, or some are
in quarantine with their rule, or the whole is refused in one sentence.
"""

from __future__ import annotations

import gzip
import io
import os
import struct
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

HEADING = "id,name,born,changed\n"
FIELDS = {"source_record_id": "id", "full_name": "name", "birth_date": "born", "updated_at": "changed"}
ROW = "{0},Name {0},1980-01-{0:02},2026-01-01 10:00:00\n"
ROWS = "".join(ROW.format(number) for number in range(1, 6))
GOOD = HEADING + ROWS


@dataclass(frozen=True)
class Hostile:
    """One delivery.

    Parameters
    ----------
    what : str
        What is wrong with it.
    name : str
        Its file's name.
    content : bytes or callable
        What it holds; a callable writes it to the path it is given.
    accepted : int
        Rows that are taken in.
    rejected : dict of int to str
        Number of each row in quarantine, and its rule.
    refused : str
        A piece of the sentence that refuses it; empty if it is taken in.
    given : dict
        What the params say beside path and fields.
    values : tuple
        What one field holds in the end, in the order of the ids: the field's name, and its values.
    """

    what: str
    name: str
    content: bytes | Callable[[Path], None]
    accepted: int = 5
    rejected: dict[int, str] = field(default_factory=dict)
    refused: str = ""
    given: dict[str, Any] = field(default_factory=dict)
    values: tuple[Any, ...] = ()


def csv(what: str, text: str | bytes, accepted: int = 5, *, encoding: str = "utf-8", **more: Any) -> Hostile:
    """A delivery that is a text."""
    return Hostile(what, "c.csv", text if isinstance(text, bytes) else text.encode(encoding), accepted, **more)


def dialect(**given: Any) -> dict[str, Any]:
    return {"dialect": given}


def list_encodings() -> Iterator[Hostile]:
    accents = GOOD.replace("Name 1", "Ñandú Güímar ç €")
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "cp1252"):
        named = ("full_name", "Ñandú Güímar ç €", "Name 2", "Name 3", "Name 4", "Name 5")
        yield csv(f"accents in {encoding}", accents, encoding=encoding, values=named)
    yield csv("UTF-16, big-endian, with its mark", b"\xfe\xff" + GOOD.encode("utf-16-be"))
    yield csv("UTF-16 without a mark", GOOD.encode("utf-16-le"), refused="is no text")
    yield csv("UTF-32", GOOD.encode("utf-32"))
    broken = GOOD.encode().replace(b"Name 3", b"N\xe9 \xc3\xb1")
    yield csv("UTF-8 and Windows-1252 in one file", broken)
    yield csv("broken UTF-8 where UTF-8 is said", broken, refused="not in utf-8", given=dialect(encoding="utf-8"))
    yield csv("a byte that no Windows-1252 has", GOOD.encode().replace(b"Name 3", b"N\x81\x8d"), refused="encoding")
    yield csv("an encoding nobody knows", GOOD, refused="no encoding is called", given=dialect(encoding="klingon"))
    yield csv("a BOM in the middle", GOOD.replace("Name 3", "\ufeffName 3"))
    yield csv("two BOMs", b"\xef\xbb\xbf\xef\xbb\xbf" + GOOD.encode())
    yield csv("a NUL byte in a cell", GOOD.replace("Name 3", "Na\0me 3"), refused="is no text")
    yield csv("NUL bytes at the end", GOOD.encode() + b"\0" * 64, refused="is no text")
    yield csv("only NUL bytes", b"\0" * 4096, refused="is no text")
    yield csv("control characters", GOOD.replace("Name 3", "N\x07\x1b[31m3"))
    yield csv("right-to-left marks", GOOD.replace("Name 3", "\u202eemaN 3"))
    yield csv("emoji and combining accents", GOOD.replace("Name 3", "A\u0301na 👩‍👩‍👧"))


def list_shapes() -> Iterator[Hostile]:
    short, long = ROW.format(3).replace(",2026-01-01 10:00:00", ""), ROW.format(3).replace("\n", ",x,y\n")
    yield csv("a row that is too short", GOOD.replace(ROW.format(3), short), 4, rejected={3: "wrong_cells"})
    yield csv("a row that is too long", GOOD.replace(ROW.format(3), long), 4, rejected={3: "wrong_cells"})
    yield csv("a row with empty cells too many", GOOD.replace(ROW.format(3), ROW.format(3).replace("\n", ",,,\n")))
    ragged = HEADING + "1\n1,2\n1,2,3,4,5\n" + ROWS
    yield csv("ragged rows at the top", ragged, rejected=dict.fromkeys((1, 2, 3), "wrong_cells"))
    yield csv("empty lines between rows", GOOD.replace("\n", "\n\n"))
    yield csv("blank lines at the end", GOOD + "\n\n   \n", rejected={6: "wrong_cells"})
    yield csv("no line end at the end", GOOD.rstrip("\n"))
    yield csv("Windows' line ends", GOOD.replace("\n", "\r\n"))
    yield csv("old Macintosh's line ends", GOOD.replace("\n", "\r"))
    yield csv("line ends of two kinds", GOOD.replace("\n", "\r\n", 3))
    yield csv("a line end in quotes", GOOD.replace("Name 3", '"Na\nme 3"'))
    yield csv("a Windows line end in quotes", GOOD.replace("Name 3", '"Na\r\nme 3"'))
    yield csv("quotes within quotes", GOOD.replace("Name 3", '"Na ""me"" 3"'))
    yield csv("a quotation mark within a cell", GOOD.replace("Name 3", 'Na"me 3'))
    yield csv("a quotation mark never closed", GOOD.replace("Name 3", '"Name 3'), refused="never closed")
    yield csv("quotes escaped by a backslash", GOOD.replace("Name 3", '"Na \\"me\\" 3"'))
    yield csv("delimiters in quotes", GOOD.replace("Name 3", '"Name, 3"'))
    yield csv("semicolons", GOOD.replace(",", ";"))
    yield csv("tabs", GOOD.replace(",", "\t"))
    yield csv("pipes", GOOD.replace(",", "|"))
    wrong = dialect(delimiter=";")
    yield csv("another delimiter than is said", GOOD, refused="is the delimiter right", given=wrong)
    yield csv("a delimiter that is said for one file of two kinds", GOOD.replace(",", "¬"), refused="one single column")
    yield csv("headings that stand twice", GOOD.replace("id,name", "id,id").replace("born", "name"), 5,
              given={"fields": {"source_record_id": "id", "full_name": "id_2"}})  # fmt: skip
    yield csv("headings in capitals and small letters", GOOD.replace("id,name,born", "id,Name,NAME"), 5,
              given={"fields": {"source_record_id": "id", "full_name": "Name", "birth_date": "NAME_2"}})  # fmt: skip
    yield csv("blank headings", GOOD.replace("name", " "), given={"fields": {"source_record_id": "id",
              "full_name": "column_2"}})  # fmt: skip
    yield csv("headings with blanks around them", GOOD.replace("name", "  name "))
    yield csv("no heading at all", ROWS, refused="has no column 'id'")
    yield csv("a heading of blanks", "  \n" + ROWS, refused="has no heading")
    yield csv("a heading in quotes over two lines", GOOD.replace("name", '"na\nme"'), refused="has no column 'name'")
    yield csv("a title above the heading", "Customers of May,,,\n" + GOOD, refused="has no column 'id'")
    yield csv("a title above the heading that is said", "Customers of May\n" + GOOD, given=dialect(skip_rows=1))
    yield csv("a heading and nothing else", HEADING, refused="a heading but no rows")
    yield csv("nothing", b"", refused="is empty")
    yield csv("one line end", "\n", refused="no heading")
    yield csv("a total at the bottom", GOOD + "Total,,,\n", 6)
    yield csv("the heading once more in the middle", HEADING + ROWS + HEADING, rejected={6: "not_a_date"})
    wide = [f"c{number}" for number in range(496)]
    yield csv("500 columns", HEADING.rstrip() + "," + ",".join(wide) + "\n" + ROWS.replace("\n", "," * 496 + "\n"))
    yield csv("the same row twice", GOOD + ROW.format(5))
    twice = GOOD + ROW.format(5).replace("Name", "Other")
    yield csv("rows of one key that differ", twice, 4, rejected={5: "conflicting_key", 6: "conflicting_key"})
    yield csv("a key that is missing", GOOD + ",Nobody,1980-01-01,2026-01-01\n", rejected={6: "missing"})
    yield csv("a key of blanks", GOOD + "   ,Nobody,1980-01-01,2026-01-01\n", rejected={6: "missing"})
    yield csv("words of the database in cells", GOOD.replace("Name 3", "'; DROP TABLE people; --"))
    yield csv("a page's script in cells", GOOD.replace("Name 3", "<script>alert(1)</script>"))
    yield csv("a formula in a cell", GOOD.replace("Name 3", "=HYPERLINK(1;2)"))
    yield csv("headings that are words of the database", GOOD.replace("name", 'select "*"'), refused="no column 'name'")
    yield Hostile("a page in place of a table", "c.csv", b"<!DOCTYPE html><html><body>Login</body></html>",
                  refused="one single column")  # fmt: skip
    yield Hostile("a picture in place of a table", "c.csv", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + os.urandom(64),
                  refused="is no text")  # fmt: skip


def list_values() -> Iterator[Hostile]:
    def born(
        what: str, written: list[str], accepted: int, rejected: dict[int, str], values: list[str | None]
    ) -> Hostile:
        text = "id,name,born,changed\n" + "".join(f'{n},x,"{day}",\n' for n, day in enumerate(written, start=1))
        told = tuple(date.fromisoformat(value) if value else None for value in values)
        return csv(what, text, accepted, rejected=rejected, values=("birth_date", *told))

    yield born("31 February", ["2026-01-31", "2026-02-31"], 1, {2: "not_a_date"}, ["2026-01-31"])
    yield born("31/02 with the day first", ["31/01/2026", "31/02/2026"], 1, {2: "not_a_date"}, ["2026-01-31"])
    yield born("29 February of a common year", ["2024-02-29", "2025-02-29"], 1, {2: "not_a_date"}, ["2024-02-29"])
    yield born("years of two digits", ["31/12/80", "01/02/99"], 2, {}, ["1980-12-31", "1999-02-01"])
    yield born("month first", ["12/31/1980", "02/01/1999"], 2, {}, ["1980-12-31", "1999-02-01"])
    yield born("days in two ways", ["31/12/1980", "1980-12-30"], 1, {1: "not_a_date"}, ["1980-12-30"])
    yield born("no days at all", ["soon", "1980-12-30"], 1, {1: "not_a_date"}, ["1980-12-30"])
    yield born("the year zero", ["0000-00-00", "1980-12-30"], 1, {1: "not_a_date"}, ["1980-12-30"])
    yield born("a year far away", ["99999-01-01", "1980-12-30"], 1, {1: "not_a_date"}, ["1980-12-30"])
    money = {"path": "c.csv", "fields": {"ticket_id": "t", "bought_at": "at", "amount": "paid"}}

    def paid(what: str, written: list[str], accepted: int, rejected: dict[int, str], **more: Any) -> Hostile:
        text = "t;at;paid\n" + "".join(f"{n};2026-01-01;{one}\n" for n, one in enumerate(written, start=1))
        return csv(what, text, accepted, rejected=rejected, given={"entity": "tickets", **money}, **more)

    yield paid("decimal comma and thousands' points", ["1.234,56", "12,5", "1.000,00"], 3, {},
               values=("amount", "1234.56", "12.50", "1000.00"))  # fmt: skip
    yield paid("decimal point and thousands' commas", ["1,234.56", "12.5", "1,000.00"], 3, {},
               values=("amount", "1234.56", "12.50", "1000.00"))  # fmt: skip
    yield paid("comma and point in one column", ["1.234,56", "12,50", "1,234.56"], 2, {3: "not_a_number"})
    yield paid("an amount that is endless", ["9" * 60, "5"], 1, {1: "*"})
    yield paid("infinity, not a number", ["inf", "NaN", "5"], 1, {1: "not_a_number", 2: "not_a_number"})
    yield paid("a power of ten", ["1e9", "5"], 1, {1: "*"})
    yield paid("an amount with its currency", ["12,50 €", "EUR 5,00"], 2, {}, values=("amount", "12.50", "5.00"))


def workbook(write: Callable[[Any, Any], None], **options: Any) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        import xlsxwriter

        with xlsxwriter.Workbook(path, options) as book:
            write(book, book.add_worksheet("Datos"))

    return make


def _fill(sheet: Any, above: int = 0) -> None:
    for row, line in enumerate(GOOD.splitlines()):
        for column, cell in enumerate(line.split(",")):
            sheet.write(row + above, column, cell)


def list_workbooks() -> Iterator[Hostile]:
    def plain(book: Any, sheet: Any) -> None:
        _fill(sheet)

    def merged(book: Any, sheet: Any) -> None:
        sheet.merge_range(0, 0, 0, 3, "Clientes de mayo")
        _fill(sheet, above=1)

    def formulas(book: Any, sheet: Any) -> None:
        _fill(sheet)
        sheet.write_formula(3, 1, '=CONCATENATE("Na","me 3")', value="Name 3")

    def errors(book: Any, sheet: Any) -> None:
        _fill(sheet)
        sheet.write_formula(3, 1, "=1/0", value="#DIV/0!")

    def hidden(book: Any, sheet: Any) -> None:
        sheet.write(0, 0, "do not read this")
        shown = book.add_worksheet("Clientes")
        _fill(shown)
        shown.activate()
        sheet.hide()

    def serial(book: Any, sheet: Any) -> None:
        days = book.add_format({"num_format": "dd/mm/yyyy"})
        for column, heading in enumerate(HEADING.strip().split(",")):
            sheet.write(0, column, heading)
        for number in range(1, 6):
            for column, (cell, style) in enumerate(
                [(number, None), (f"N {number}", None), (29220 + number, days), ("", None)]
            ):
                sheet.write(number, column, cell, style)

    def rare(book: Any, sheet: Any) -> None:
        _fill(sheet)
        sheet.write(200_000, 0, "99")

    def cover(book: Any, sheet: Any) -> None:
        _fill(book.add_worksheet("Clientes"))

    for what, write, more in (
        ("a workbook", plain, {}),
        ("a workbook with merged cells above its heading", merged, {"refused": "has no column 'id'"}),
        ("merged cells that are said", merged, {"given": dialect(skip_rows=1)}),
        ("formulas", formulas, {"values": ("full_name", "Name 1", "Name 2", "Name 3", "Name 4", "Name 5")}),
        ("a formula that failed", errors, {}),
        ("a hidden sheet in front", hidden, {}),
        ("an empty sheet in front", cover, {}),
        ("days that are numbers", serial, {"values": ("birth_date", *(date(1980, 1, n) for n in range(1, 6)))}),
        ("a cell far below", rare, {"accepted": 6}),
        ("a sheet that is not there", plain, {"given": dialect(sheet="Nada"), "refused": "has no sheet 'Nada'"}),
    ):
        yield Hostile(what, "c.xlsx", workbook(write), **more)
    yield Hostile("a workbook that is a text", "c.xlsx", GOOD.encode(), refused="is no workbook")
    yield Hostile("a workbook cut short", "c.xlsx", lambda path: _cut(path, workbook(plain)), refused="is no workbook")


def _cut(path: Path, make: Callable[[Path], None]) -> None:
    make(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def pack(members: dict[str, bytes], **flags: Any) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = flags.get("attributes", 0o600) << 16
            archive.writestr(entry, content)
    return packed.getvalue()


def list_archives() -> Iterator[Hostile]:
    good = GOOD.encode()

    def zipped(what: str, content: bytes, **more: Any) -> Hostile:
        return Hostile(what, "c.zip", content, **more)

    yield zipped("a zip", pack({"c.csv": good}))
    yield zipped("a member with a path that leads out", pack({"../../../../tmp/evil.csv": good}))
    yield zipped("a member with an absolute path", pack({"/etc/evil.csv": good}))
    yield zipped("a member with a path as Windows writes it", pack({"..\\..\\evil.csv": good}))
    yield zipped("a zip in a zip", pack({"inner.zip": pack({"c.csv": good})}), refused="is no text")
    yield zipped("a link in a zip", pack({"c.csv": b"/etc/passwd"}, attributes=0o120777), refused="holds a link")
    yield zipped("a zip cut short", pack({"c.csv": good * 50})[:-40], refused="is no zip archive, or is only part")
    yield zipped("a zip that is a text", good, refused="is no zip archive")
    yield zipped("a zip of nothing", pack({}), refused="holds no member")
    yield zipped("a zip without the member", pack({"a.csv": good}), given={"member": "b*.csv"}, refused="no member b")
    locked = bytearray(pack({"c.csv": good}))
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = locked.index(mark) + place
        locked[at : at + 2] = struct.pack("<H", struct.unpack("<H", locked[at : at + 2])[0] | 1)
    yield zipped("a zip with a password", bytes(locked), refused="is encrypted")
    bomb = pack({"c.csv": b"\0" * (1 << 24)})
    central = bomb.index(b"PK\x01\x02")
    huge = bytearray(bomb)
    huge[central + 24 : central + 28] = struct.pack("<I", 0xFFFFFFF0)
    yield zipped("a zip bomb", bytes(huge), refused="would unpack to more than")
    yield Hostile("gzip", "c.csv.gz", gzip.compress(good))
    yield Hostile("a gzip bomb", "c.csv.gz", gzip.compress(b"0" * (1 << 26)), refused="would unpack to more than")
    yield Hostile("gzip cut short", "c.csv.gz", gzip.compress(good * 50)[:-20], refused="is only part of one")
    yield Hostile("gzip that is a text", "c.csv.gz", good, refused="is no gzip file")
    yield Hostile("gzip with rubbish behind it", "c.csv.gz", gzip.compress(good) + b"rubbish", refused="no gzip file")


def list_json() -> Iterator[Hostile]:
    lines = "".join(f'{{"id": "{n}", "name": "Name {n}", "born": null, "changed": null}}\n' for n in range(1, 6))

    def told(what: str, text: str | bytes, **more: Any) -> Hostile:
        return Hostile(what, "c.jsonl", text if isinstance(text, bytes) else text.encode(), **more)

    yield told("lines of JSON", lines)
    yield told("a line that is cut off", lines + '{"id": "6", "na', rejected={6: "wrong_cells"})
    yield told("a line that is no object", lines + "[1, 2]\n", rejected={6: "wrong_cells"})
    yield told("a line that is not UTF-8", lines.encode() + b'{"id": "6\xff"}\n', rejected={6: "wrong_cells"})
    yield told("nesting without end", lines + '{"id": ' + "[" * 5_000 + "]" * 5_000 + "}\n", accepted=6)
    yield told(
        "values as keys", "".join(f'{{"id": "{n}", "k{n}": 1}}\n' for n in range(3_000)), refused="values used as"
    )
    yield told("no line of JSON", "a,b\n1,2\n", refused="no line of JSON that is an object")


def list_large() -> Iterator[Hostile]:
    def line(path: Path) -> None:
        with path.open("w") as file:
            file.write(HEADING + ROW.format(1) + '2,"')
            for _ in range(50):
                file.write("x" * (1 << 20))
            file.write('",1980-01-02,2026-01-01 10:00:00\n' + "".join(ROW.format(n) for n in range(3, 6)))

    def endless(path: Path) -> None:
        with path.open("w") as file:
            for _ in range(50):
                file.write("x" * (1 << 20))

    yield Hostile("a cell of 50 MB", "c.csv", line, refused="a row is longer than 4 MB")
    yield Hostile("one line of 50 MB and nothing else", "c.csv", endless, refused="one single column")


def list_others() -> Iterator[Hostile]:
    def link(path: Path) -> None:
        outside = path.parent.parent / "outside.csv"
        outside.write_text(GOOD)
        path.symlink_to(outside)

    def folder(path: Path) -> None:
        path.mkdir()

    yield Hostile("a link that leads out of its folder", "c.csv", link, refused="link that leads out",
                  given={"path": "in/c*.csv"})  # fmt: skip
    yield Hostile("a folder of a file's name", "c.csv", folder, refused="there is no file")
    yield Hostile("Parquet cut short", "c.parquet", b"PAR1" + b"\0" * 100, refused="is not Parquet")
    hashes = "id,name,born,changed,password_hash\n" + "".join(
        ROW.format(n).replace("\n", f",$2y$10${'a' * 53}\n") for n in range(1, 6)
    )
    yield csv("hashes of passwords", hashes)
    cards = GOOD.replace("changed", "changed,tarjeta").replace(":00\n", ":00,4111111111111111\n")
    yield csv("a password that is asked for", hashes, refused="never taken in",
              given={"fields": {**FIELDS, "company": "password_hash"}})  # fmt: skip
    yield csv("one payment card in every row", cards)


def list_hostile() -> list[Hostile]:
    """The whole corpus."""
    groups = (
        list_encodings, list_shapes, list_values, list_workbooks, list_archives, list_json, list_large, list_others,
    )  # fmt: skip
    return [one for group in groups for one in group()]
