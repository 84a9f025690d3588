"""Guesses: which entity a file holds, and which of its columns each field is made of."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from crmlib.params import ENTITIES
from crmlib.sources.guessing.contents import Contents
from crmlib.sources.guessing.headings import read_table, score_fields, split_heading
from crmlib.sources.guessing.rules import EMPTY, SPEAKS, sure_alone, weigh_contents

Scores = np.ndarray[tuple[int, int], np.dtype[np.float64]]

#: A heading's part in how sure a guess is; the rest is the cells'.
HEADING_PART = 0.7
#: Below this nothing is guessed; from these on a guess is likely, or sure, if no rival is so near.
LEAST, LIKELY, SURE, RIVAL = 0.42, 0.62, 0.85, 0.1
#: The least likeness of a heading that counts.
LIKE = 0.4
#: The least likeness of the heading of a column that says nothing.
LIKE_EMPTY = 0.75
#: The fields that make a file one of an entity; lines without pieces are known by their day and what was paid.
MARKS: dict[str, tuple[str, ...]] = {
    "customers": ("given_name", "full_name", "surnames", "email", "phone", "national_id"),
    "consents": ("channel", "decision"),
    "tickets": ("bought_at", "amount"),
    "ticket_lines": ("product_id", "quantity"),
    "products": ("product_id", "name"),
    "stores": ("store_id", "name"),
    "postcodes": ("postcode", "latitude"),
    "suppressions": ("key", "listed_on"),
    "campaigns": ("campaign_id", "starts_on"),
    "campaign_reports": ("recipients", "opened"),
    "sends": ("send_id", "sent_at"),
    "web_events": ("event", "happened_at"),
    "service_cases": ("case_id", "opened_at"),
}
LINES_WITHOUT_PIECES = ("product_id", "bought_at", "amount")
#: Of an order with its lines: what is the order's, and no line's.
OF_ORDERS = ("bought_at", "amount", "discount", "items", "refunded", "status", "buyer_email", "source_record_id")
#: How much more a file is of an entity whose marks it bears, and of one that its name tells; less where marks lack.
MARKED, UNMARKED, NAMED = 2.0, 0.3, 1.3


@dataclass(frozen=True)
class Guess:
    """What one field is made of.

    Parameters
    ----------
    field : str
    columns : tuple of str
    score : float
        From 0 to 1.
    level : {"sure", "likely", "perhaps"}
    why : str
        In words.
    made : dict
        What else a mapping says of it, such as ``take`` or ``formula``.
    """

    field: str
    columns: tuple[str, ...]
    score: float
    level: str
    why: str
    made: dict[str, object] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True)
class Matched:
    """An entity's fields, each with the column it fits best.

    Parameters
    ----------
    entity : str
    score : float
        How much of the file the entity explains.
    guesses : dict of str to Guess
    """

    entity: str
    score: float
    guesses: dict[str, Guess]


def match_entity(entity: str, columns: Mapping[str, Contents], file_name: str) -> Matched:
    """Find the column of each field of an entity, so that the whole fits best.

    Parameters
    ----------
    entity : str
    columns : mapping of str to Contents
        Heading -> what its cells look like.
    file_name : str
        It may tell what the file holds.
    """
    from scipy.optimize import linear_sum_assignment

    headings = list(columns)
    likeness = {heading: score_fields(entity, heading) for heading in headings}
    fields = sorted({name for scores in likeness.values() for name in scores} | set(_fields_of_contents(entity)))
    scores = np.zeros((len(headings), len(fields)))
    for row, heading in enumerate(headings):
        named = "id" in split_heading(heading)
        for place, name in enumerate(fields):
            scores[row, place] = _score(entity, name, likeness[heading].get(name, 0.0), columns[heading], named)
    _part_names(fields, headings, likeness, scores)
    guesses: dict[str, Guess] = {}
    for row, place in np.transpose(linear_sum_assignment(scores, maximize=True)):
        if scores[row, place] < LEAST:
            continue
        rivals = [*np.delete(scores[row], place), *np.delete(scores[:, place], row)]
        heading, name = headings[row], fields[place]
        said = likeness[heading].get(name, 0.0) >= LIKE
        guesses[name] = Guess(
            name,
            (heading,),
            float(scores[row, place]),
            _find_level(float(scores[row, place]), float(max(rivals, default=0.0))),
            _tell_why(said, weigh_contents(entity, name, columns[heading]) or 0.0),
        )
    return Matched(entity, _explain(entity, guesses, file_name), guesses)


def _fields_of_contents(entity: str) -> tuple[str, ...]:
    """The fields that cells alone can tell."""
    persons = ("email", "national_id", "birth_date", "gender", "given_name", "full_name", "address_line")
    return persons if entity == "customers" else ("buyer_email",) if entity in ("tickets", "ticket_lines") else ()


def _score(entity: str, name: str, likeness: float, contents: Contents, named_id: bool) -> float:
    worth = weigh_contents(entity, name, contents)
    if worth is None:
        return 0.0
    # of two that are called alike, the one that is called an id is one
    likeness -= 0.01 * (name.endswith("_id") and not named_id)
    by_heading = (
        HEADING_PART * likeness + (1 - HEADING_PART) * worth
        if likeness >= (LIKE if contents.cells else LIKE_EMPTY)
        else 0.0
    )
    return max(by_heading, sure_alone(entity, name, contents))


def _part_names(
    fields: list[str], headings: list[str], likeness: Mapping[str, Mapping[str, float]], scores: Scores
) -> None:
    """A name stands beside a surname in one part, and alone as a whole: one heading may mean either."""
    if {"surname_1", "surname_2"} <= set(fields) and scores[:, fields.index("surname_2")].max() < LEAST:
        # without a second surname there is no first
        scores[:, fields.index("surname_1")] = 0.0
    if "full_name" not in fields or "given_name" not in fields:
        return
    whole, given = fields.index("full_name"), fields.index("given_name")
    surnames = [fields.index(name) for name in ("surnames", "surname_1") if name in fields]
    parted = any(scores[:, place].max() >= LIKELY for place in surnames)
    for row, heading in enumerate(headings):
        if likeness[heading].get("full_name", 0.0) and likeness[heading].get("given_name", 0.0):
            scores[row, whole if parted else given] *= 0.5


def _find_level(score: float, rival: float) -> str:
    if score >= SURE and score - rival >= RIVAL:
        return "sure"
    return "likely" if score >= LIKELY else "perhaps"


def _tell_why(said: bool, worth: float) -> str:
    if not said:
        return "by its contents"
    if worth == EMPTY:
        return "by its heading; it is empty"
    return "by heading and contents" if worth == SPEAKS else "by its heading"


def _explain(entity: str, guesses: Mapping[str, Guess], file_name: str) -> float:
    named = entity in name_entities(file_name)
    sure = {name for name, guess in guesses.items() if named or guess.level != "perhaps"}
    if entity == "customers" or named:
        whole = not sure.isdisjoint(MARKS[entity])
    else:
        whole = sure.issuperset(MARKS[entity]) or (entity == "ticket_lines" and sure.issuperset(LINES_WITHOUT_PIECES))
    explained = sum(guess.score for guess in guesses.values())
    if entity == "customers":
        explained *= 1.0 if whole else UNMARKED
    else:
        explained *= MARKED if whole else UNMARKED
    return explained * (NAMED if named else 1.0)


def name_entities(file_name: str) -> list[str]:
    """The entities that a file's name speaks of."""
    said = set(split_heading(file_name.rsplit(".", 1)[0]))
    rows = read_table("entities.csv")
    return [row["entity"] for row in rows if any(set(words.split()) <= said for words in row["words"].split("|"))]


def guess_entities(columns: Mapping[str, Contents], file_name: str) -> list[Matched]:
    """The entity that explains a file best; where orders come with their lines, both; none if nothing is explained."""
    matched = {entity: match_entity(entity, columns, file_name) for entity in ENTITIES}
    best = max(matched.values(), key=lambda one: one.score)
    if best.score <= 0:
        return []
    orders, lines = matched["tickets"], matched["ticket_lines"]
    if best not in (orders, lines) or not all(name in orders.guesses for name in ("ticket_id", *MARKS["tickets"])):
        return [best]
    of_order = {column for name in OF_ORDERS if name in orders.guesses for column in orders.guesses[name].columns}
    left = {heading: contents for heading, contents in columns.items() if heading not in of_order}
    lines = match_entity("ticket_lines", left, file_name)
    both = all(name in lines.guesses for name in ("ticket_id", "unit_price", *MARKS["ticket_lines"]))
    return [orders, lines] if both else [best]
