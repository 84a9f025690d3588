"""What a field asks of the cells of its column, what speaks for it, and what is enough without any heading."""

from __future__ import annotations

from dataclasses import dataclass

from crmlib.params import ENTITIES
from crmlib.sources.columns import CONSENT_KINDS
from crmlib.sources.guessing.contents import Contents
from crmlib.tables import CONTRACTS

#: What cells are worth beside a heading: they speak for the field, say nothing of it, or there are none.
SPEAKS, SAYS_NOTHING, EMPTY = 1.0, 0.5, -0.5


@dataclass(frozen=True)
class Rule:
    """What a field's cells are.

    Parameters
    ----------
    needs : tuple of (str, float)
        Kinds of cell, and the least share of each.
    bars : tuple of (str, float)
        Kinds, and the share from which it cannot be the field.
    speaks : tuple of (str, float)
        Kinds that speak for the field from a share on.
    alone : float
        How sure the field is by its cells alone; 0: never.
    least : int
        Different cells without which nothing is said by cells alone.
    """

    needs: tuple[tuple[str, float], ...] = ()
    bars: tuple[tuple[str, float], ...] = ()
    speaks: tuple[tuple[str, float], ...] = ()
    alone: float = 0.0
    least: int = 3


_NAME = Rule(needs=(("words", 0.7),), bars=(("digits", 0.3), ("yes", 0.9), ("time", 0.3)))
_PLACE = Rule(needs=(("words", 0.7),), bars=(("digits", 0.3), ("time", 0.3)), speaks=(("words", 0.9),))
_ID = Rule(bars=(("time", 0.8), ("spaced", 0.8), ("clock", 0.8)))
_TIME = Rule(needs=(("time", 0.5),), speaks=(("time", 0.9),))
_NUMBER = Rule(needs=(("number", 0.7),), bars=(("time", 0.5), ("pieces", 1.0)), speaks=(("number", 0.95),))
_COUNT = Rule(needs=(("number", 0.7),), bars=(("time", 0.5),), speaks=(("number", 0.95),))
_YES_OR_NO = Rule(needs=(("yes", 0.6),), speaks=(("yes", 0.9),))

#: By field; what is not here is judged by the kind of its column.
RULES: dict[str, Rule] = {
    "email": Rule(needs=(("email", 0.5),), speaks=(("email", 0.8),), alone=0.6, least=1),
    "buyer_email": Rule(needs=(("email", 0.5),), speaks=(("email", 0.8),), alone=0.6, least=1),
    "phone": Rule(needs=(("digits", 0.6),), bars=(("time", 0.5), ("email", 0.1)), speaks=(("phone", 0.6),)),
    "national_id": Rule(
        needs=(("digits", 0.6),), bars=(("spaced", 0.6), ("email", 0.1)), speaks=(("national_id", 0.6),), alone=0.55
    ),
    "birth_date": Rule(needs=(("time", 0.5),), speaks=(("birth", 0.7),), alone=0.45, least=20),
    "gender": Rule(bars=(("digits", 0.5), ("email", 0.1)), speaks=(("gender", 0.7),), alone=0.45, least=2),
    "postcode": Rule(needs=(("digits", 0.6),), bars=(("time", 0.5),), speaks=(("postcode", 0.7),)),
    "given_name": Rule(**{**vars(_NAME), "speaks": (("given_name", 0.5),), "alone": 0.45, "least": 10}),
    "full_name": Rule(**{**vars(_NAME), "speaks": (("full_name", 0.4),), "alone": 0.45, "least": 10}),
    "surnames": _NAME,
    "surname_1": _NAME,
    "surname_2": _NAME,
    "address_line": Rule(
        needs=(("words", 0.5),), bars=(("email", 0.1),), speaks=(("street", 0.5),), alone=0.45, least=10
    ),
    "municipality": _PLACE,
    "province": _PLACE,
    "island": _PLACE,
    "country": Rule(bars=(("digits", 0.3), ("spaced", 0.9)), speaks=(("two_letters", 0.8),)),
    "consent.ip": Rule(needs=(("ip", 0.6),), speaks=(("ip", 0.9),)),
    "channel": Rule(bars=(("digits", 0.3),), speaks=(("channel", 0.6),)),
    "purpose": Rule(bars=(("digits", 0.3),), speaks=(("purpose", 0.6),)),
    "decision": Rule(bars=(("digits", 0.3),), speaks=(("decision", 0.6),)),
    "event": Rule(bars=(("digits", 0.3),), speaks=(("event", 0.5),)),
    "group": Rule(speaks=(("group", 0.6),)),
    "category": Rule(bars=(("number", 0.8),)),
    "tags": Rule(bars=(("number", 0.8), ("time", 0.5))),
    "key": Rule(speaks=(("hash", 0.3), ("digits", 0.8))),
    "name": Rule(needs=(("words", 0.6),), bars=(("time", 0.5), ("email", 0.1))),
    "quantity": _COUNT,
    "items": _COUNT,
    "unit_price": _NUMBER,
    "refunded": _NUMBER,
    "till": _ID,
}
_KINDS = {
    "date": _TIME,
    "time": _TIME,
    "money": _NUMBER,
    "float": _NUMBER,
    "int": _COUNT,
    "bool": _YES_OR_NO,
    "texts": Rule(),
}


def kind_of_field(entity: str, field: str) -> str:
    """The kind of a field's column, as contracts name it."""
    column = CONTRACTS[ENTITIES[entity]].column(field) or CONTRACTS["tickets"].column(field)
    if column is not None:
        return column.kind
    return CONSENT_KINDS.get(field.split(".")[-1], "bool") if field.startswith("consent.") else "text"


def find_rule(entity: str, field: str) -> Rule:
    """What a field asks of its cells."""
    if field in RULES:
        return RULES[field]
    kind = kind_of_field(entity, field)
    return _KINDS.get(kind) or (_ID if field.endswith("_id") or field == "loyalty_card" else Rule())


def weigh_contents(entity: str, field: str, contents: Contents) -> float | None:
    """What a column's cells are worth for a field; None if they cannot be its."""
    if not contents.cells:
        return EMPTY
    rule = find_rule(entity, field)
    if any(contents.share(kind) < least for kind, least in rule.needs):
        return None
    if any(contents.share(kind) >= most for kind, most in rule.bars):
        return None
    return SPEAKS if any(contents.share(kind) >= least for kind, least in rule.speaks) else SAYS_NOTHING


def sure_alone(entity: str, field: str, contents: Contents) -> float:
    """How sure a field is by its cells alone, from 0 to 1."""
    rule = find_rule(entity, field)
    worth = weigh_contents(entity, field, contents)
    return rule.alone if worth == SPEAKS and len(contents.cells) >= rule.least else 0.0
