"""What people ruled about pairs, held against the model: must link, cannot link.

A ruling holds as long as both records are as they were when it was made. Of two about the same pair the later counts.
"""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd
import pyarrow as pa

from crmlib.engine import Engine, Step, quote
from crmlib.identity.rulings import RECORD_DIGITS, PairRuling, RecordKey, Rulings

#: What a reviewer sees of a record; its hash notices when any of it changed.
EVIDENCE = (
    "full_name", "given_name", "surnames", "surname_1", "surname_2", "company", "national_id", "birth_date", "email",
    "phone", "address_line", "street_type", "street", "house_number", "unit", "postcode", "municipality",
)  # fmt: skip

NAMED_PAIRS = pa.schema(
    [
        ("place", pa.int64()),
        *((f"{column}_{side}", pa.string()) for side in "lr" for column in ("source", "source_record_id", "seen")),
    ]
)
PLACES = pa.schema([("place", pa.int64())])

NUMBERED_PAIRS = Step(
    "numbered_pairs",
    """
    SELECT n.place, n.seen_l, n.seen_r, l.record_no AS record_no_l, r.record_no AS record_no_r
    FROM named_pairs n
    LEFT JOIN linkage_records l ON l.source = n.source_l AND l.source_record_id = n.source_record_id_l
    LEFT JOIN linkage_records r ON r.source = n.source_r AND r.source_record_id = n.source_record_id_r
    """,
)

PAIR_STATES = Step(
    "pair_states",
    """
    SELECT n.place, least(n.record_no_l, n.record_no_r) AS record_no_l,
           greatest(n.record_no_l, n.record_no_r) AS record_no_r,
           CASE WHEN n.record_no_l IS NULL OR n.record_no_r IS NULL THEN 'gone'
                WHEN l.seen = n.seen_l AND r.seen = n.seen_r THEN 'current'
                ELSE 'lapsed' END AS state
    FROM numbered_pairs n
    LEFT JOIN records_seen l ON l.record_no = n.record_no_l
    LEFT JOIN records_seen r ON r.record_no = n.record_no_r
    """,
)

MODEL_PAIRS = Step(
    "model_pairs",
    """
    SELECT p.record_no_l, p.record_no_r, p.match_weight, p.match_probability, p.contradicted, p.decided_by, h.decision
    FROM held_pairs h
    JOIN decided_pairs p ON p.record_no_l = h.record_no_l AND p.record_no_r = h.record_no_r
    """,
)


def hold_rulings(engine: Engine, rulings: Rulings) -> pd.DataFrame:
    """Let the pairs that people ruled on be as they ruled.

    Parameters
    ----------
    engine : Engine
        Holds `source_records`, ``linkage_records`` and ``decided_pairs``: in it a pair ruled the same has the
        probability 1, one ruled different is contradicted, and both are decided by a reviewer, whether or not the
        model had looked at them. Gets ``pair_states`` (place, record_no_l, record_no_r, state: current, lapsed, gone),
        ``held_pairs`` (record_no_l, record_no_r, decision) and ``model_pairs``: these pairs' match_weight,
        match_probability, contradicted and decided_by as the model alone had them, with the decision.
    rulings : Rulings

    Returns
    -------
    pandas.DataFrame
        state, pairs: how many hold, were left open, lapsed because a record changed, name a record that is there no
        more, or cannot hold together with later ones; and on how many the reviewers contradict each other.
    """
    latest = latest_of_pairs(rulings.pairs)
    states = _find_states(engine, latest)
    current = [latest[place] for place, state in enumerate(states) if state == "current"]
    kept, dropped = drop_impossible(current)
    places = {id(ruling): place for place, ruling in enumerate(latest)}
    engine.register(
        "kept_pairs",
        pa.table(
            {"place": [places[id(ruling)] for ruling in kept], "decision": [ruling.decision for ruling in kept]},
            schema=PLACES.append(pa.field("decision", pa.string())),
        ),
    )
    engine.run(
        Step(
            "held_pairs",
            "SELECT s.record_no_l, s.record_no_r, k.decision FROM kept_pairs k JOIN pair_states s USING (place) "
            "WHERE k.decision <> 'unsure'",
        )
    )
    engine.run(MODEL_PAIRS)
    held = sum(ruling.decision != "unsure" for ruling in kept)
    if held:
        engine.run(_rule_pairs(list(engine.columns("decided_pairs"))))
        _add_unseen(engine)
        engine.run(Step("decided_pairs", "FROM ruled_pairs"))
    counted = [
        ("hold", held),
        ("left open by the reviewer", len(kept) - held),
        ("lapsed: a record has changed since", states.count("lapsed")),
        ("of records that are there no more", states.count("gone")),
        ("set aside: later rulings rule them out", len(dropped)),
        ("on which reviewers contradict each other; the later counts", count_contradictions(rulings.pairs)),
    ]
    return pd.DataFrame(counted, columns=["state", "pairs"])


def _rule_pairs(columns: list[str]) -> Step:
    """What people ruled, in the place of what the model made of a pair; the other columns as they are."""
    ruled = {
        "match_probability": "CASE h.decision WHEN 'same' THEN 1.0 WHEN 'different' THEN 0.0 "
        "ELSE p.match_probability END",
        "contradicted": "CASE WHEN h.decision IS NULL THEN p.contradicted ELSE h.decision = 'different' END",
        "decided_by": "CASE WHEN h.decision IS NULL THEN p.decided_by ELSE 'reviewer' END",
    }
    selected = ", ".join(f"{ruled.get(name, f'p.{quote(name)}')} AS {quote(name)}" for name in columns)
    return Step(
        "ruled_pairs",
        f"SELECT {selected} FROM decided_pairs p "
        "LEFT JOIN held_pairs h ON h.record_no_l = p.record_no_l AND h.record_no_r = p.record_no_r",
    )


