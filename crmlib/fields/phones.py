"""What a phone number is: international form, mobile or landline, and whether anybody could answer it."""

from __future__ import annotations

import re
from typing import NamedTuple

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType

LONGEST_PHONE = 60

_KINDS = {
    PhoneNumberType.MOBILE: "mobile",
    PhoneNumberType.FIXED_LINE: "landline",
    PhoneNumberType.FIXED_LINE_OR_MOBILE: "mobile",
}
_SEVERAL = re.compile(r"[/;|]|\s[yo]\s|,(?=\s*\+?\d{6})", re.IGNORECASE)
_RUN = re.compile(r"(\d)\1{6,}$")
#: Digits in sequence, typed where there is no number.
STAIRS = frozenset({"12345678", "123456789", "23456789", "98765432", "987654321", "0123456789", "1234567890"})


class Phone(NamedTuple):
    """A phone number; kind is ``mobile``, ``landline`` or ``other`` (premium, internet, free of charge)."""

    e164: str | None
    kind: str | None
    valid: bool


def normalise_phone(value: str | None, region: str) -> Phone:
    """Write a phone number in E.164.

    Parameters
    ----------
    value : str, optional
        The number as delivered; of several in one field, the first that is valid.
    region : str
        Country (ISO 3166-1 alpha-2) whose numbers need no prefix.

    Returns
    -------
    Phone
        Not valid where no such number can exist (then `e164` is None), or where it is a filler (the same digit,
        or digits in sequence).
    """
    text = (value or "")[:LONGEST_PHONE]
    if sum(map(str.isdigit, text)) < 5:
        return Phone(None, None, False)
    best = Phone(None, None, False)
    for part in _SEVERAL.split(text):
        phone = _read_one(part, region)
        if phone.valid:
            return phone
        best = best if best.e164 else phone
    return best


def _read_one(text: str, region: str) -> Phone:
    written = re.sub(r"^\s*00(?=\d)", "+", text)
    try:
        number = phonenumbers.parse(written, region)
    except NumberParseException:
        return Phone(None, None, False)
    number.extension = None
    # a number of no type is one that its country's plan does not hold
    kind = phonenumbers.number_type(number)
    if kind == PhoneNumberType.UNKNOWN:
        return Phone(None, None, False)
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    national = phonenumbers.national_significant_number(number)
    filler = bool(_RUN.search(national)) or national in STAIRS
    return Phone(e164, _KINDS.get(kind, "other"), not filler)
