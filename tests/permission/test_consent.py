"""Permissions: written cases, and what must hold whatever happened."""

from __future__ import annotations

import random
from datetime import date

import pytest

from crmlib.engine import Engine, Step
from crmlib.params import LegitimateInterest, PermissionSettings
from crmlib.permission import consent, evidence
from crmlib.permission.consent import decide_permissions, years_before
from crmlib.permission.evidence import ASKED_CHANNELS, ASKED_PURPOSES
from tests.made_tables import at, make_table, make_tables

AS_OF = date(2026, 11, 1)
YES, NO = "granted", "withdrawn"
PENDING = "form, double opt-in pending"
CONFIRMED = "form, double opt-in 2026-03-01T10:00"
STATE = "stated with the record, without a date"


def event(decision, day, channel="email", purpose="marketing", record="r1", **more):
    return {
        "source": "crm",
        "record_source": "crm",
        "source_record_id": record,
        "channel": channel,
        "purpose": purpose,
        "decision": decision,
        "happened_at": at(day),
    } | more


def send(day, record="r1", channel="email", **more):
    return {
        "source": "mail",
        "send_id": f"{record} {day}",
        "record_source": "crm",
        "source_record_id": record,
        "channel": channel,
        "eligible_at": at(day),
        "sent_at": at(day),
        "delivered": True,
    } | more


def prepare(engine, events=(), sends=(), records=None, customers=None, listed=(), tickets=(), deleted=(), details=None):
    """Customers by their records (record -> (customer, match probability)) and all that happened."""
    records = records or {"r1": ("c1", None)}
    known = customers or [{"customer_id": customer} for customer in sorted({who for who, _ in records.values()})]
    make_tables(
        engine,
        identities=[
            {"source": "crm", "source_record_id": record, "customer_id": customer, "match_probability": probability}
            for record, (customer, probability) in records.items()
        ],
        customers=known,
        source_records=[
            {"source": "crm", "source_record_id": record, "deleted": record in deleted}
            | (details or {}).get(record, {})
            for record in records
        ],
        consent_events=events,
        sends=sends,
        tickets=tickets,
    )
    engine.execute(
        "CREATE OR REPLACE TABLE listed_customers (customer_id VARCHAR, list VARCHAR, source VARCHAR, listed_on DATE)"
    )
    for customer, name in listed:
        engine.execute("INSERT INTO listed_customers VALUES ($c, $l, 'lists', DATE '2025-01-01')", c=customer, l=name)


def decide(engine, settings=None, as_of=AS_OF):
    table = decide_permissions(engine, settings or PermissionSettings(), as_of)
    return {(row["customer_id"], row["channel"], row["purpose"]): row for row in engine.rows(f"FROM {table}")}


def judge(engine, *events, settings=None, channel="email", purpose="marketing", **more):
    prepare(engine, events, **more)
    row = decide(engine, settings)[("c1", channel, purpose)]
    return row["allowed"], row["reason"]


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


SURE, UNSURE = {"r1": ("c1", 0.999), "r2": ("c1", 0.999)}, {"r1": ("c1", 0.96), "r2": ("c1", 0.96)}
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


def test_the_threshold_is_the_permissions_own(engine):
    granted = event(YES, "2026-01-01")
    for threshold, expected in ((0.95, "granted"), (0.97, "uncertain_identity")):
        settings = PermissionSettings(match_threshold=threshold)
        assert judge(engine, granted, records=UNSURE, settings=settings)[1] == expected


#: Addresses of two records of one customer.
TWO_ADDRESSES = {"r1": {"email": "ana@old.example"}, "r2": {"email": "ana@new.example"}}
ONE_ADDRESS = {"r1": {"email": "ana@old.example"}, "r2": {"email": " Ana@OLD.example"}}


@pytest.mark.parametrize(
    ("details", "expected"),
    [(TWO_ADDRESSES, (False, "bounced")), (ONE_ADDRESS, (True, "granted")), ({}, (False, "bounced"))],
    ids=["another address", "the same address", "no address known"],
)
def test_what_arrives_at_another_address_ends_no_bounce(engine, details, expected):
    sends = [send("2026-02-01", bounced=True, delivered=False), send("2026-03-01", record="r2")]
    assert judge(engine, event(YES, "2026-01-01"), records=SURE, sends=sends, details=details) == expected


@pytest.mark.parametrize("channel", ["sms", "call"])
def test_a_bounce_of_a_phone_ends_at_that_phone(engine, channel):
    sends = [
        send("2026-02-01", channel=channel, bounced=True, delivered=False),
        send("2026-03-01", channel=channel, record="r2"),
    ]
    granted = event(YES, "2026-01-01", channel=channel)
    for other, reason in (("612 345 987", "granted"), ("+34 612345987", "granted"), ("699111222", "bounced")):
        details = {"r1": {"phone": "612345987"}, "r2": {"phone": other}}
        assert judge(engine, granted, records=SURE, sends=sends, channel=channel, details=details)[1] == reason


