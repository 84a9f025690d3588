"""Permissions by written cases: what was said, in which order and in which records, and what follows."""

from __future__ import annotations

import pytest

from crmlib.engine import Engine
from tests.made_tables import at
from tests.permission.made_consents import CONFIRMED, NO, PENDING, STATE, SURE, UNSURE, YES, decide, event, prepare

#: What happened -> what follows for e-mail and marketing.
CASES = {
    "nothing was said": ([], (False, "no_record")),
    "a grant": ([event(YES, "2026-01-01")], (True, "granted")),
    "a withdrawal": ([event(NO, "2026-01-01")], (False, "withdrawn")),
    "a withdrawal after a grant": ([event(YES, "2026-01-01"), event(NO, "2026-02-01")], (False, "withdrawn")),
    "a grant after a withdrawal": ([event(NO, "2026-01-01"), event(YES, "2026-02-01")], (True, "granted")),
    "both at one moment": ([event(YES, "2026-01-01"), event(NO, "2026-01-01", source="shop")], (False, "withdrawn")),
    "an old grant that comes late": (
        [event(NO, "2026-02-01", updated_at=at("2026-02-01")), event(YES, "2026-01-01", updated_at=at("2026-09-01"))],
        (False, "withdrawn"),
    ),
    "an old withdrawal that comes late": (
        [event(YES, "2026-02-01", updated_at=at("2026-02-01")), event(NO, "2026-01-01", updated_at=at("2026-09-01"))],
        (True, "granted"),
    ),
    "a grant for another channel": ([event(YES, "2026-01-01", channel="sms")], (False, "no_record")),
    "a withdrawal for another channel": (
        [event(YES, "2026-01-01"), event(NO, "2026-02-01", channel="sms")],
        (True, "granted"),
    ),
    "a grant for another purpose": ([event(YES, "2026-01-01", purpose="service")], (False, "no_record")),
    "a grant for profiling alone": ([event(YES, "2026-01-01", purpose="profiling")], (False, "no_record")),
    "an objection to legitimate interest": (
        [event(NO, "2026-01-01", legal_basis="legitimate_interest")],
        (False, "objected"),
    ),
    "a grant after an objection": (
        [event(NO, "2026-01-01", legal_basis="legitimate_interest"), event(YES, "2026-02-01")],
        (True, "granted"),
    ),
    "a double opt-in that was not confirmed": ([event(YES, "2026-01-01", evidence=PENDING)], (False, "unconfirmed")),
    "a confirmed one": ([event(YES, "2026-01-01", evidence=CONFIRMED)], (True, "granted")),
    "a confirmation later": (
        [event(YES, "2026-01-01", evidence=PENDING), event(YES, "2026-01-02", evidence=CONFIRMED)],
        (True, "granted"),
    ),
    "an unconfirmed grant beside a standing one": (
        [event(YES, "2026-01-01"), event(YES, "2026-02-01", evidence=PENDING)],
        (True, "granted"),
    ),
    "an unconfirmed grant after a withdrawal": (
        [event(NO, "2026-01-01"), event(YES, "2026-02-01", evidence=PENDING)],
        (False, "unconfirmed"),
    ),
    "a withdrawal after an unconfirmed grant": (
        [event(YES, "2026-01-01", evidence=PENDING), event(NO, "2026-02-01")],
        (False, "withdrawn"),
    ),
    "a box ticked nobody knows when": ([event(YES, "2026-10-31", evidence=STATE)], (True, "granted")),
    "that box, delivered after a withdrawal": (
        [event(NO, "2026-02-01", source="mail"), event(YES, "2026-10-31", evidence=STATE)],
        (False, "withdrawn"),
    ),
    "that box, and a grant with a date after the withdrawal": (
        [event(NO, "2026-02-01"), event(YES, "2026-10-31", evidence=STATE), event(YES, "2026-03-01")],
        (True, "granted"),
    ),
    "the box is ticked no more": (
        [event(YES, "2026-05-01", evidence=STATE), event(NO, "2026-10-31", evidence=STATE)],
        (False, "withdrawn"),
    ),
    "the box is ticked again": (
        [event(NO, "2026-05-01", evidence=STATE), event(YES, "2026-10-31", evidence=STATE)],
        (True, "granted"),
    ),
    "a box left empty, after a grant with a date": (
        [event(YES, "2026-05-01"), event(NO, "2026-10-31", evidence=STATE)],
        (False, "withdrawn"),
    ),
}


