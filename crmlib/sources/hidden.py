"""What is never taken in: passwords, tokens and numbers of payment cards are dropped at the door, and told of."""

from __future__ import annotations

import re
from dataclasses import replace

from crmlib.engine import Engine, literal, quote
from crmlib.errors import InputError
from crmlib.sources.reading import ReadFile, narrow

#: Headings of what only its owner should know.
SECRET_HEADING = re.compile(
    r"passw(or)?d|passwort|\bpwd\b|^pwd|contrase[nñ]a|clave_acceso|mot_de_passe|has[lł]o|"
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
    secret = tuple(name for name in read.columns if SECRET_HEADING.search(name) or _holds_secrets(engine, read, name))
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


def _holds_secrets(engine: Engine, read: ReadFile, name: str) -> bool:
    if read.columns[name] != "VARCHAR":
        return False
    texts = [
        row["text"]
        for row in engine.rows(
            f"SELECT DISTINCT replace(replace(trim({quote(name)}), ' ', ''), '-', '') AS text FROM "
            f"(SELECT {quote(name)} FROM {quote(read.table)} WHERE {quote(name)} IS NOT NULL LIMIT {SAMPLED}) "
            f"WHERE regexp_matches(replace(replace(trim({quote(name)}), ' ', ''), '-', ''), {literal(CARD_NUMBER)}) "
            f"OR regexp_matches({quote(name)}, {literal(PASSWORD_HASH)})"
        )
    ]
    hashes = sum(not text.isdigit() for text in texts)
    cards = [text for text in texts if text.isdigit()]
    return hashes >= LEAST or (len(cards) >= LEAST and sum(map(_passes_luhn, cards)) >= SHARE * len(cards))


def _passes_luhn(digits: str) -> bool:
    doubled = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(digits))]
    return sum(number - 9 if number > 9 else number for number in doubled) % 10 == 0
