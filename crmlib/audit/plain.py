"""What plainly is right or wrong, told in SQL: of a million values only the doubtful few are looked at one by one.

Each expression is sound and not complete: what it takes for right or wrong is so by the rules of `crmlib.fields`;
where it says nothing (NULL), either may be true.
"""

from __future__ import annotations

import re
from datetime import date

import phonenumbers
from phonenumbers.phonemetadata import PhoneMetadata, PhoneNumberDesc

from crmlib.engine import literal
from crmlib.fields.dates import OLDEST_AGE
from crmlib.fields.names import LONGEST_NAME, list_given_words
from crmlib.fields.national_ids import list_fillers
from crmlib.fields.phones import STAIRS
from crmlib.fields.reference import read_words

#: Letters by the remainder of a DNI's or NIE's number by 23 (Royal Decree 1553/2005).
CHECK_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
#: Letters that have a case: ª and º are none.
_WORD = r"[\p{Lu}\p{Ll}]{2,}"
#: Kinds of numbers in the plan of a country.
_KINDS = (
    "fixed_line", "mobile", "toll_free", "premium_rate", "shared_cost", "personal_number", "voip", "pager", "uan",
    "voicemail",
)  # fmt: skip


def tell_email(email: str) -> str:
    """Expression that tells an address whose provider alone is left to be judged, and one that is none.

    Parameters
    ----------
    email : str
        Expression of the address in small letters, without blanks around it.
    """
    junk = sorted({word.replace(".", "") for word in read_words("email_junk")})
    # points between the letters of such a word make no other of it
    spelt = "|".join(r"\.?".join(map(re.escape, word)) for word in junk)
    form = r"[a-z0-9]+(?:[._+-][a-z0-9]+)*@(?:[a-z0-9-]+\.)+[a-z]{2,}"
    # two of the sign can be right only between quotes
    none = r"[a-z0-9._+-]*|[a-z0-9._+-]*@[a-z0-9._+-]*@[a-z0-9._+@-]*"
    return (
        f"CASE WHEN regexp_full_match({email}, {literal(form)}) THEN CASE WHEN length({email}) <= 200 "
        f"AND strpos({email}, '@') <= 65 AND NOT regexp_matches({email}, {literal(f'^(?:{spelt})[+@]')}) THEN true END "
        f"WHEN regexp_full_match({email}, {literal(none)}) THEN false END"
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
    plan = _find_plan(country)
    if plan is None:
        return "CAST(NULL AS VARCHAR)"
    stairs = ", ".join(literal(number) for number in sorted(STAIRS))
    planned = " OR ".join(_fits(national, kind, plan.general_desc) for kind in (plan.fixed_line, plan.mobile))
    general = literal(plan.general_desc.national_number_pattern or "") if plan.general_desc else "''"
    # seven digits that are alike are a multiple of seven ones
    return (
        f"CASE WHEN regexp_full_match({national}, {general}) AND ({planned}) "
        f"AND TRY_CAST(right({national}, 7) AS INT) % 1111111 <> 0 AND {national} NOT IN ({stairs}) "
        f"THEN {literal(f'+{plan.country_code}')} || {national} END"
    )


def is_wrong_phone(phone: str, country: str) -> str:
    """Expression that tells digits that are no number of a country's plan, of whatever kind.

    Parameters
    ----------
    phone : str
        Expression of the number as delivered.
    country : str
    """
    plan = _find_plan(country)
    if plan is None:
        return "false"
    kinds = [getattr(plan, kind) for kind in _KINDS]
    patterns = "|".join(kind.national_number_pattern for kind in kinds if kind and kind.national_number_pattern)
    return (
        f"(regexp_full_match({phone}, '[1-9][0-9]*') AND NOT starts_with({phone}, '{plan.country_code}') "
        f"AND NOT regexp_full_match({phone}, {literal(patterns)}))"
    )


def _find_plan(country: str) -> PhoneMetadata | None:
    """A country's numbering plan; None where digits alone do not tell a number."""
    plan = phonenumbers.PhoneMetadata.metadata_for_region(country, None)
    code = phonenumbers.country_code_for_region(country)
    # where numbers have a prefix of their own at home, or a code serves several countries, none is plain
    if plan is None or plan.national_prefix_for_parsing or len(phonenumbers.COUNTRY_CODE_TO_REGION_CODE[code]) > 1:
        return None
    return plan


def _fits(national: str, kind: PhoneNumberDesc | None, general: PhoneNumberDesc | None) -> str:
    """Whether a number is one of a kind of the plan."""
    if kind is None or general is None or not kind.national_number_pattern:
        return "false"
    lengths = ", ".join(map(str, kind.possible_length or general.possible_length))
    matches = f"regexp_full_match({national}, {literal(kind.national_number_pattern)})"
    return f"(length({national}) IN ({lengths}) AND {matches})"


def tell_national_id(value: str, country: str) -> str:
    """Expression that tells whether the letter of a Spanish DNI or NIE fits; NULL for anything else.

    Parameters
    ----------
    value : str
        Expression of the number in capitals, without signs.
    country : str
    """
    if country != "ES":
        return "CAST(NULL AS BOOLEAN)"
    digits = f"CASE WHEN {value} < 'X' THEN {value}[1:8] ELSE translate({value}[1:8], 'XYZ', '012') END"
    number = f"CAST({digits} AS INT)"
    letter = f"{literal(CHECK_LETTERS)}[{number} % 23 + 1]"
    fillers = ", ".join(literal(filler) for filler in sorted(list_fillers()))
    # of seven digits that are alike, six stand in the middle: a multiple of six ones
    return (
        f"CASE WHEN regexp_full_match({value}, '[0-9XYZ][0-9]{{7}}[A-Z]') THEN CASE WHEN {value} NOT IN ({fillers}) "
        f"AND {number} // 10 % 1000000 % 111111 <> 0 THEN {letter} = {value}[-1] END END"
    )


def tell_birth_date(day: str, as_of_date: date) -> str:
    """Expression that tells whether a living customer can have been born on a day.

    Parameters
    ----------
    day : str
    as_of_date : datetime.date
    """
    return f"({day} <= DATE '{as_of_date}' AND {day} >= DATE '{as_of_date.year - OLDEST_AGE}-01-01')"


def is_plain_part(part: str) -> str:
    """Expression that tells a part of a name of ordinary words; a given name and a surname that are so are a name.

    Parameters
    ----------
    part : str
        Expression of the given name, or of the first surname or both.
    """
    words = literal(rf"{_WORD}(?: {_WORD})*")
    return f"(regexp_full_match({part}, {words}) AND NOT {_says_nothing(_fold(part))})"


def is_plain_whole_name(name: str) -> str:
    """Expression that tells a whole name in which a given name and a surname are sure to be found.

    Parameters
    ----------
    name : str
        Expression of the name in one field: with a comma between the two, or a word at one end that is no given name.
    """
    folded = _fold(name)
    given = ", ".join(map(literal, sorted(list_given_words())))
    particles = ", ".join(map(literal, sorted(read_words("particle"))))
    ends = [f"split_part({folded}, ' ', {place})" for place in (1, -1)]
    parted = " OR ".join(f"{end} NOT IN ({given})" for end in ends)
    whole = " AND ".join(f"{end} NOT IN ({particles})" for end in ends)
    return (
        f"(regexp_full_match({folded}, '[a-z]{{2,}}(?: [a-z]{{2,}})*,?(?: [a-z]{{2,}})+') "
        f"AND (strpos({folded}, ',') > 0 OR ({whole} AND ({parted}))) "
        f"AND NOT {_says_nothing(folded)} AND length({name}) <= {LONGEST_NAME})"
    )


def _fold(text: str) -> str:
    return f"lower(strip_accents({text}))"


def _says_nothing(folded: str) -> str:
    """Whether a word is among those that people write where there is no name, or is a title."""
    said = read_words("no_name") | read_words("no_value") | read_words("title")
    words = "|".join(sorted({re.escape(word) for text in said for word in text.split()}))
    return f"regexp_matches({folded}, {literal(rf'(?:^| )(?:{words})(?:,| |$)')})"