MERGES = {
    "a grant in a record that is surely the customer's": (
        SURE,
        [event(YES, "2026-01-01", record="r2")],
        (True, "granted"),
    ),
    "a grant in a record that may be another's": (
        UNSURE,
        [event(YES, "2026-01-01", record="r2")],
        (False, "uncertain_identity"),
    ),
    "a withdrawal in a record that may be another's": (
        UNSURE,
        [event(NO, "2026-01-01", record="r2")],
        (False, "withdrawn"),
    ),
    "an unsure grant after a withdrawal": (
        UNSURE,
        [event(NO, "2026-01-01"), event(YES, "2026-02-01", record="r2")],
        (False, "uncertain_identity"),
    ),
    "an unsure record beside a sure one": (
        {"r1": ("c1", 0.999), "r2": ("c1", 0.96)},
        [event(YES, "2026-01-01"), event(YES, "2026-02-01", record="r2")],
        (True, "granted"),
    ),
    "two records that disagree": (
        SURE,
        [event(YES, "2026-01-01"), event(NO, "2026-02-01", record="r2")],
        (False, "withdrawn"),
    ),
    "two records, split again": (
        {"r1": ("c1", None), "r2": ("c2", None)},
        [event(YES, "2026-01-01"), event(NO, "2026-02-01", record="r2")],
        (True, "granted"),
    ),
    "three records, the latest word in the third": (
        {"r1": ("c1", 0.999), "r2": ("c1", 0.999), "r3": ("c1", 0.999)},
        [event(YES, "2026-01-01"), event(YES, "2026-02-01", record="r2"), event(NO, "2026-03-01", record="r3")],
        (False, "withdrawn"),
    ),
    "a withdrawal before the other's grant": (
        SURE,
        [event(NO, "2026-01-01"), event(YES, "2026-02-01", record="r2")],
        (True, "granted"),
    ),
    "both at one moment in two records": (
        SURE,
        [event(NO, "2026-01-01"), event(YES, "2026-01-01", record="r2")],
        (False, "withdrawn"),
    ),
    "a grant of another purpose joins": (
        SURE,
        [event(NO, "2026-01-01"), event(YES, "2026-02-01", record="r2", purpose="service")],
        (False, "withdrawn"),
    ),
    "a grant of another channel joins": (
        SURE,
        [event(NO, "2026-01-01"), event(YES, "2026-02-01", record="r2", channel="sms")],
        (False, "withdrawn"),
    ),
    "a box ticked in the other record": (
        SURE,
        [event(NO, "2026-01-01"), event(YES, "2026-09-01", record="r2", evidence=STATE)],
        (False, "withdrawn"),
    ),
    "an objection in the other record": (
        SURE,
        [event(YES, "2026-01-01"), event(NO, "2026-02-01", record="r2", legal_basis="legitimate_interest")],
        (False, "objected"),
    ),
    "an objection and a withdrawal at one moment": (
        SURE,
        [event(NO, "2026-02-01"), event(NO, "2026-02-01", record="r2", legal_basis="legitimate_interest")],
        (False, "objected"),
    ),
    "an unconfirmed grant in a sure record": (
        SURE,
        [event(YES, "2026-02-01", record="r2", evidence=PENDING)],
        (False, "unconfirmed"),
    ),
    "an unsure withdrawal after a sure grant": (
        {"r1": ("c1", 0.999), "r2": ("c1", 0.96)},
        [event(YES, "2026-01-01"), event(NO, "2026-02-01", record="r2")],
        (False, "withdrawn"),
    ),
    "a record nobody delivered": (
        {"r1": ("c1", None)},
        [event(YES, "2026-01-01", record="gone")],
        (False, "no_record"),
    ),
}


WRITTEN = {case: ({"r1": ("c1", None)}, events, expected) for case, (events, expected) in CASES.items()} | MERGES


@pytest.fixture(scope="module")
def judged():
    """All written cases at once, each of customers of its own; and once more with the rows the other way round."""
    records, events = {}, []
    for number, (held, said, _) in enumerate(WRITTEN.values()):
        records |= {f"{number} {name}": (f"{number} {who}", probability) for name, (who, probability) in held.items()}
        events += [one | {"source_record_id": f"{number} {one['source_record_id']}"} for one in said]
    engine = Engine(threads=1, memory_limit="500MB")
    both = []
    for rows in (events, events[::-1]):
        prepare(engine, rows, records=records)
        both.append(decide(engine))
    engine.close()
    return both


@pytest.mark.parametrize("case", WRITTEN)
def test_a_written_case(judged, case):
    who = f"{list(WRITTEN).index(case)} c1", "email", "marketing"
    for rows in judged:
        assert (rows[who]["allowed"], rows[who]["reason"]) == WRITTEN[case][2]