@pytest.mark.parametrize("certain", [True, False])
def test_profiling_granted_in_one_record_and_marketing_in_another_hold_together_where_both_are_surely_theirs(
    engine, certain
):
    records = SURE if certain else {"r1": ("c1", 0.999), "r2": ("c1", 0.96)}
    events = [event(YES, "2026-01-01", purpose="profiling"), event(YES, "2026-02-01", record="r2")]
    expected = (True, "granted") if certain else (False, "uncertain_identity")
    assert judge(engine, *events, records=records, purpose="profiling") == expected
    assert judge(engine, *events, records=records) == expected
    apart = {"r1": ("c1", None), "r2": ("c2", None)}
    assert judge(engine, *events, records=apart, purpose="profiling") == (False, "no_record")


def test_where_records_disagree_on_the_age_the_youngest_counts(engine):
    details = {"r1": {"birth_date": date(1980, 1, 1)}, "r2": {"birth_date": date(2015, 1, 1)}}
    customers = [{"customer_id": "c1", "birth_date": date(1980, 1, 1)}]
    granted = event(YES, "2026-01-01", record="r2")
    given = {"records": SURE, "customers": customers, "details": details}
    assert judge(engine, granted, **given) == (False, "minor")
    assert judge(engine, granted, **given, deleted=("r2",))[1] != "minor"
    # nobody is born tomorrow
    details["r2"]["birth_date"] = date(2026, 11, 2)
    assert judge(engine, granted, **given) == (True, "granted")


REACTIONS = {
    "a complaint": ([send("2026-02-01", complained=True)], (False, "complaint")),
    "leaving by the link": ([send("2026-02-01", unsubscribed=True)], (False, "withdrawn")),
    "a bounce": ([send("2026-02-01", bounced=True, delivered=False)], (False, "bounced")),
    "a bounce, then a delivery": (
        [send("2026-02-01", bounced=True, delivered=False), send("2026-03-01")],
        (True, "granted"),
    ),
    "a bounce on another channel": (
        [send("2026-02-01", channel="sms", bounced=True, delivered=False)],
        (True, "granted"),
    ),
    "a complaint before the grant": ([send("2025-02-01", complained=True)], (True, "granted")),
    "a bounce before the grant": ([send("2025-02-01", bounced=True, delivered=False)], (True, "granted")),
    "a delivery": ([send("2026-02-01")], (True, "granted")),
}


@pytest.mark.parametrize("case", REACTIONS)
def test_of_what_became_of_sends(engine, case):
    sends, expected = REACTIONS[case]
    assert judge(engine, event(YES, "2026-01-01"), sends=sends) == expected


@pytest.mark.parametrize(
    ("listed", "reason"),
    [
        (["robinson"], "robinson"),
        (["deceased"], "deceased"),
        (["employee"], "employee"),
        (["internal"], "internal_list"),
        (["internal", "robinson", "deceased"], "deceased"),
    ],
)
def test_lists_overrule_every_grant(engine, listed, reason):
    granted = [event(YES, "2026-01-01", channel=channel) for channel in ASKED_CHANNELS]
    prepare(engine, granted, listed=[("c1", name) for name in listed])
    assert {(row["allowed"], row["reason"]) for row in decide(engine).values()} == {(False, reason)}


@pytest.mark.parametrize(
    ("minimum_age", "born", "reason"),
    [
        (14, date(2012, 11, 1), "granted"),
        (14, date(2012, 11, 2), "minor"),
        (16, date(2010, 11, 1), "granted"),
        (16, date(2010, 11, 2), "minor"),
        (18, date(2008, 11, 1), "granted"),
        (18, date(2008, 11, 2), "minor"),
        (0, date(2026, 1, 1), "granted"),
        (14, None, "granted"),
    ],
)
def test_the_age_of_params_holds_by_every_channel(engine, minimum_age, born, reason):
    customers = [{"customer_id": "c1", "birth_date": born}]
    granted = [event(YES, "2026-10-01", channel=channel) for channel in ASKED_CHANNELS]
    prepare(engine, granted, customers=customers)
    rows = decide(engine, PermissionSettings(minimum_age=minimum_age))
    assert {rows["c1", channel, "marketing"]["reason"] for channel in ASKED_CHANNELS} == {reason}


@pytest.mark.parametrize("day", ["1900-01-01", "9999-12-31"])
def test_a_moment_beyond_all_others_decides_like_any(engine, day):
    assert judge(engine, event(NO, day)) == (False, "withdrawn")
    newer = event(YES, "2026-01-01")
    assert judge(engine, event(NO, day), newer)[0] is (day < "2026")


