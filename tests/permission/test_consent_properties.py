"""Permissions whatever happened: what must hold of any history of consents."""

from __future__ import annotations

import random

import pytest

from crmlib.permission.evidence import ASKED_CHANNELS, ASKED_PURPOSES
from tests.made_tables import at, make_table
from tests.permission.made_consents import CONFIRMED, NO, PENDING, STATE, YES, decide, event, prepare, send


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
