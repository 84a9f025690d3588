"""No personal data in what may be forwarded: searched for in every file before a run is published.

The files are small and the tables may hold millions of people, so the files are taken apart into candidates
(e-mail-like words, runs of digits, runs of words) and the candidates are looked up in the tables, by SQL.

Found are: e-mail addresses of any kind, in the tables or not; telephone numbers, national ids, names of two or
more words (in any order) and addresses with a number that stand in the tables; and what cannot be searched, such
as bitmaps. Accents, case, spaces, punctuation, entities and escapes make no difference. Not reported is what also
stands in an allowed text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from crmlib.engine import Engine, Step, quote
from crmlib.errors import PersonalDataError
from crmlib.report import candidates
from crmlib.report.passages import UNREADABLE, read_passages

#: Words of the longest name and the longest address that are compared; of longer values the first so many.
NAME_WORDS, ADDRESS_WORDS = 8, 12
#: Places named in the message of a failed check.
NAMED = 12


@dataclass(frozen=True)
class GuardedColumn:
    """Columns of a table that hold a personal value.

    Parameters
    ----------
    table : str
        A table or view of the engine.
    columns : tuple of str
        One column, or several that make one value together (given name and surnames; street and number).
    kind : {"email", "phone", "national_id", "name", "address"}
        What they hold.
    """

    table: str
    columns: tuple[str, ...]
    kind: str


@dataclass(frozen=True)
class AllowedColumn:
    """A column whose texts may stand in a page, even where they are somebody's name (products, stores, places)."""

    table: str
    column: str


@dataclass(frozen=True, order=True)
class Hit:
    """Where personal data stands, and of what kind; never what it is."""

    file: Path
    place: str
    kind: str

    def __str__(self) -> str:
        return f"{self.file.parent.name}/{self.file.name}, {self.place} ({self.kind})"


FOLDED = "strip_accents(lower({text}))"
WORDS = "regexp_extract_all(" + FOLDED + ", '[\\p{{L}}\\p{{N}}]+')"

#: The words of each passage.
PASSAGE_WORDS = Step(
    "guard_passage_words",
    f"SELECT passage, {WORDS.format(text='text')} AS words FROM guard_passages",
)
#: Every run of two words or more, up to the longest that is compared.
PHRASES = Step(
    "guard_phrases",
    """
WITH starts AS (
  SELECT passage, words, unnest(range(1, len(words))) AS start FROM guard_passage_words
), lengths AS (
  SELECT unnest(range(2, $longest + 1)) AS length
), runs AS (
  SELECT DISTINCT passage, list_slice(words, start, start + length - 1) AS words
  FROM starts JOIN lengths ON start + length - 1 <= len(starts.words)
)
SELECT
  passage,
  array_to_string(words, ' ') AS phrase,
  array_to_string(list_sort(words), ' ') AS sorted_phrase,
  len(words) AS length
FROM runs
""",
)
#: The allowed texts, folded for each kind of candidate.
ALLOWED = Step(
    "guard_allowed",
    f"""
SELECT DISTINCT
  ' ' || array_to_string({WORDS.format(text="text")}, ' ') || ' ' AS words,
  lower(text) AS lowered,
  regexp_replace(text, '[^0-9]', '', 'g') AS digits,
  upper(regexp_replace(text, '[^0-9A-Za-z]', '', 'g')) AS compact
FROM guard_allowed_texts
""",
)

#: How a value of each kind is looked up: the value's key, which values count, and the candidates' table and key.
LOOKUPS = {
    "email": ("lower(trim(value))", "key LIKE '%@%'", "guard_emails", "key"),
    "phone": (
        "right(regexp_replace(value, '[^0-9]', '', 'g'), 9)",
        "length(key) >= 7",
        "guard_phones",
        "key",
    ),
    "national_id": (
        "regexp_replace(upper(regexp_replace(value, '[^0-9A-Za-z]', '', 'g')), '^[A-Z]{2}', '')",
        "length(key) >= 7",
        "guard_national_ids",
        "key",
    ),
    "name": (
        f"array_to_string(list_sort(list_slice({WORDS.format(text='value')}, 1, {NAME_WORDS})), ' ')",
        "regexp_matches(key, '\\p{L}{2,} (.* )?\\p{L}{2,}')",
        "guard_phrases",
        "sorted_phrase",
    ),
    "address": (
        f"array_to_string(list_slice({WORDS.format(text='value')}, 1, {ADDRESS_WORDS}), ' ')",
        "regexp_matches(key, '\\p{L}{3,}') AND regexp_matches(key, '[0-9]')",
        "guard_phrases",
        "phrase",
    ),
}