def test_years_before_a_day_that_is_not_in_every_year():
    assert years_before(date(2024, 2, 29), 14) == date(2010, 2, 28)
    assert years_before(date(2024, 2, 29), 4) == date(2020, 2, 29)


@pytest.mark.parametrize(
    ("days", "expected"), [(None, (True, "granted")), (400, (True, "granted")), (30, (False, "expired"))]
)
def test_a_consent_expires_where_params_say_so(engine, days, expected):
    settings = PermissionSettings(expires_after_days=days)
    assert judge(engine, event(YES, "2026-01-01"), settings=settings) == expected


def test_legitimate_interest_holds_only_where_params_say_so_and_until_an_objection(engine):
    bought = [{"record_source": "crm", "source_record_id": "r1", "bought_on": date(2026, 10, 1), "amount": 5}]
    settings = PermissionSettings(legitimate_interest=[LegitimateInterest(channel="email", purchased_within_days=60)])
    assert judge(engine, tickets=bought) == (False, "no_record")
    assert judge(engine, tickets=bought, settings=settings) == (True, "legitimate_interest")
    assert judge(engine, tickets=bought, settings=settings, channel="sms") == (False, "no_record")
    assert judge(engine, settings=settings) == (False, "no_record")
    assert judge(engine, event(NO, "2026-01-01"), tickets=bought, settings=settings) == (False, "withdrawn")
    assert judge(engine, event(YES, "2026-01-01", evidence=PENDING), tickets=bought, settings=settings)[0] is False
    returned = [bought[0] | {"amount": -5}]
    assert judge(engine, tickets=returned, settings=settings) == (False, "no_record")
    long_ago = [bought[0] | {"bought_on": date(2026, 8, 1)}]
    assert judge(engine, tickets=long_ago, settings=settings) == (False, "no_record")


@pytest.mark.parametrize(
    ("marketing", "expected"),
    [([YES], (True, "granted")), ([YES, NO], (False, "withdrawn")), ([], (False, "no_record"))],
)
def test_profiling_needs_marketing_too(engine, marketing, expected):
    events = [event(YES, "2026-06-01", purpose="profiling")]
    events += [event(decision, f"2026-0{month}-01") for month, decision in enumerate(marketing, start=1)]
    assert judge(engine, *events, purpose="profiling") == expected


def test_what_a_record_allowed_goes_with_it_and_what_it_forbade_stays(engine):
    assert judge(engine, event(YES, "2026-01-01"), deleted=("r1",)) == (False, "no_record")
    withdrawn = event(NO, "2026-01-01", record="r1"), event(YES, "2025-01-01", record="r2")
    records = {"r1": ("c1", None), "r2": ("c1", None)}
    assert judge(engine, *withdrawn, records=records, deleted=("r1",)) == (False, "withdrawn")


def test_every_customer_has_an_answer_to_every_question(engine):
    prepare(
        engine, [event(YES, "2026-01-01", channel="ads", purpose="third_party")], records=UNSURE | {"r3": ("c3", None)}
    )
    rows = decide(engine)
    asked = {
        (who, channel, purpose) for who in ("c1", "c3") for channel in ASKED_CHANNELS for purpose in ASKED_PURPOSES
    }
    assert set(rows) == asked | {("c1", "ads", "third_party")}


def test_a_row_names_the_event_that_decided(engine):
    prepare(engine, [event(YES, "2026-01-01"), event(NO, "2026-02-01", record="r2")], records=SURE)
    row = decide(engine)[("c1", "email", "marketing")]
    assert (row["decided_by_event"], row["valid_from"]) == ("consent crm r2", at("2026-02-01"))
    prepare(engine, [event(YES, "2026-01-01")], listed=[("c1", "robinson")])
    row = decide(engine)[("c1", "email", "marketing")]
    assert (row["decided_by_event"], row["valid_from"]) == ("list robinson lists", at("2025-01-01"))


def random_history(seed):
    draw = random.Random(seed)
    records = {f"r{number}": (f"c{number // 2}", draw.choice([None, 0.96, 0.999])) for number in range(60)}
    events = [
        event(
            draw.choice([YES, YES, NO]),
            f"2026-0{draw.randint(1, 9)}-01",
            channel=draw.choice(["email", "sms"]),
            purpose=draw.choice(ASKED_PURPOSES),
            record=draw.choice(list(records)),
            evidence=draw.choice([None, None, PENDING, CONFIRMED, STATE]),
        )
        for _ in range(200)
    ]
    return draw, records, events


