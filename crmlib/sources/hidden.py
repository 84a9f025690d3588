"""What is never taken in: passwords, tokens and numbers of payment cards are dropped at the door, and told of."""

from __future__ import annotations

import re
from dataclasses import replace

from crmlib.engine import Engine, literal, quote
from crmlib.errors import InputError
from crmlib.sources.reading import ReadFile, narrow

#: Headings of what only its owner should know.
SECRET_HEADING = re.compile(
    r"passw(or)?d|passwort|\bpwd\b|^pwd|contrase[nñ]a|clave[\W_]*(de[\W_]+)?(acceso|web|usuario)|"
    r"senha|kennwort|mot_de_passe|has[lł]o|"
    r"(^|[_\W])(rp_)?token([_\W]|$)|api_?key|secret|\bcvv\d?\b|\bcvc\d?\b|(credit|payment)[_\W]?card[_\W]?(no|num)",
    re.IGNORECASE,
)
#: Contents that say so themselves: hashes as shops keep them.
PASSWORD_HASH = r"^(\$2[abxy]?\$\d\d\$|\$argon2|\$P\$|\$H\$|[0-9a-f]{64}:[^:]+:\d$)"
#: As many digits as numbers of payment cards have, in the ranges they begin with.
CARD_NUMBER = r"^(4\d{15}|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|6(011|5\d\d)\d{12})$"
#: Texts looked at in each column, and how many of them must be secrets: of card numbers one in ten is so by chance.
SAMPLED, LEAST, SHARE = 200, 3, 0.8


def drop_secrets(engine: Engine, read: ReadFile) -> tuple[ReadFile, tuple[str, ...]]:
    """Let a file's secret columns go.

    Parameters
    ----------
    engine : Engine
    read : ReadFile

    Returns
    -------
    (ReadFile, tuple of str)
        The file without them, and their headings.
    """
    found = _find_secret_texts(engine, read)
    secret = tuple(name for name in read.columns if SECRET_HEADING.search(name) or _are_secrets(found.get(name, [])))
    if not secret:
        return read, ()
    left = {name: kind for name, kind in read.columns.items() if name not in secret}
    lines = dict.fromkeys(read.unreadable, "(not kept: the file holds passwords or numbers of payment cards)")
    return replace(narrow(engine, read, left), unreadable=lines), secret


def check_not_secret(used: set[str], secret: tuple[str, ...], where: str) -> None:
    """Refuse a mapping that asks for a secret.

    Raises
    ------
    InputError
        Naming the column.
    """
    for name in secret:
        if name in used:
            raise InputError(
                f"{where}: the column '{name}' holds passwords, tokens or numbers of payment cards, which are never "
                "taken in; leave it out of the mapping."
            )


def _find_secret_texts(engine: Engine, read: ReadFile) -> dict[str, list[str]]:
    """The texts of each column's sample that look like hashes of passwords or numbers of cards."""
    bare = "replace(replace(trim(text), ' ', ''), '-', '')"
    selects = [
        f"SELECT DISTINCT {place} AS place, {bare} AS text FROM (SELECT {quote(name)} AS text "
        f"FROM {quote(read.sample)} WHERE {quote(name)} IS NOT NULL LIMIT {SAMPLED}) "
        f"WHERE regexp_matches({bare}, {literal(CARD_NUMBER)}) OR regexp_matches(text, {literal(PASSWORD_HASH)})"
        for place, (name, kind) in enumerate(read.columns.items())
        if kind == "VARCHAR"
    ]
    headings = list(read.columns)
    found: dict[str, list[str]] = {}
    for row in engine.rows(" UNION ALL ".join(selects)) if selects else ():
        found.setdefault(headings[row["place"]], []).append(row["text"])
    return found


def _are_secrets(texts: list[str]) -> bool:
    hashes = sum(not text.isdigit() for text in texts)
    cards = [text for text in texts if text.isdigit()]
    return hashes >= LEAST or (len(cards) >= LEAST and sum(map(_passes_luhn, cards)) >= SHARE * len(cards))


def _passes_luhn(digits: str) -> bool:
    doubled = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(digits))]
    return sum(number - 9 if number > 9 else number for number in doubled) % 10 == 0
