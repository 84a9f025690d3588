"""Completion: what a mapping needs beside the fields that have a column of their own, and what its words mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from crmlib.params import ENTITIES
from crmlib.sources.formats import NO, YES
from crmlib.sources.guessing.contents import Contents
from crmlib.sources.guessing.guesses import Guess, Matched
from crmlib.sources.guessing.headings import read_table
from crmlib.sources.guessing.rules import kind_of_field
from crmlib.tables import CONTRACTS

#: What may name a person where a file has no id of its own, the best first.
PERSONAL_KEYS = ("loyalty_card", "email", "national_id", "phone")
#: What an event without an id is known by.
EVENT_KEYS = ("happened_at", "event", "product_id")
#: Fields whose cells may be wrong without their row being so.
MAY_BE_WRONG = ("birth_date", "created_at", "opened_on")
#: Fields that only help to make others.
HELPERS = ("unit_price", "refunded", "till")
#: Words that mean another sex where these stand beside them.
AMBIGUOUS, SPANISH_MEN = "m", ("h", "v")
#: A longer number of a ticket is one for all tills.
LONGEST_RUNNING_NUMBER = 8
#: Different words of a field that are told.
MOST_WORDS = 30


def complete(matched: Matched, columns: Mapping[str, Contents], file_name: str) -> dict[str, Guess]:
    """Add what a mapping needs beside the fields that have a column of their own.

    Parameters
    ----------
    matched : Matched
    columns : mapping of str to Contents
    file_name : str

    Returns
    -------
    dict of str to Guess
    """
    found = dict(matched.guesses)
    if matched.entity == "customers":
        _name_records(found, columns)
    elif matched.entity in ("tickets", "ticket_lines"):
        if matched.entity == "ticket_lines":
            _find_pieces(found, columns)
            _gather_lines(found)
        _name_tickets(found, columns)
        _add_clock(found, columns)
        _work_out_amount(matched.entity, found)
    elif matched.entity == "web_events" and "event_id" not in found:
        keys = _list_event_keys(found, columns)
        found["event_id"] = Guess("event_id", keys, 0.5, "perhaps", "no id of its own: known by these", {"join": "/"})
    elif matched.entity == "sends" and "eligible_at" not in found and "sent_at" in found:
        found["eligible_at"] = replace(found["sent_at"], field="eligible_at", level="perhaps", why="as when sent")
    elif matched.entity == "suppressions" and "list" not in found:
        _name_list(found, file_name)
    for name in MAY_BE_WRONG:
        if name in found and (cells := columns[found[name].columns[0]]).cells and cells.share("time") < 1:
            found[name] = replace(found[name], made={**found[name].made, "if_wrong": "empty"})
    return {name: guess for name, guess in found.items() if name not in HELPERS}


def _list_event_keys(found: Mapping[str, Guess], columns: Mapping[str, Contents]) -> tuple[str, ...]:
    """Who did it, as far as a column always says so, when, and what."""
    who = [found[name].columns[0] for name in ("visitor_id", "source_record_id") if name in found]
    who = sorted(who, key=lambda column: -columns[column].filled)[:1]
    what = [found[name].columns[0] for name in EVENT_KEYS if name in found]
    return (*who, *(column for column in what if columns[column].share("json") == 0))


def _name_records(found: dict[str, Guess], columns: Mapping[str, Contents]) -> None:
    keys = [found[name].columns[0] for name in PERSONAL_KEYS if name in found]
    own = found.get("source_record_id")
    if own is None and keys:
        found["source_record_id"] = Guess(
            "source_record_id", (keys[0],), 0.5, "perhaps", "no id of its own: this names the person"
        )
    elif own is not None and keys and 0 < columns[own.columns[0]].filled < 1:
        found["source_record_id"] = replace(own, columns=(own.columns[0], keys[0]), made={"take": "first"})


def _find_pieces(found: dict[str, Guess], columns: Mapping[str, Contents]) -> None:
    used = {column for guess in found.values() for column in guess.columns}
    pieces = [name for name, contents in columns.items() if contents.share("pieces") == 1 and name not in used]
    if "quantity" not in found and len(pieces) == 1:
        found["quantity"] = Guess("quantity", (pieces[0],), 0.5, "perhaps", "small whole numbers, as of pieces")


def _gather_lines(found: dict[str, Guess]) -> None:
    """Lines without a ticket's number are one ticket where one customer bought them at one time."""
    if "ticket_id" not in found and {"source_record_id", "bought_at"} <= set(found):
        keys = (*found["bought_at"].columns, *found["source_record_id"].columns)
        why = "no number of its own: one customer's lines of one time"
        found["ticket_id"] = Guess("ticket_id", keys, 0.5, "perhaps", why, {"join": "-"})


