"""What plainly is right, told in SQL: of a million values only the doubtful few are left to look at one by one.

Each expression is sound and not complete: what it takes for right is right by the rules of `crmlib.fields`; what it
does not may be right all the same.
"""

from __future__ import annotations

import re

import phonenumbers
from phonenumbers.phonemetadata import PhoneNumberDesc

from crmlib.engine import literal
from crmlib.fields.national_ids import list_fillers
from crmlib.fields.phones import STAIRS
from crmlib.fields.reference import read_words

#: Letters by the remainder of a DNI's or NIE's number by 23 (Royal Decree 1553/2005).
CHECK_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
#: Letters that have a case: ª and º are none.
_WORD = r"[\p{Lu}\p{Ll}]{2,}"


def is_plain_email(email: str) -> str:
    """Expression that tells an address of the plainest form, of which the provider alone is to be judged.

    Parameters
    ----------
    email : str
        Expression of the address in small letters, without blanks around it.
    """
    junk = sorted({word.replace(".", "") for word in read_words("email_junk")})
    # points between the letters of such a word make no other of it
    spelt = "|".join(r"\.?".join(map(re.escape, word)) for word in junk)
    form = r"[a-z0-9]+(?:[._+-][a-z0-9]+)*@(?:[a-z0-9-]+\.)+[a-z]{2,}"
    return (
        f"regexp_full_match({email}, {literal(form)}) AND length({email}) <= 200 "
        f"AND strpos({email}, '@') <= 65 AND NOT regexp_matches({email}, {literal(f'^(?:{spelt})[+@]')})"
    )


def phone_national(phone: str, country: str) -> str:
    """Expression for the digits of a number without its country's prefix; empty where it is written otherwise.

    Parameters
    ----------
    phone : str
        Expression of the number as delivered.
    country : str
    """
    code = phonenumbers.country_code_for_region(country)
    written = rf"^'?(?:[+]{code}|00{code})?([1-9][0-9]+)$"
    bare = f"translate({phone}, ' .-', '')"
    # most are digits alone
    spelt = f"regexp_extract({bare}, {literal(written)}, 1)"
    return f"CASE WHEN regexp_full_match({phone}, '[1-9][0-9]+') THEN {phone} ELSE {spelt} END"


def phone_e164(national: str, country: str) -> str:
    """Expression for the international form of a number that is plainly one of a country's numbering plan, else NULL.

    Parameters
    ----------
    national : str
        Expression of its `phone_national`.
    country : str
        Whose numbers need no prefix; the plan is that of `phonenumbers`.
    """
    plan = phonenumbers.PhoneMetadata.metadata_for_region(country, None)
    code = phonenumbers.country_code_for_region(country)
    # where numbers have a prefix of their own at home, or a code serves several countries, none is plain
    if plan is None or plan.national_prefix_for_parsing or len(phonenumbers.COUNTRY_CODE_TO_REGION_CODE[code]) > 1:
        return "CAST(NULL AS VARCHAR)"
    stairs = ", ".join(literal(number) for number in sorted(STAIRS))
    planned = " OR ".join(_fits(national, kind, plan.general_desc) for kind in (plan.fixed_line, plan.mobile))
    general = literal(plan.general_desc.national_number_pattern or "") if plan.general_desc else "''"
    # seven digits that are alike are a multiple of seven ones
    return (
        f"CASE WHEN regexp_full_match({national}, {general}) AND ({planned}) "
        f"AND TRY_CAST(right({national}, 7) AS INT) % 1111111 <> 0 AND {national} NOT IN ({stairs}) "
        f"THEN {literal(f'+{code}')} || {national} END"
    )


def _fits(national: str, kind: PhoneNumberDesc | None, general: PhoneNumberDesc | None) -> str:
    """Whether a number is one of a kind of the plan."""
    if kind is None or general is None or not kind.national_number_pattern:
        return "false"
    lengths = ", ".join(map(str, kind.possible_length or general.possible_length))
    matches = f"regexp_full_match({national}, {literal(kind.national_number_pattern)})"
    return f"(length({national}) IN ({lengths}) AND {matches})"


def national_id(value: str, country: str) -> str:
    """Expression that tells a Spanish DNI or NIE whose letter fits; false for anything else.

    Parameters
    ----------
    value : str
        Expression of the number in capitals, without signs.
    country : str
    """
    if country != "ES":
        return "false"
    digits = f"CASE WHEN {value} < 'X' THEN {value}[1:8] ELSE translate({value}[1:8], 'XYZ', '012') END"
    number = f"CAST({digits} AS INT)"
    letter = f"{literal(CHECK_LETTERS)}[{number} % 23 + 1]"
    fillers = ", ".join(literal(filler) for filler in sorted(list_fillers()))
    # of seven digits that are alike, six stand in the middle: a multiple of six ones
    return (
        f"CASE WHEN regexp_full_match({value}, '[0-9XYZ][0-9]{{7}}[A-Z]') THEN {letter} = {value}[-1] "
        f"AND {value} NOT IN ({fillers}) AND {number} // 10 % 1000000 % 111111 <> 0 ELSE false END"
    )


def is_plain_part(part: str) -> str:
    """Expression that tells a part of a name of ordinary words; a given name and a surname that are so are a name.

    Parameters
    ----------
    part : str
        Expression of the given name, or of the first surname or both.
    """
    said = read_words("no_name") | read_words("no_value")
    none = "|".join(sorted({re.escape(word) for text in said for word in text.split()}))
    words = literal(rf"{_WORD}(?: {_WORD})*")
    folded = f"lower(strip_accents({part}))"
    return (
        f"(regexp_full_match({part}, {words}) "
        f"AND NOT regexp_matches({folded}, {literal(rf'(?:^| )(?:{none})(?: |$)')}))"
    )
