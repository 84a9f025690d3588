"""What two records of persons are compared by, as plain data: comparisons and their levels.

A level's condition is SQL over the columns of ``linkage_records``, the two records' with ``_l`` and ``_r``; the
first level that holds counts. A comparison also says how often relatives agree: people of one home have surname,
address, phone and e-mail in common at once, which a model that knows only matches and strangers takes for proof.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from crmlib.engine import Engine, quote

Share = TypeVar("Share", float, np.ndarray)

#: A comparison is left out when fewer records than this share have its fields.
LEAST_FILLED = 0.01
#: Jaro similarity that only two swapped neighbours reach in numbers of seven to twelve digits.
SWAPPED_JARO = 0.95


@dataclass(frozen=True)
class Level:
    """A degree of agreement.

    Parameters
    ----------
    label : str
        In words.
    condition : str
        SQL; ``ELSE`` for what is left.
    m : float
        Share of the matching pairs that are expected here, until training says better.
    term_frequency : str
        Column whose frequent values weigh less; empty for none.
    kin : float
        Share of the pairs of relatives that are here by kinship: a mother's first surname is her child's second.
    """

    label: str
    condition: str
    m: float
    term_frequency: str = ""
    kin: float = 0.0


def share_among_relatives(relatives: float, kin: Share, m: Share, u: Share) -> Share:
    """How often pairs of relatives are at a level: as one person's records, as strangers, or by kinship."""
    shared: Share = relatives * m + (1 - relatives) * u
    mixed: Share = (1 - kin) * shared + kin
    return mixed


@dataclass(frozen=True)
class Comparison:
    """One thing two records are compared by.

    Parameters
    ----------
    name : str
        Its name: ``gamma_<name>`` in `match_pairs`.
    title : str
        In words.
    relatives : float
        Share of the pairs of relatives (two people of one home) that have the same value.
    unknown : str
        SQL that holds where the pair cannot be compared.
    needs : tuple of str
        Columns of which one at least must be filled.
    levels : tuple of Level
        From the strongest to the weakest; numbered downwards to 0, and -1 where unknown.
    """

    name: str
    title: str
    relatives: float
    unknown: str
    needs: tuple[str, ...]
    levels: tuple[Level, ...]


def _missing(*columns: str) -> str:
    return " OR ".join(f"{column}_l IS NULL OR {column}_r IS NULL" for column in columns)


def _mistyped(column: str) -> str:
    """One character other, too many or missing, or two neighbours swapped."""
    return f"levenshtein({column}_l, {column}_r) <= 1 OR jaro_similarity({column}_l, {column}_r) >= {SWAPPED_JARO}"


def _similar(column: str, least: float) -> str:
    return f"jaro_winkler_similarity({column}_l, {column}_r) >= {least} OR levenshtein({column}_l, {column}_r) <= 1"


_SAME_WORDS = "name_key_l = name_key_r"
_SWAPPED = (
    f"({_SAME_WORDS} OR (jaro_winkler_similarity(given_key_l, surname_1_key_r) >= 0.88"
    " AND jaro_winkler_similarity(surname_1_key_l, given_key_r) >= 0.88))"
)
_SAME_PARTS = (
    "(left(birth_day_l, 4) = left(birth_day_r, 4))::INT + (substr(birth_day_l, 5, 2) = substr(birth_day_r, 5, 2))::INT"
    " + (right(birth_day_l, 2) = right(birth_day_r, 2))::INT"
)