@pytest.mark.parametrize("seed", range(6))
def test_one_more_withdrawal_turns_no_no_into_a_yes(engine, seed):
    draw, records, events = random_history(seed)
    prepare(engine, events, records=records)
    before = {key for key, row in decide(engine).items() if row["allowed"]}
    more = [
        event(NO, f"2026-0{draw.randint(1, 9)}-01", record=record, channel=draw.choice(["email", "sms"]))
        for record in draw.sample(list(records), 20)
    ]
    make_table(engine, "consent_events", [*events, *more])
    after = {key for key, row in decide(engine).items() if row["allowed"]}
    assert after < before


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_rows_makes_no_difference(engine, seed):
    draw, records, events = random_history(seed)
    prepare(engine, events, records=records)
    first = decide(engine)
    draw.shuffle(events)
    make_table(engine, "consent_events", events)
    assert decide(engine) == first


@pytest.mark.parametrize("seed", range(3))
def test_a_plain_reading_of_the_rules_gives_the_same(engine, seed):
    """Each customer by itself, event after event, as a person would."""
    _, records, events = random_history(seed)
    prepare(engine, events, records=records)
    told = {key: row["allowed"] for key, row in decide(engine).items()}
    for customer in {who for who, _ in records.values()}:
        allowed = {}
        for purpose in ASKED_PURPOSES:
            for channel in ASKED_CHANNELS:
                own = [e for e in events if records[e["source_record_id"]][0] == customer]
                own = [e for e in own if (e["channel"], e["purpose"]) == (channel, purpose)]
                allowed[channel, purpose] = read_plainly(own, records)
                expected = allowed[channel, purpose] and allowed[channel, "marketing"]
                assert told[customer, channel, purpose] == expected


def read_plainly(events, records):
    states = {}
    dated = []
    for e in sorted(events, key=lambda e: (e["happened_at"], e["decision"] == NO)):
        if e["evidence"] == STATE:
            states[e["source_record_id"]] = e
        else:
            dated.append(e)
    standing = [(at("1900-01-01") if e["decision"] == YES else e["happened_at"], e) for e in states.values()]
    standing += [(e["happened_at"], e) for e in dated]
    answer = False
    for _, e in sorted(standing, key=lambda entry: (entry[0], entry[1]["decision"] == NO)):
        sure = (records[e["source_record_id"]][1] or 1.0) >= 0.98
        if e["decision"] == NO:
            answer = False
        elif sure and e["evidence"] != PENDING:
            answer = True
    return answer


@pytest.mark.parametrize(
    "step",
    [evidence.NUMBERED_CUSTOMERS, evidence.NUMBERED_RECORDS, Step("read_consents", evidence.READ_CONSENTS),
     evidence.STATED_CONSENTS, evidence.REACTIONS, Step("events", evidence.EVENTS), Step("said", evidence.SAID),
     consent.ANSWERS, consent.RECENT_BUYERS, consent.BARRED, consent.PEOPLE, consent.PERMISSIONS],
    ids=lambda step: step.name,
)  # fmt: skip
def test_a_step_can_be_written_for_spark(step):
    assert step.spark.startswith(("WITH", "SELECT"))


@pytest.mark.parametrize("certain", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_a_merge_makes_no_yes_of_noes_and_a_split_restores(engine, seed, certain):
    draw, records, events = random_history(seed)
    events = [e for e in events if e["evidence"] != STATE]
    sends = [
        send(f"2026-0{draw.randint(1, 9)}-{day:02d}", record=record, bounced=bounced, delivered=not bounced)
        for record in draw.sample(list(records), 30)
        for day, bounced in enumerate(draw.sample([True, False, False], 2), start=2)
    ]
    apart = {record: (f"s{record}", None) for record in records}
    prepare(engine, events, sends, records=apart)
    before = decide(engine)
    together = {record: (customer, 0.999 if certain else 0.9) for record, (customer, _) in records.items()}
    prepare(engine, events, sends, records=together)
    merged = decide(engine)
    parts = {}
    for record, (customer, _) in together.items():
        parts.setdefault(customer, []).append(f"s{record}")
    yes = {key for key, row in merged.items() if row["allowed"]}
    assert bool(yes) is certain
    for customer, channel, purpose in yes:
        old = [before[part, channel, purpose] for part in parts[customer]]
        if purpose == "profiling":
            # each purpose by its own word, wherever it was given
            assert (customer, channel, "marketing") in yes
            assert any(part["answer"] == "granted" for part in old)
            continue
        granted = [part["valid_from"] for part in old if part["allowed"]]
        refused = [part["valid_from"] for part in old if part["answer"] in ("withdrawn", "objected", "bounced")]
        assert granted
        assert not refused or max(refused) < max(granted)
    prepare(engine, events, sends, records=apart)
    assert decide(engine) == before
