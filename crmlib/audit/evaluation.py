"""How right the audit is, where what is wrong was planted. Only this function reads it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from crmlib.audit.findings import Judged
from crmlib.engine import Engine, literal, quote
from crmlib.params import ENTITIES
from crmlib.tables import CONTRACTS

if TYPE_CHECKING:
    import pandas as pd


class Answer(NamedTuple):
    """What answers to a planted defect.

    Parameters
    ----------
    checks : tuple of (entity, field, check)
        Of the entity's rows.
    rules : tuple of str
        Of what was delivered.
    also : tuple of str
        Other planted defects that make the same checks right: a number misdialled may be impossible, too, and a card
        whose record is in quarantine has none.
    """

    checks: tuple[tuple[str, str, str], ...] = ()
    rules: tuple[str, ...] = ()
    also: tuple[str, ...] = ()


#: Defect as the truth names it -> what must find it, and may find nothing else.
ANSWERS = {
    "bad_email": Answer((("customers", "email", "valid"),), also=("mistyped_email",)),
    "placeholder_phone": Answer((("customers", "phone", "valid"),), also=("misdialled",)),
    "wrong_check_letter": Answer((("customers", "national_id", "valid"),)),
    "unknown_store": Answer((("tickets", "store_id", "known"),)),
    "card_without_record": Answer(
        (("tickets", "loyalty_card", "held"),), also=("impossible_date", "unreadable_row", "conflicting_key")
    ),
    "unknown_campaign": Answer((("sends", "campaign_id", "known"),)),
    "unknown_product": Answer((("web_events", "product_id", "known"),)),
    "closed_before_opened": Answer((("service_cases", "closed_at", "in_order"),)),
    "delivered_late": Answer((("tickets", "bought_at", "in_turn"),), also=("corrected_later",)),
    "corrected_later": Answer(rules=("final",)),
    "impossible_date": Answer(rules=("readable",)),
    "impossible_amount": Answer(rules=("readable",)),
    "unreadable_row": Answer(rules=("readable",)),
    "conflicting_key": Answer(rules=("unambiguous",)),
    "repeated_row": Answer(rules=("once",)),
    "future_row": Answer(rules=("not_ahead",)),
}
#: What names a row of an entity in the truth, where it is not its own key.
ROW_KEYS = {"customers": "source_record_id", "consents": "source_record_id", "tickets": "ticket_id"}


def evaluate_findings(
    engine: Engine, judged: Judged, stored: Callable[[str], str | None], quarantine: str, truth: str | None
) -> pd.DataFrame:
    """Judge the audit by the defects that were planted.

    Parameters
    ----------
    engine : Engine
    judged : Judged
    stored : callable
        Gives the view of a table with all that is stored, or None.
    quarantine : str
        Table of the rejected rows as they were delivered.
    truth : str or None
        Table with source, entity, row_key and defect.

    Returns
    -------
    DataFrame
        metric, value, n: ``defects_found`` (share of the planted defects that a check names, of those that were
        delivered by the as-of date), ``defects_named_wrongly`` (share of the rows those checks name in which nothing
        was planted), and ``found_<defect>`` for each kind. No rows where the truth is not known.
    """
    import pandas as pd

    if truth is None:
        return pd.DataFrame({"metric": [], "value": [], "n": []}).astype({"metric": "str", "n": "int64"})
    engine.execute("CREATE OR REPLACE TABLE named_rows (defect VARCHAR, source VARCHAR, row_key VARCHAR)")
    for defect, answer in ANSWERS.items():
        for select in _name_rows(defect, answer, judged, stored, quarantine, truth):
            engine.execute(f"INSERT INTO named_rows SELECT DISTINCT {literal(defect)}, source, row_key FROM ({select})")
    told = ", ".join(literal(defect) for defect in ANSWERS)
    kinds = engine.rows(
        f"""
        WITH planted AS (
          SELECT DISTINCT defect, CASE WHEN defect = 'card_without_record' THEN 'pos' ELSE source END AS source, row_key
          FROM {quote(truth)}
          WHERE defect IN ({told})
            AND (defect <> 'card_without_record' OR row_key IN (SELECT loyalty_card FROM tickets))
        ),
        rejected AS (SELECT source, delivered FROM {quote(quarantine)}),
        answered AS (
          SELECT planted.defect,
            named.row_key IS NOT NULL OR EXISTS (
              SELECT 1 FROM rejected WHERE rejected.source = planted.source AND contains(delivered, planted.row_key)
            ) AS found
          FROM planted LEFT JOIN named_rows AS named USING (defect, source, row_key)
        )
        SELECT defect, count(*) AS planted, count(*) FILTER (WHERE found) AS found FROM answered GROUP BY defect
        ORDER BY defect
        """
    )
    explained = [(defect, other) for defect, answer in ANSWERS.items() for other in (defect, *answer.also)]
    engine.register(
        "explained", pa.table({"named": [one for one, _ in explained], "defect": [two for _, two in explained]})
    )
    named = engine.row(
        f"""
        WITH named AS (SELECT DISTINCT defect AS named, source, row_key FROM named_rows),
        planted AS (
          SELECT DISTINCT named, CASE WHEN named = 'card_without_record' THEN 'pos' ELSE source END AS source, row_key
          FROM {quote(truth)} JOIN explained USING (defect)
        )
        SELECT (SELECT count(*) FROM named) AS named,
          (SELECT count(*) FROM named ANTI JOIN planted USING (named, source, row_key)) AS wrong
        """
    )
    planted = sum(kind["planted"] for kind in kinds)
    found = sum(kind["found"] for kind in kinds)
    rows = [("defects_found", found, planted), ("defects_named_wrongly", named["wrong"], named["named"])]
    rows += [(f"found_{kind['defect']}", kind["found"], kind["planted"]) for kind in kinds]
    return pd.DataFrame(
        [(metric, part / whole if whole else 0.0, whole) for metric, part, whole in rows],
        columns=["metric", "value", "n"],
    )


def _name_rows(
    defect: str, answer: Answer, judged: Judged, stored: Callable[[str], str | None], quarantine: str, truth: str
) -> list[str]:
    """Queries for source and key of the rows that the checks of a defect name."""
    selects = []
    for entity, field, check in answer.checks:
        key = "loyalty_card" if defect == "card_without_record" else _key_of(entity)
        for flag in judged.flags.get(entity, []):
            if (flag.field, flag.name) == (field, check):
                within = f"source IN ({', '.join(map(literal, flag.sources))})" if flag.sources else "true"
                selects.append(
                    f"SELECT source, {quote(key)} AS row_key FROM {ENTITIES[entity]} "
                    "SEMI JOIN (SELECT source, delivery, delivery_row "
                    f"FROM audited_{entity} WHERE {within} AND {flag.applies} AND {flag.fails}) "
                    "USING (source, delivery, delivery_row)"
                )
    for rule in answer.rules:
        if rule in ("readable", "unambiguous"):
            selects.append(_name_rejected(defect, rule, quarantine, truth))
        elif rule == "once":
            selects.append(_name_repeated(defect, truth))
        else:
            selects += [
                f"SELECT source, {quote(_key_of(entity))} AS row_key FROM {quote(rows)} "
                f'SEMI JOIN (SELECT source, delivery, "row" AS delivery_row FROM flagged_deliveries '
                f'WHERE entity = {literal(entity)} AND "check" = {literal(rule)}) '
                "USING (source, delivery, delivery_row)"
                for entity in ENTITIES
                if (rows := stored(ENTITIES[entity])) is not None
            ]
    return selects


def _key_of(entity: str) -> str:
    contract = CONTRACTS[ENTITIES[entity]]
    return ROW_KEYS.get(entity) or next(name for name in contract.key if name not in ("source", "updated_at"))


def _name_rejected(defect: str, rule: str, quarantine: str, truth: str) -> str:
    """Rejected rows by the planted key that their text holds; one that holds none is named by its place."""
    conflicting = "=" if rule == "unambiguous" else "<>"
    kinds = [name for name, answer in ANSWERS.items() if rule in answer.rules]
    return f"""
        SELECT rejected.source, coalesce(planted.row_key, rejected.delivery || ' ' || rejected.row) AS row_key
        FROM (SELECT * FROM {quote(quarantine)} WHERE rule {conflicting} 'conflicting_key') AS rejected
        LEFT JOIN {quote(truth)} AS planted
          ON planted.source = rejected.source AND contains(rejected.delivered, planted.row_key)
          AND planted.defect IN ({", ".join(map(literal, kinds))})
        WHERE planted.defect = {literal(defect)} OR (planted.defect IS NULL AND {literal(defect)} = {literal(kinds[0])})
    """


def _name_repeated(defect: str, truth: str) -> str:
    """As many planted keys as rows that repeat another are told of; those beyond are named by their place."""
    return f"""
        WITH told AS (
          SELECT source, delivery || ' ' || "row" AS place,
            row_number() OVER (PARTITION BY source ORDER BY delivery, "row") AS n
          FROM flagged_deliveries WHERE "check" = 'once'
        ),
        planted AS (
          SELECT source, row_key, row_number() OVER (PARTITION BY source ORDER BY row_key) AS n
          FROM {quote(truth)} WHERE defect = {literal(defect)}
        )
        SELECT source, coalesce(row_key, place) AS row_key FROM told LEFT JOIN planted USING (source, n)
    """
