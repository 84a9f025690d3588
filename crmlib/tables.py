"""The contracts: what each table holds, checked at every write; the data dictionary is made from them.

`CONTRACTS` is read from `contracts.txt` beside this module: a paragraph per table, a line per column.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from crmlib.errors import ContractError

#: Type as the contracts name it -> (type in SQL, type in Arrow)
TYPES = {
    "text": ("VARCHAR", "string"),
    "texts": ("VARCHAR[]", "list<string>"),
    "bool": ("BOOLEAN", "bool"),
    "int": ("BIGINT", "int64"),
    "float": ("DOUBLE", "double"),
    "money": ("DECIMAL(18,2)", "decimal128(18, 2)"),
    "date": ("DATE", "date32"),
    "time": ("TIMESTAMP WITH TIME ZONE", "timestamp[us, tz=UTC]"),
    "shares": ("MAP(VARCHAR, DOUBLE)", "map<string, double>"),
}


@dataclass(frozen=True)
class Column:
    """One column of a contract.

    Parameters
    ----------
    name : str
        Its name; ``<…>`` in it stands for a number or word, so that one line covers a family of columns.
    kind : str
        A key of `TYPES`.
    meaning : str
        One sentence for the data dictionary.
    key : bool
        Whether it belongs to the table's key.
    null : bool
        Whether it may be empty.
    unit : str
        Unit of measure, or an empty text.
    values : tuple of str
        The only values it may hold; empty where any may.
    """

    name: str
    kind: str
    meaning: str
    key: bool = False
    null: bool = True
    unit: str = ""
    values: tuple[str, ...] = ()

    @property
    def sql_type(self) -> str:
        """The column's type in SQL."""
        return TYPES[self.kind][0]

    @property
    def arrow_type(self) -> str:
        """The column's type in Arrow."""
        return TYPES[self.kind][1]

    def matches(self, name: str) -> bool:
        """Whether a column of this name is meant."""
        if "<" not in self.name:
            return name == self.name
        return re.fullmatch(re.sub(r"<\w+>", r"\\w+", self.name), name) is not None


@dataclass(frozen=True)
class Contract:
    """What one table holds.

    Parameters
    ----------
    name : str
        The table's name.
    meaning : str
        What one row is.
    rooms : tuple of str
        Numbers of the notebooks that write it; a table of several rooms is a folder, a file each.
    columns : tuple of Column
        In the order they are written.
    versioned : bool
        Whether `updated_at` ends its key: readers see the latest version of each key.
    happens : tuple of str
        Columns that date a row; a row with any of them after the as-of date is stored and unseen.
    """

    name: str
    meaning: str
    rooms: tuple[str, ...]
    columns: tuple[Column, ...] = field(repr=False)
    versioned: bool = False
    happens: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, ...]:
        """Names of the key's columns."""
        return tuple(column.name for column in self.columns if column.key)

    @property
    def shared(self) -> bool:
        """Whether several rooms write their own part of it."""
        return len(self.rooms) > 1

    def column(self, name: str) -> Column | None:
        """The column that a name means; None if the contract has none."""
        return next((column for column in self.columns if column.matches(name)), None)


def _read_column(table: str, line: str) -> Column:
    parts = re.split(r"\s{2,}", line.strip(), maxsplit=3)
    if len(parts) != 4:
        raise ContractError(f"Table '{table}': a column's line needs name, type, marks, meaning: {line.strip()}")
    name, kind, marks, meaning = parts
    given: dict[str, Any] = {"null": True}
    for mark in (mark.strip() for mark in marks.split(",")):
        if mark == "key":
            given |= {"key": True, "null": False}
        elif mark == "set":
            given["null"] = False
        elif mark.startswith("of "):
            given["values"] = tuple(mark[3:].split("/"))
        elif mark != "-":
            given["unit"] = mark
    return Column(name, kind, meaning, **given)


def _read_contract(paragraph: str) -> Contract:
    head, about, *lines = paragraph.strip().splitlines()
    name, *marks = re.split(r"\s{2,}", head.strip())
    rooms: tuple[str, ...] = ()
    happens: tuple[str, ...] = ()
    for mark in marks:
        word, *rest = mark.split()
        if word in ("room", "rooms"):
            rooms = tuple(rest)
        elif word == "happens":
            happens = tuple(rest)
    columns = tuple(_read_column(name, line) for line in lines)
    versioned = any(column.key and column.name == "updated_at" for column in columns)
    return Contract(name, about.strip(), rooms, columns, versioned, happens)


def _read_contracts(text: str) -> dict[str, Contract]:
    paragraphs = [part for part in re.split(r"\n\s*\n", text) if part.strip() and not part.startswith("#")]
    contracts = [_read_contract(paragraph) for paragraph in paragraphs]
    return {contract.name: contract for contract in contracts}


#: Every table of a run, by name.
CONTRACTS = _read_contracts(files("crmlib").joinpath("contracts.txt").read_text(encoding="utf-8"))


def find_contract(name: str) -> Contract:
    """The contract of a table.

    Raises
    ------
    ContractError
        If no table has this name.
    """
    if name not in CONTRACTS:
        raise ContractError(f"There is no table '{name}'; the contracts are {', '.join(sorted(CONTRACTS))}.")
    return CONTRACTS[name]
