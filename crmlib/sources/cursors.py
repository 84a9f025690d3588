"""Cursors: how far an incremental source has been read, as the ledger keeps it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from crmlib.errors import InputError


@dataclass(frozen=True)
class Cursor:
    """A value that only grows.

    Parameters
    ----------
    value : datetime, date, int, Decimal or str
    """

    value: datetime | date | int | Decimal | str

    def __str__(self) -> str:
        kind = {datetime: "time", date: "date", int: "number", Decimal: "number"}.get(type(self.value), "text")
        return f"{kind}:{self.value.isoformat() if isinstance(self.value, date) else self.value}"

    @classmethod
    def read(cls, text: str | None) -> Cursor | None:
        """Read what `str` gave."""
        if text is None:
            return None
        kind, _, said = text.partition(":")
        readers: dict[str, Any] = {"time": datetime.fromisoformat, "date": date.fromisoformat, "number": _number}
        return cls(readers.get(kind, str)(said))

    @classmethod
    def furthest(cls, before: Cursor | None, cells: Iterable[Any], where: str) -> Cursor | None:
        """The highest of what was reached before and some cells; an empty cell is none.

        Raises
        ------
        InputError
            If the cells cannot be put in order; `where` is the key in the params, for that.
        """
        values = [_plain(cell) for cell in cells if cell is not None]
        if before is not None:
            values.append(before.value)
        try:
            return cls(max(values)) if values else None
        except TypeError:
            raise InputError(
                f"{where}.cursor: the column holds values that cannot be put in order; choose another."
            ) from None

    def back(self, days: int) -> Cursor:
        """So many days earlier, where it is a time."""
        return Cursor(self.value - timedelta(days=days)) if isinstance(self.value, date) else self


def _plain(cell: Any) -> Any:
    return _number(str(cell)) if isinstance(cell, (int, float, Decimal)) and not isinstance(cell, bool) else cell


def _number(text: str) -> int | Decimal:
    """A whole number stays one, so that a database can look it up in an index."""
    number = Decimal(text)
    return int(number) if number == number.to_integral_value() else number
