"""The trail of one person: what each event said, what the word was from then on, and what became of it."""

from __future__ import annotations

from datetime import date

import pytest

from crmlib.errors import InputError
from crmlib.params import PermissionSettings
from crmlib.permission.consent import decide_permissions
from crmlib.permission.trail import TrailDesk, trace_permissions
from tests.permission.made_consents import NO, PENDING, YES, event, prepare, send

AS_OF = date(2026, 11, 1)


def test_a_trail_tells_of_every_event_what_became_of_it(engine):
    events = [
        event(YES, "2026-01-01"),
        event(NO, "2026-03-01", record="r2"),
        event(YES, "2026-04-01", evidence=PENDING, channel="sms"),
        event(YES, "2026-01-01", record="r3"),
    ]
    records = {"r1": ("c1", 0.999), "r2": ("c1", 0.999), "r3": ("c3", None)}
    prepare(engine, events, [send("2026-02-01", complained=True)], records=records, listed=[("c3", "robinson")])
    decide_permissions(engine, PermissionSettings(), AS_OF)
    trail = trace_permissions(engine, "c1")
    assert trail["since"].tolist() == ["yes", "no", "no", "no"]
    assert trail[["channel", "said", "effect", "reason"]].to_numpy().tolist() == [
        ["email", "granted", "overruled by consent crm r2", "withdrawn"],
        ["email", "complaint", "overruled by consent crm r2", "withdrawn"],
        ["email", "withdrawn", "decided", "withdrawn"],
        ["sms", "unconfirmed", "decided", "unconfirmed"],
    ]
    listed = trace_permissions(engine, "c3")
    assert listed["effect"].tolist() == ["overruled by list robinson lists", "overrules every grant"]
    assert listed["allowed"].tolist()[0] == "no"
    assert trace_permissions(engine, "").empty


def test_of_any_day_a_trail_tells_what_the_word_was_then(engine):
    events = [
        event(YES, "2026-01-01"),
        event(YES, "2026-02-01", evidence=PENDING),
        event(NO, "2026-03-01"),
        event(YES, "2026-04-01", evidence=PENDING),
        event(YES, "2026-05-01"),
    ]
    prepare(engine, events)
    decide_permissions(engine, PermissionSettings(), AS_OF)
    assert trace_permissions(engine, "c1")["since"].tolist() == ["yes", "yes", "no", "no", "yes"]


def test_somebody_is_asked_for_by_a_record_too_and_nobody_is_told_of(engine):
    records = {"r1": ("c1", None), "r2": ("c2", None)}
    prepare(engine, [event(YES, "2026-01-01")], records=records)
    decide_permissions(engine, PermissionSettings(), AS_OF)
    desk = TrailDesk(engine)
    assert desk.show("crm:r1").equals(desk.show(" c1 "))
    for asked, said in (("c9", "No customer has"), ("crm:r9", "No customer has"), ("c2", "Nothing was ever said")):
        with pytest.raises(InputError, match=said) as caught:
            desk.show(asked)
        assert asked not in str(caught.value)
