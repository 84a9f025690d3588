"""How candidates are looked up in the tables: a step of SQL per kind of value."""

from __future__ import annotations

from dataclasses import dataclass

from crmlib.engine import Step

#: Words of the longest name and the longest address that are compared; of longer values the first so many.
NAME_WORDS, ADDRESS_WORDS = 8, 12

#: Words that belong to names but are none.
PARTICLES = "da|das|de|del|den|der|di|do|dos|du|el|la|las|le|los|san|santa|van|von|y"

#: The words of a text: without case, accents and punctuation.
WORDS = "regexp_extract_all(strip_accents(lower({text})), '[\\p{{L}}\\p{{N}}]+')"

PASSAGE_WORDS = Step("guard_words", f"SELECT passage, {WORDS.format(text='text')} AS words FROM guard_passages")
#: Every run of two words or more, up to the longest that is compared.
PHRASES = Step(
    "guard_phrases",
    """
WITH starts AS (
  SELECT passage, words, unnest(range(1, len(words))) AS start FROM guard_words
), ends AS (
  SELECT passage, words, start, unnest(range(start + 1, least(len(words), start + $longest - 1) + 1)) AS stop
  FROM starts
), runs AS (
  SELECT passage, list_slice(words, start, stop) AS words FROM ends
)
SELECT
  passage,
  array_to_string(words, ' ') AS phrase,
  array_to_string(list_sort(words), ' ') AS sorted_phrase
FROM runs
""",
)
#: The allowed texts, as each kind of candidate is written.
ALLOWED = Step(
    "guard_allowed",
    f"""
SELECT DISTINCT
  ' ' || array_to_string({WORDS.format(text="text")}, ' ') || ' ' AS words,
  lower(text) AS email,
  regexp_replace(text, '[^0-9]', '', 'g') AS digits,
  upper(regexp_replace(text, '[^0-9A-Za-z]', '', 'g')) AS compact
FROM guard_allowed_texts
""",
)

EMAIL_KEYS = Step(
    "guard_email_keys", "SELECT DISTINCT lower(trim(value)) AS key FROM guard_values WHERE value LIKE '%@%'"
)
PHONE_KEYS = Step(
    "guard_phone_keys",
    """
WITH numbers AS (SELECT right(regexp_replace(value, '[^0-9]', '', 'g'), 9) AS key FROM guard_values)
SELECT DISTINCT key FROM numbers WHERE length(key) >= 7
""",
)
NATIONAL_ID_KEYS = Step(
    "guard_national_id_keys",
    """
WITH compact AS (SELECT upper(regexp_replace(value, '[^0-9A-Za-z]', '', 'g')) AS id FROM guard_values)
SELECT DISTINCT regexp_replace(id, '^[A-Z]{2}', '') AS key FROM compact WHERE length(id) >= 7
""",
)
#: Names in any order; of longer ones the first words. Two words besides particles make a name.
NAME_KEYS = Step(
    "guard_name_keys",
    f"""
WITH names AS (
  SELECT array_to_string(list_sort(list_slice({WORDS.format(text="value")}, 1, {NAME_WORDS})), ' ') AS key
  FROM guard_values
)
SELECT DISTINCT key FROM names
WHERE regexp_matches(regexp_replace(key, '\\b({PARTICLES})\\b', '', 'g'), '\\p{{L}}{{2,}}.* .*\\p{{L}}{{2,}}')
""",
)
#: The whole address, and its begin up to the number where two words or more stand before it.
ADDRESS_KEYS = Step(
    "guard_address_keys",
    f"""
WITH addresses AS (
  SELECT array_to_string(list_slice({WORDS.format(text="value")}, 1, {ADDRESS_WORDS}), ' ') AS whole
  FROM guard_values
), keys AS (
  SELECT unnest([whole, regexp_extract(whole, '^(\\p{{L}}+ ){{2,}}[0-9]+')]) AS key FROM addresses
)
SELECT DISTINCT key FROM keys WHERE regexp_matches(key, '\\p{{L}}{{3,}}') AND regexp_matches(key, '[0-9]')
""",
)

#: A count beside a place's name in a row of a table ("La Gomera", 15) is no address, where the name is allowed.
COUNTED_PLACE = "regexp_extract(shown, '^( (?:\\p{L}+ )+)[0-9]', 1) IN (SELECT words FROM guard_allowed)"


@dataclass(frozen=True)
class Lookup:
    """How candidates of a kind are looked up.

    The step that makes the values' keys, the candidates' table and columns, and the column of allowed texts that
    excuses them.
    """

    keys: Step
    candidates: str
    key: str
    shown: str
    allowed: str


LOOKUPS = {
    "email": Lookup(EMAIL_KEYS, "guard_emails", "key", "key", "email"),
    "phone": Lookup(PHONE_KEYS, "guard_phones", "key", "key", "digits"),
    "national_id": Lookup(NATIONAL_ID_KEYS, "guard_national_ids", "key", "key", "compact"),
    "name": Lookup(NAME_KEYS, "guard_phrases", "sorted_phrase", "' ' || phrase || ' '", "words"),
    "address": Lookup(ADDRESS_KEYS, "guard_phrases", "phrase", "' ' || phrase || ' '", "words"),
}
