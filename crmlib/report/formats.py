"""How a value is written for a reader: thousands, shares, money, dates, nothing."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

#: Written where there is no value.
NOTHING = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"

#: End of a form that writes millions.
MILLIONS = "\N{NO-BREAK SPACE}M"

CURRENCIES = {"EUR": "€", "USD": "$", "GBP": "£", "BRL": "R$", "PLN": "zł", "MXN": "MX$"}
SYMBOLS_AFTER = {"zł"}


def format_value(value: Any, form: str = "") -> str:
    """Write one value.

    Parameters
    ----------
    value : object
        A number, date, text, boolean, or nothing (None, NaN, NaT, NA).
    form : str
        ``"0"``, ``"0.0"``, ``"0.00"``… decimals with thousands separators · ``"%"``, ``"0.0%"`` a share as
        per cent · ``"€"``, ``"EUR"``, ``"USD"``… money without cents, ``"EUR.2"`` with cents · any of these and
        `MILLIONS` in millions · ``"date"`` · ``"text"`` · ``"+0.0"`` always signed · empty: by the value's type.

    Returns
    -------
    str
        The value as written; an en dash for nothing.
    """
    if is_nothing(value):
        return NOTHING
    if is_bool(value):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d") if form == "date" else value.strftime("%Y-%m-%d %H:%M")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(format_value(item, form) for item in value)
    if isinstance(value, str) or form in {"text", "date"}:
        return str(value)
    form = form or _usual(value)
    return _honest_share(float(value), form) if form.endswith("%") else _number(value, form)


def is_nothing(value: Any) -> bool:
    """Whether a cell holds nothing: None, NaN, NaT or NA."""
    if value is None or type(value).__name__ in {"NAType", "NaTType"}:
        return True
    return isinstance(value, float | Decimal) and math.isnan(value)


def is_bool(value: Any) -> bool:
    """Whether a value is Python's or numpy's yes or no."""
    return type(value).__name__ in {"bool", "bool_"}


def is_number(value: Any) -> bool:
    """Whether a value is a number to be aligned right (yes and no are none)."""
    return not isinstance(value, str) and not is_bool(value) and hasattr(value, "__float__")


def axis_format(form: str) -> Callable[[float, Any], str]:
    """Make the function that writes an axis' ticks, with just the decimals the tick needs."""
    if form and form != "0":
        return lambda value, _: _number(value, form)
    return lambda value, _: _number(value, _usual(value if value % 1 else int(value)))


def _usual(value: Any) -> str:
    if isinstance(value, int) or float(value).is_integer():
        return "0"
    size = abs(float(value))
    return "0.0" if size >= 10 else "0.00" if size >= 0.1 else "0.0000"


def _number(value: Any, form: str) -> str:
    number = float(value)
    if math.isinf(number):
        return "∞" if number > 0 else MINUS + "∞"
    signed, form = form.startswith("+"), form.removeprefix("+")
    millions, form = form.endswith(MILLIONS), form.removesuffix(MILLIONS)
    number, scale = (number / 1e6, MILLIONS) if millions else (number, "")
    symbol, _, cents = form.partition(".")
    symbol = CURRENCIES.get(symbol, symbol)
    if form.endswith("%"):
        text = _digits(number * 100, _decimals(form)) + "%"
    elif symbol in CURRENCIES.values():
        digits = _digits(number, int(cents or 0)) + scale
        text = f"{digits} {symbol}" if symbol in SYMBOLS_AFTER else f"{symbol}{digits}"
    elif symbol.isalpha():
        text = f"{_digits(number, int(cents or 0))}{scale} {symbol}"
    else:
        text = _digits(number, _decimals(form)) + scale
    if number < 0 and any(character in "123456789" for character in text):
        return MINUS + text
    return "+" + text if signed and number > 0 else text


def _honest_share(share: float, form: str) -> str:
    """A share that only rounding makes 0 % or 100 % is said to be less, or more."""
    decimals = _decimals(form)
    smallest = 10.0 ** -(decimals + 2)
    if 0 < share < smallest / 2:
        return "<" + _number(smallest, form.removeprefix("+"))
    if 1 - smallest / 2 <= share < 1:
        return ">" + _number(1 - smallest, form.removeprefix("+"))
    return _number(share, form)


def _digits(number: float, decimals: int) -> str:
    return f"{abs(number):,.{decimals}f}"


def _decimals(form: str) -> int:
    return len(form.rstrip("%").partition(".")[2])
