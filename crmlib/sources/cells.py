"""Cells of typed places (workbooks, databases) as texts, all written one way: their meaning is the mapping's."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any


def say(cell: Any) -> str | None:
    """A cell as a text: numbers with a point, times as ISO 8601 writes them, lists and objects as JSON."""
    if cell is None or isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ")
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, Decimal):
        return format(cell, "f")
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, (bytes, memoryview)):
        return bytes(cell).hex()
    if isinstance(cell, timedelta):
        return str(cell)
    if isinstance(cell, (dict, list)):
        return json.dumps(cell, ensure_ascii=False, default=str)
    return str(cell)