def hash_records(engine: Engine, named: str) -> str:
    """Hash some records as they stand.

    Parameters
    ----------
    engine : Engine
        Holds `source_records` and ``linkage_records``.
    named : str
        Table or query with record_no.

    Returns
    -------
    str
        ``records_seen``: record_no, seen.
    """
    told = ", ".join(f"coalesce(lower(trim(CAST(r.{column} AS VARCHAR))), '')" for column in EVIDENCE)
    return engine.run(
        Step(
            "records_seen",
            f"""
            WITH named AS (SELECT DISTINCT record_no FROM {named})
            SELECT l.record_no, left(sha256(concat_ws(chr(31), {told})), {RECORD_DIGITS}) AS seen
            FROM named n
            JOIN linkage_records l ON l.record_no = n.record_no
            JOIN source_records r ON r.source = l.source AND r.source_record_id = l.source_record_id
            """,
        )
    )


def latest_of_pairs(rulings: Iterable[PairRuling]) -> list[PairRuling]:
    """The ruling that counts for each pair: the last, from the first decided to the last."""
    latest: dict[tuple[RecordKey, RecordKey], PairRuling] = {}
    for ruling in rulings:
        latest.pop(ruling.pair, None)
        latest[ruling.pair] = ruling
    return list(latest.values())


def count_contradictions(rulings: Iterable[PairRuling]) -> int:
    """Pairs of which two reviewers said the opposite of each other; the later counts."""
    said: dict[tuple[RecordKey, RecordKey], dict[str, str]] = {}
    for ruling in rulings:
        if ruling.decision != "unsure":
            said.setdefault(ruling.pair, {})[ruling.reviewer] = ruling.decision
    return sum(len(set(decisions.values())) > 1 for decisions in said.values())


def drop_impossible(rulings: Iterable[PairRuling]) -> tuple[list[PairRuling], list[PairRuling]]:
    """Keep what can hold together: two records are not one person and two, not even by way of a third.

    Parameters
    ----------
    rulings : iterable of PairRuling
        One a pair, from the first decided to the last; the later ones are kept.

    Returns
    -------
    kept, dropped : list of PairRuling
    """
    person: dict[RecordKey, RecordKey] = {}
    apart: dict[RecordKey, set[RecordKey]] = {}

    def find(record: RecordKey) -> RecordKey:
        while person.setdefault(record, record) != record:
            person[record] = record = person[person[record]]
        return record

    kept, dropped = [], []
    for ruling in reversed(list(rulings)):
        left, right = find(ruling.records[0]), find(ruling.records[1])
        if ruling.decision == "same" and left != right:
            if right in apart.get(left, ()):
                dropped.append(ruling)
                continue
            person[right] = left
            others = apart.pop(right, set())
            for other in others:
                apart[other] = apart[other] - {right} | {left}
            apart[left] = apart.get(left, set()) | others
        elif ruling.decision == "different":
            if left == right:
                dropped.append(ruling)
                continue
            apart.setdefault(left, set()).add(right)
            apart.setdefault(right, set()).add(left)
        kept.append(ruling)
    return kept[::-1], dropped[::-1]


def _find_states(engine: Engine, rulings: list[PairRuling]) -> list[str]:
    """For each ruling, whether its records are as they were: current, lapsed or gone."""
    rows = [
        (place, *ruling.records[0], ruling.seen[0], *ruling.records[1], ruling.seen[1])
        for place, ruling in enumerate(rulings)
    ]
    columns = list(zip(*rows, strict=True)) or [()] * len(NAMED_PAIRS)
    engine.register("named_pairs", pa.table([list(column) for column in columns], schema=NAMED_PAIRS))
    engine.run(NUMBERED_PAIRS)
    hash_records(
        engine,
        "(SELECT record_no_l AS record_no FROM numbered_pairs UNION SELECT record_no_r FROM numbered_pairs)",
    )
    engine.run(PAIR_STATES)
    return [row["state"] for row in engine.rows("SELECT state FROM pair_states ORDER BY place")]


def _add_unseen(engine: Engine) -> None:
    """Add to ``ruled_pairs`` the pairs ruled on that the model did not look at."""
    unknown = "".join(f", -1 AS {quote(name)}" for name in engine.columns("ruled_pairs") if name.startswith("gamma_"))
    engine.execute(
        f"""
        INSERT INTO ruled_pairs BY NAME
        SELECT l.source AS source_l, l.source_record_id AS source_record_id_l,
               r.source AS source_r, r.source_record_id AS source_record_id_r, h.record_no_l, h.record_no_r,
               CASE h.decision WHEN 'same' THEN 1.0 ELSE 0.0 END AS match_probability,
               h.decision = 'different' AS contradicted, 'reviewer' AS decided_by{unknown}
        FROM held_pairs h
        JOIN linkage_records l ON l.record_no = h.record_no_l
        JOIN linkage_records r ON r.record_no = h.record_no_r
        ANTI JOIN decided_pairs p ON p.record_no_l = h.record_no_l AND p.record_no_r = h.record_no_r
        """
    )