def _name_tickets(found: dict[str, Guess], columns: Mapping[str, Contents]) -> None:
    """A number is unique within its store and till, where there are such, and its day, where it begins anew."""
    own = found.get("ticket_id")
    if own is None or not _is_running_number(columns[own.columns[0]]):
        return
    within = [found[name].columns[0] for name in ("store_id", "till") if name in found] if "till" in found else []
    told = ["with store and till"] if within else []
    day = _find_only_day(found, columns)
    if day is not None and _begins(columns[own.columns[0]]):
        within.append(day)
        told.append("with the day: its numbers begin anew")
    if within:
        found["ticket_id"] = replace(
            own, columns=(*within, own.columns[0]), made={"join": "-"}, why=", ".join((own.why, *told))
        )


def _find_only_day(found: Mapping[str, Guess], columns: Mapping[str, Contents]) -> str | None:
    """The column that says one and the same day in every row; of a file with hours in it, there is none."""
    used = {guess.columns[0] for name, guess in found.items() if name != "bought_at"}
    days = [name for name, contents in columns.items() if contents.share("time") == 1 and name not in used]
    return next((name for name in days if len(columns[name].cells) == 1 and columns[name].filled == 1), None)


def _begins(contents: Contents) -> bool:
    """Whether the numbers of a day begin at the beginning."""
    return len(contents.cells) > 1 and contents.share("whole") == 1 and min(map(int, contents.cells)) <= 1


def _is_running_number(contents: Contents) -> bool:
    return contents.share("whole") > 0.9 and all(len(cell) <= LONGEST_RUNNING_NUMBER for cell in contents.cells)


def _add_clock(found: dict[str, Guess], columns: Mapping[str, Contents]) -> None:
    when = found.get("bought_at")
    used = {column for guess in found.values() for column in guess.columns}
    clocks = [name for name, contents in columns.items() if contents.share("clock") > 0.9 and name not in used]
    if when is not None and len(clocks) == 1:
        found["bought_at"] = replace(when, columns=(when.columns[0], clocks[0]))


def _work_out_amount(entity: str, found: dict[str, Guess]) -> None:
    if entity == "tickets" and "amount" in found and "refunded" in found:
        total, back = found["amount"], found["refunded"]
        formula = f"{{{total.columns[0]}}} - {{{back.columns[0]}}}"
        found["amount"] = replace(total, columns=(*total.columns, *back.columns), made={"formula": formula})
    if entity == "ticket_lines" and "amount" not in found and {"unit_price", "quantity"} <= set(found):
        price, quantity, less = found["unit_price"], found["quantity"], found.get("discount")
        formula = f"{{{price.columns[0]}}} * {{{quantity.columns[0]}}}"
        formula += f" - {{{less.columns[0]}}}" if less is not None else ""
        parts = (*price.columns, *quantity.columns, *(less.columns if less is not None else ()))
        found["amount"] = replace(price, field="amount", columns=parts, made={"formula": formula}, level="likely")


def _name_list(found: dict[str, Guess], file_name: str) -> None:
    lists = next(column.values for column in CONTRACTS["suppressions"].columns if column.name == "list")
    named = next((name for name in lists if name in file_name.lower()), None)
    level, why = ("likely", "by the file's name") if named else ("perhaps", "say which list it is")
    found["list"] = Guess("list", (), 0.5, level, why, {"value": named or "internal"})


def find_values(
    entity: str, guesses: Mapping[str, Guess], columns: Mapping[str, Contents]
) -> tuple[dict[str, dict[str, str | bool]], dict[str, list[str]]]:
    """What the words of fields that are one of a list mean, and those that nobody could tell.

    Returns
    -------
    (dict of str to dict, dict of str to list of str)
        Field -> word -> what is meant; field -> words left.
    """
    values: dict[str, dict[str, str | bool]] = {}
    left: dict[str, list[str]] = {}
    for name, guess in guesses.items():
        column = CONTRACTS[ENTITIES[entity]].column(name)
        yes_or_no = kind_of_field(entity, name) == "bool"
        meanings = _list_words("yes" if yes_or_no else name)
        known = {*YES, *NO} if yes_or_no else {*meanings.values(), *(column.values if column is not None else ())}
        if not known or len(guess.columns) != 1:
            continue
        words = dict.fromkeys(cell for cell in columns[guess.columns[0]].cells if cell.lower() not in known)
        if name == "gender":
            _tell_men(meanings, {word.lower() for word in words})
        said = {word: meanings[word.lower()] for word in words if word.lower() in meanings}
        values |= {name: {w: m == "true" if yes_or_no else m for w, m in said.items()}} if said else {}
        unknown = [word for word in words if word.lower() not in meanings][:MOST_WORDS]
        left |= {name: unknown} if unknown else {}
    return values, left


def _list_words(field: str) -> dict[str, str]:
    rows = [row for row in read_table("values.csv") if row["field"] == field]
    return {word: row["meant"] for row in rows for word in row["words"].split("|")}


def _tell_men(meanings: dict[str, str], words: set[str]) -> None:
    """Where men are H or V, M is a woman; where women are F, K or W, a man; alone nobody can tell."""
    if words & set(SPANISH_MEN):
        meanings[AMBIGUOUS] = "female"
    elif not words & {"f", "k", "w"}:
        del meanings[AMBIGUOUS]