COMPARISONS = (
    Comparison(
        "given_name",
        "Given name",
        0.02,
        _missing("given_key"),
        ("given_key",),
        (
            Level("the same", "given_key_l = given_key_r", 0.75, term_frequency="given_key"),
            Level("nickname of it", "list_has_any(given_variants_l, given_variants_r)", 0.06),
            Level("given name and surname swapped", _SWAPPED, 0.02),
            Level(
                "one of two given names",
                "least(length(given_initials_l), length(given_initials_r)) = 1"
                " AND (list_has_any(given_words_l, given_words_r) OR ((given_abbreviated_l OR given_abbreviated_r)"
                " AND given_initials_l <> given_initials_r AND left(given_initials_l, 1) = left(given_initials_r, 1)))",
                0.06,
            ),
            Level(
                "initial of it",
                "given_initials_l = given_initials_r AND (given_abbreviated_l OR given_abbreviated_r)"
                " AND (list_has_any(given_words_l, given_words_r) OR length(given_initials_l) = 1)",
                0.02,
            ),
            Level(
                "similar",
                f"NOT (given_common_l AND given_common_r) AND ({_similar('given_key', 0.88)})",
                0.06,
                term_frequency="given_key",
            ),
            Level("different", "ELSE", 0.03),
        ),
    ),
    Comparison(
        "surname_1",
        "First surname",
        0.6,
        f"{_missing('surname_1_key')} OR (surname_1_key_l <> surname_1_key_r AND {_SWAPPED})",
        ("surname_1_key",),
        (
            Level("the same", "surname_1_key_l = surname_1_key_r", 0.85, term_frequency="surname_1_key"),
            Level(
                "the other's second surname",
                "surname_1_key_l = surname_2_key_r OR surname_2_key_l = surname_1_key_r",
                0.03,
                kin=0.2,
            ),
            Level(
                "similar",
                _similar("surname_1_key", 0.9),
                0.09,
                term_frequency="surname_1_key",
            ),
            Level("different", "ELSE", 0.03),
        ),
    ),
    Comparison(
        "surname_2",
        "Second surname",
        0.4,
        f"{_missing('surname_2_key')} OR ({_SAME_WORDS} AND surname_2_key_l <> surname_2_key_r)",
        ("surname_2_key",),
        (
            Level("the same", "surname_2_key_l = surname_2_key_r", 0.88, term_frequency="surname_2_key"),
            Level(
                "similar",
                _similar("surname_2_key", 0.9),
                0.09,
                term_frequency="surname_2_key",
            ),
            Level("different", "ELSE", 0.03),
        ),
    ),
    Comparison(
        "birth_date",
        "Date of birth",
        0.02,
        _missing("birth_day"),
        ("birth_day",),
        (
            Level("the same", "birth_day_l = birth_day_r", 0.9, term_frequency="birth_day"),
            Level(
                "day and month swapped, or one digit",
                "birth_day_l = left(birth_day_r, 4) || right(birth_day_r, 2) || substr(birth_day_r, 5, 2)"
                " OR hamming(birth_day_l, birth_day_r) <= 1",
                0.04,
            ),
            Level("two of day, month and year the same", f"{_SAME_PARTS} = 2", 0.02),
            Level("different", "ELSE", 0.04),
        ),
    ),
    Comparison(
        "national_id",
        "National id",
        0.005,
        _missing("national_id"),
        ("national_id",),
        (
            Level("the same", "national_id_l = national_id_r", 0.9),
            Level("mistyped", _mistyped("national_id"), 0.06),
            Level("different", "ELSE", 0.04),
        ),
    ),
    Comparison(
        "email",
        "E-mail",
        0.15,
        _missing("mailbox"),
        ("mailbox",),
        (
            Level("the same mailbox", "mailbox_l = mailbox_r", 0.7),
            Level("same name, other provider", "email_local_l = email_local_r", 0.08),
            Level(
                "mistyped name",
                "email_digits_l = email_digits_r AND levenshtein(mailbox_l, mailbox_r) <= 2",
                0.04,
            ),
            Level("different", "ELSE", 0.18),
        ),
    ),
    Comparison(
        "phone",
        "Phone",
        0.35,
        _missing("phone"),
        ("phone",),
        (
            Level("the same", "phone_l = phone_r", 0.7),
            Level("mistyped", _mistyped("phone"), 0.03),
            Level("different", "ELSE", 0.27),
        ),
    ),
    Comparison(
        "address",
        "Street and number",
        0.97,
        _missing("street_key"),
        ("street_key",),
        (
            Level("the same", "street_key_l = street_key_r AND number_key_l = number_key_r", 0.6),
            Level("same street", "street_key_l = street_key_r", 0.1),
            Level(
                "similar street",
                "jaro_winkler_similarity(street_key_l, street_key_r) >= 0.9",
                0.15,
            ),
            Level("different", "ELSE", 0.15),
        ),
    ),
    Comparison(
        "place",
        "Postcode and municipality",
        0.98,
        f"({_missing('postcode_key')}) AND ({_missing('municipality_key')})",
        ("postcode_key", "municipality_key"),
        (
            Level(
                "both the same",
                "postcode_key_l = postcode_key_r AND municipality_key_l = municipality_key_r",
                0.7,
            ),
            Level("same postcode", "postcode_key_l = postcode_key_r", 0.1),
            Level("same municipality", "municipality_key_l = municipality_key_r", 0.1),
            Level(
                "similar",
                "levenshtein(postcode_key_l, postcode_key_r) <= 1"
                " OR jaro_winkler_similarity(municipality_key_l, municipality_key_r) >= 0.9",
                0.04,
            ),
            Level("different", "ELSE", 0.06),
        ),
    ),
    Comparison(
        "job",
        "Occupation",
        0.1,
        _missing("job_key"),
        ("job_key",),
        (
            Level("the same", "job_key_l = job_key_r", 0.7, term_frequency="job_key"),
            Level("different", "ELSE", 0.3),
        ),
    ),
)


def choose_comparisons(engine: Engine) -> tuple[Comparison, ...]:
    """Choose the comparisons for the fields that the records really have.

    Parameters
    ----------
    engine : Engine
        Holds ``linkage_records``.

    Returns
    -------
    tuple of Comparison
        Those of `COMPARISONS` whose fields at least `LEAST_FILLED` of the records fill, with two values or more.
    """
    columns = sorted({column for comparison in COMPARISONS for column in comparison.needs})
    counts = ", ".join(
        f"count({quote(column)}) AS {quote(column)}, "
        f"min({quote(column)}) < max({quote(column)}) AS {quote(column + '_differs')}"
        for column in columns
    )
    found = engine.row(f"SELECT count(*) AS records, {counts} FROM linkage_records")
    least = max(2, LEAST_FILLED * found["records"])
    told = {column for column in columns if found[column] >= least and found[f"{column}_differs"]}
    return tuple(comparison for comparison in COMPARISONS if told.intersection(comparison.needs))
