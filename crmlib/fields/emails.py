"""What an e-mail address is: its syntax, the mailbox behind its spellings, and whether a person owns it."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import NamedTuple

from email_validator import EmailNotValidError, validate_email

from crmlib.fields.reference import read_rows, read_words

LONGEST_ADDRESS = 254
LONGEST_LOCAL = 64

# Most local parts are plain words with dots between them; the rest is left to the library.
_PLAIN_LOCAL = re.compile(r"[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*")

_DOTLESS_DOMAINS = frozenset({"gmail.com"})
_ROLES = read_words("email_role")
_JUNK = read_words("email_junk")


class Email(NamedTuple):
    """An e-mail address; `mailbox` is one for all the spellings that reach the same inbox."""

    address: str | None
    mailbox: str | None
    kind: str | None
    valid: bool


def normalise_email(value: str | None) -> Email:
    """Write an e-mail address in its one form, without asking the network.

    Parameters
    ----------
    value : str, optional
        The address as delivered; ``mailto:``, angle brackets and full stops around it are taken off.

    Returns
    -------
    Email
        `address` in lower case; `mailbox` without tag (``+shop``), without dots where the provider ignores
        them, and with the domain that a common misspelling means; kind is ``personal``, ``role`` (info@ …)
        or ``junk``. An address that is none is kept in lower case, not valid and without a mailbox.
    """
    text = (value or "").strip().strip("<>.,;:\"' ").lower().removeprefix("mailto:").strip()
    if not text:
        return Email(None, None, None, False)
    if len(text) > LONGEST_ADDRESS or "@" not in text:
        return Email(text[:LONGEST_ADDRESS], None, None, False)
    local, _, domain = text.rpartition("@")
    if _PLAIN_LOCAL.fullmatch(local) and len(local) <= LONGEST_LOCAL and _is_plain_domain(domain):
        address = text
    else:
        try:
            address = validate_email(text, check_deliverability=False).normalized.lower()
        except EmailNotValidError:
            return Email(text, None, None, False)
    local, _, domain = address.rpartition("@")
    mailbox = _find_mailbox(local, domain)
    kind = _find_kind(mailbox.rpartition("@")[0])
    return Email(address, mailbox, kind, kind != "junk")


@lru_cache(maxsize=65_536)
def _is_plain_domain(domain: str) -> bool:
    """Whether an address at this domain is valid and written in its one form, if only its local part is plain."""
    try:
        return validate_email(f"a@{domain}", check_deliverability=False).normalized == f"a@{domain}"
    except EmailNotValidError:
        return False


def find_meant_domain(value: str) -> str | None:
    """The provider that an address means, where its own is a common misspelling; None if it is none."""
    return _meant_domains().get(value.strip().lower().rpartition("@")[2])


def _find_mailbox(local: str, domain: str) -> str:
    meant = _meant_domains().get(domain, domain)
    inbox = local.partition("+")[0] or local
    if meant in _DOTLESS_DOMAINS:
        inbox = inbox.replace(".", "")
    return f"{inbox}@{meant}"


def _find_kind(local: str) -> str:
    if local in _JUNK:
        return "junk"
    return "role" if local in _ROLES else "personal"


@cache
def _meant_domains() -> dict[str, str]:
    return {row["domain"]: row["meant"] for row in read_rows("email_domains.csv")}
