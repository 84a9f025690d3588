"""What a row is compared with: other rows of its source, what other sources say, what stands in place of nothing."""

from __future__ import annotations

import re

from crmlib.audit.values import EMAIL_TEXT, ID_TEXT
from crmlib.engine import Engine, Step, literal, quote
from crmlib.fields.reference import read_words
from crmlib.params import ENTITIES

#: Field of records -> the table of its values, and the expression by which two are one; of others the value itself.
SAME = {
    "email": ("marked_records", EMAIL_TEXT),
    "phone": ("marked_phones", "e164"),
    "national_id": ("marked_records", "id_text"),
}
#: People whose records are of several sources, each told by a number: most are of one, and need no further look.
KNOWN_BY_SEVERAL = """
    SELECT hash(person) AS person_hash FROM record_persons WHERE person IS NOT NULL
    GROUP BY person_hash HAVING min(source) <> max(source)
"""


def compare_sources(engine: Engine, fields: list[str], base: str | None) -> list[str]:
    """Compare what several sources say of one person.

    Makes ``compared_records``: the source and source_record_id of records of such people, and for each field
    ``differs_<field>``, empty where fewer than two sources have it.

    Parameters
    ----------
    engine : Engine
        Holds ``source_records`` and ``faulty_ids``.
    fields : list of str
    base : str or None
        ``identities`` of the base run; without, people are known by their national id.

    Returns
    -------
    list of str
        The fields that were compared: none where there is one source.
    """
    if not fields or engine.row("SELECT count(DISTINCT source) AS n FROM source_records")["n"] < 2:
        return []
    named = "".join(f", r.{quote(field)}" for field in fields)
    person, known = "CASE WHEN ids.national_id IS NULL THEN id_text END", ""
    if base is not None:
        person = f"coalesce(known.customer_id, {person})"
        known = f"LEFT JOIN {quote(base)} AS known USING (source, source_record_id)"
    engine.view(
        "record_persons",
        f"""
        SELECT r.source, r.source_record_id, {person} AS person{named}
        FROM (SELECT *, {ID_TEXT} AS id_text FROM source_records) AS r
        LEFT JOIN faulty_ids AS ids ON ids.national_id = r.national_id
        {known}
        """,
    )
    engine.run(Step("known_by_several", KNOWN_BY_SEVERAL))
    engine.run(
        Step(
            "persons_of_several",
            "SELECT record_persons.* FROM record_persons SEMI JOIN known_by_several ON hash(person) = person_hash "
            "WHERE person IS NOT NULL",
        )
    )
    told = ", ".join(
        f"CASE WHEN min(CASE WHEN {value} IS NOT NULL THEN source END) <> "
        f"max(CASE WHEN {value} IS NOT NULL THEN source END) THEN min({value}) <> max({value}) END AS {differs}"
        for value, differs in ((quote(field), quote(f"differs_{field}")) for field in fields)
    )
    engine.run(
        Step(
            "compared_records",
            f"""
            WITH compared AS (SELECT person, {told} FROM persons_of_several GROUP BY person)
            SELECT source, source_record_id, compared.* EXCLUDE (person)
            FROM persons_of_several JOIN compared USING (person)
            """,
        )
    )
    return fields


def is_junk(engine: Engine, entity: str, field: str) -> str:
    """Expression that tells a text written where there is nothing: a placeholder's words, signs, a letter repeated."""
    value, junk = quote(field), f"junk_{entity}_{field}"
    said = read_words("no_value")
    words = "|".join(sorted(map(re.escape, said)))
    letters = "|".join(f"{letter}+" for letter in "abcdefghijklmnopqrstuvwxyz0")
    folded = "trim(regexp_replace(lower(strip_accents(text)), '[^\\p{L}0-9]+', ' ', 'g'))"
    # whoever writes nothing writes little: longer texts are not looked into, and each text once
    longest = max(map(len, said)) + 4
    short = f"SELECT DISTINCT {value} AS text FROM {quote(ENTITIES[entity])} WHERE length({value}) <= {longest}"
    texts = engine.run(Step(f"short_{entity}_{field}", short))
    form = literal(f"(?:{words}|{letters}|)")
    engine.run(Step(junk, f"SELECT text FROM {quote(texts)} WHERE regexp_full_match({folded}, {form})"))
    return f"{value} IN (SELECT text FROM {quote(junk)})"


def is_shared(engine: Engine, entity: str, field: str) -> str:
    """Expression that tells a value which another row of the source has, too, however it is spelt there."""
    value = quote(field)
    table, same = SAME.get(field, ("", "")) if entity == "customers" else ("", "")
    table, same = table or ENTITIES[entity], same or value
    shared = f"shared_{entity}_{field}"
    # most values stand once: these are told by a number in place of each, and left out
    engine.run(
        Step(
            shared,
            f"""
            WITH several AS (
              SELECT hash(source, {same}) AS value_hash FROM {quote(table)} WHERE {same} IS NOT NULL
              GROUP BY value_hash HAVING count(*) > 1
            ),
            alike AS (
              SELECT source, {same} AS same, {value} AS value
              FROM {quote(table)} SEMI JOIN several ON hash(source, {same}) = value_hash
              WHERE {same} IS NOT NULL
            ),
            shared AS (SELECT source, same FROM alike GROUP BY ALL HAVING count(*) > 1)
            SELECT DISTINCT source, value FROM alike SEMI JOIN shared USING (source, same)
            """,
        )
    )
    return f"({value} IS NOT NULL AND (source, {value}) IN (SELECT (source, value) FROM {quote(shared)}))"


def is_apart(engine: Engine) -> str:
    """Expression that tells a ticket which came in another delivery than most of its source's tickets of that day."""
    engine.run(
        Step(
            "days_apart",
            """
            WITH days AS (
              SELECT source, bought_on, delivery, count(*) AS tickets FROM tickets
              WHERE delivery IS NOT NULL GROUP BY ALL
            )
            SELECT source, bought_on, delivery FROM days
            QUALIFY row_number() OVER (PARTITION BY source, bought_on ORDER BY tickets DESC, delivery) > 1
            """,
        )
    )
    return "coalesce((source, bought_on, delivery) IN (SELECT (source, bought_on, delivery) FROM days_apart), false)"
