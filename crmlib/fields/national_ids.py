"""What a national identity or tax number is: its one form, its kind, and whether its check digit holds."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from stdnum.br import cpf
from stdnum.es import cif, dni, nie
from stdnum.it import codicefiscale
from stdnum.pl import pesel

LONGEST_ID = 40

# Numbers that people type when they have none; their check digits hold.
_FILLERS = frozenset(
    {"12345678Z", "87654321X", "X1234567L", "12345678909", "00000000T", "X0000000T", "99999999R", "B00000000"}
)


class NationalId(NamedTuple):
    """A national id; `valid` is None where no check digit is known for the country or its form."""

    value: str | None
    kind: str | None
    valid: bool | None


def normalise_national_id(value: str | None, country: str) -> NationalId:
    """Write a national id in its one form and check its check digit.

    Parameters
    ----------
    value : str, optional
        The id as delivered.
    country : str
        Country (ISO 3166-1 alpha-2) that issued it. Checked are ES (DNI, NIE, CIF), BR (CPF), PL (PESEL)
        and IT (codice fiscale).

    Returns
    -------
    NationalId
        Letters and digits in upper case; a Spanish DNI with the zeros that spreadsheets drop. A country
        without a check, or a DNI without its letter, has `valid` None: neither right nor wrong.
    """
    text = re.sub(r"[\W_]+", "", (value or "")[:LONGEST_ID]).upper()
    if country == "ES":
        text = re.sub(r"^ES(?=[0-9A-Z]{9}$)", "", text)
    if not any(map(str.isdigit, text)):
        return NationalId(text or None, None, False) if text else NationalId(None, None, None)
    checks = _CHECKS.get(country)
    if checks is None:
        return NationalId(text, None, None if len(set(text)) > 1 else False)
    for kind, form, complete, is_valid in checks:
        if re.fullmatch(form, text):
            whole = complete(text)
            if kind == "dni" and whole.isdigit():
                return NationalId(whole, kind, None if len(set(whole)) > 1 else False)
            return NationalId(whole, kind, is_valid(whole) and not _is_filler(whole))
    return NationalId(text, None, False)


def list_fillers() -> frozenset[str]:
    """The numbers that people type when they have none although their check digits hold."""
    return _FILLERS


def _is_filler(value: str) -> bool:
    digits = re.sub(r"\D", "", value)
    return value in _FILLERS or len(set(digits)) == 1


def _pad_dni(text: str) -> str:
    return text.zfill(8) if text.isdigit() else text.zfill(9)


def _same(text: str) -> str:
    return text


_Check = tuple[str, str, Callable[[str], str], Callable[[str], bool]]

#: Country -> kind, its form, how it is completed, its check
_CHECKS: dict[str, tuple[_Check, ...]] = {
    "ES": (
        ("dni", r"\d{5,8}[A-Z]?", _pad_dni, dni.is_valid),
        ("nie", r"[XYZ]\d{7}[A-Z]", _same, nie.is_valid),
        ("cif", r"[A-HJNP-SUVW]\d{7}[0-9A-J]", _same, cif.is_valid),
    ),
    "BR": (("cpf", r"\d{9,11}", lambda text: text.zfill(11), cpf.is_valid),),
    "PL": (("pesel", r"\d{10,11}", lambda text: text.zfill(11), pesel.is_valid),),
    "IT": (("codice_fiscale", r"[A-Z0-9]{16}", _same, codicefiscale.is_valid),),
}
