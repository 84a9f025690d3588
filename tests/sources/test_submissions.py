"""Submissions of a web form: records, consents with their proof, and what is set aside."""

from __future__ import annotations

import copy
import json

import pytest

from crmlib.errors import ParamsError

SENT = {
    "submitted_at": "2026-03-05T10:00:00Z",
    "form": "newsletter",
    "version": "2026-03",
    "fields": {"email": "ana@mail.example", "given_name": "Ana", "surnames": "", "postcode": "35200", "store": "T02"},
    "consents": {
        "offers": {"granted": True, "wording_version": "2026-03"},
        "texts": {"wording_version": "2026-03"},
        "profile": {"granted": False, "wording_version": "2026-03"},
    },
    "ip": "10.0.0.1",
    "confirmed_at": "2026-03-05T10:20:00Z",
}
SOURCES = {"forms": {"customers": {"path": "sent*.jsonl", "form": "newsletter.yaml", "tags": ["newsletter"]}}}


def changed(**places):
    """The submission, otherwise in some places: `fields__email` is that of `fields`; None takes it away."""
    sent = copy.deepcopy(SENT)
    for place, value in places.items():
        *above, last = place.split("__")
        here = sent
        for name in above:
            here = here.setdefault(name, {})
        if value is None:
            here.pop(last, None)
        else:
            here[last] = value
    return sent


@pytest.fixture
def take_in(deliveries, root):
    """Takes in submissions; the definition may be changed."""

    def take_in(*sent, definition=lambda text: text, **more):
        text = (root / "params" / "forms" / "newsletter.yaml").read_text(encoding="utf-8")
        deliveries.write("newsletter.yaml", definition(text))
        deliveries.write("sent.jsonl", "".join(json.dumps(one) + "\n" for one in sent))
        given = {**SOURCES["forms"]["customers"], **more}
        return deliveries.take_in({"forms": {"customers": given}})

    return take_in


def test_a_submission_becomes_a_record_and_its_consents(take_in, deliveries):
    take_in(SENT)
    columns = "source_record_id, email, given_name, surnames, postcode, home_store_id, tags, origin, updated_at"
    (row,) = deliveries.rows("source_records", columns)
    assert str(row.pop("updated_at")) == "2026-03-05 10:20:00+00:00"
    assert row == {
        "source_record_id": "ana@mail.example", "email": "ana@mail.example", "given_name": "Ana", "surnames": None,
        "postcode": "35200", "home_store_id": "T02", "tags": ["newsletter"], "origin": "online",
    }  # fmt: skip
    (event,) = deliveries.rows("consent_events")
    assert str(event.pop("happened_at")) == "2026-03-05 10:00:00+00:00"
    assert {name: event[name] for name in ("channel", "purpose", "decision", "legal_basis", "wording_version")} == {
        "channel": "email", "purpose": "marketing", "decision": "granted", "legal_basis": "consent",
        "wording_version": "2026-03",
    }  # fmt: skip
    assert event["evidence"] == (
        "stated with the record, form newsletter 2026-03, from 10.0.0.1, confirmed 2026-03-05 10:20:00 UTC"
    )
    assert deliveries.ledger() == [(1, 1, 0, 0)]


def test_a_consent_whose_second_step_is_missing_says_so_until_it_comes(take_in, deliveries):
    take_in(changed(confirmed_at=None))
    assert deliveries.values("consent_events", "evidence")[0].endswith("from 10.0.0.1, not confirmed")
    take_in(changed(confirmed_at=None), SENT)
    assert deliveries.ledger() == [(2, 1, 0, 1)]
    latest = max(deliveries.rows("consent_events"), key=lambda event: event["updated_at"])
    assert "not confirmed" not in latest["evidence"]


def test_without_a_double_opt_in_nothing_is_waited_for(take_in, deliveries):
    take_in(changed(confirmed_at=None), definition=lambda text: text.replace("double_opt_in: true", ""))
    assert deliveries.values("consent_events", "evidence") == [
        "stated with the record, form newsletter 2026-03, from 10.0.0.1"
    ]


def test_an_empty_box_says_nothing_unless_the_form_shows_what_stands(take_in, deliveries):
    sent = changed(consents__texts__granted=False, consents__offers__granted=True)
    take_in(sent)
    assert deliveries.values("consent_events", "channel") == ["email"]
    take_in(sent, definition=lambda text: text + "withdraws: true\n")
    told = deliveries.rows("consent_events", "purpose, channel, decision")
    assert [tuple(event.values()) for event in told] == [
        ("marketing", "email", "granted"),
        ("marketing", "sms", "withdrawn"),
        ("profiling", "email", "withdrawn"),
        ("profiling", "sms", "withdrawn"),
    ]


@pytest.mark.parametrize(
    ("places", "field", "rule"),
    [
        ({"form": "other"}, "form", "other_form"),
        ({"form": None}, "form", "other_form"),
        ({"version": "1999-01"}, "version", "other_version"),
        ({"submitted_at": None}, "submitted_at", "missing"),
        ({"submitted_at": "yesterday", "confirmed_at": None}, "updated_at", "not_a_date"),
        ({"fields__email": " "}, "fields.email", "missing"),
        ({"fields__email": "ana at mail"}, "fields.email", "not_an_email"),
        ({"fields__given_name": None}, "fields.given_name", "missing"),
        ({"fields__given_name": "A" * 61}, "fields.given_name", "too_long"),
        ({"fields__postcode": "3520"}, "fields.postcode", "wrong_pattern"),
        ({"fields__phone": "call me"}, "fields.phone", "not_a_phone"),
        ({"fields__birth_date": "2026-02-31"}, "fields.birth_date", "not_a_date"),
        ({"fields__birth_date": "05/12/1980"}, "fields.birth_date", "not_a_date"),
        ({"fields__store": "T99"}, "fields.store", "not_a_choice"),
        ({"fields__password": "x"}, "row", None),
        ({"fields__comment": "x"}, "fields.comment", "unknown_place"),
        ({"consents__offers__granted": False}, "consents.offers.granted", "not_agreed"),
        ({"consents__texts__granted": "perhaps"}, "consents.texts.granted", "not_yes_or_no"),
        ({"consents__offers__wording_version": "2020-01"}, "consents.offers.wording_version", "unknown_wording"),
        ({"consents__offers__wording_version": None}, "consents.offers.wording_version", "unknown_wording"),
        ({"consents__spy__granted": True}, "consents.spy.granted", "unknown_place"),
    ],
)
def test_a_wrong_submission_is_set_aside_with_its_place_and_rule(take_in, deliveries, places, field, rule):
    take_in(changed(fields__email="good@mail.example"), changed(**places))
    if rule is None:  # a secret is dropped at the door, and the rest taken
        assert deliveries.ledger() == [(2, 2, 0, 0)]
        return
    assert deliveries.rejected() == [(2, field, rule)]
    assert deliveries.ledger() == [(2, 1, 1, 0)]
    assert deliveries.values("rejected_rows", "reason")[0]


def test_of_an_earlier_version_nothing_is_missed(take_in, deliveries):
    earlier = changed(version="2025-01", fields__given_name=None, consents__offers__wording_version="2025-01")

    def listed(text):
        return text.replace('version: "2026-03"\ntitle', 'version: "2026-03"\nearlier_versions: ["2025-01"]\ntitle')

    take_in(earlier, definition=listed)
    assert deliveries.values("consent_events", "wording_version") == ["2025-01"]
    assert deliveries.rejected() == []


def test_a_changed_definition_is_read_anew(take_in, deliveries):
    take_in(SENT, changed(fields__email="ivo@mail.example", fields__store="T99"))
    assert deliveries.rejected() == [(2, "fields.store", "not_a_choice")]
    take_in(
        SENT, changed(fields__email="ivo@mail.example", fields__store="T99"),
        definition=lambda text: text.replace("T02: Telde", "T02: Telde, T99: Web"),
    )  # fmt: skip
    assert deliveries.rejected() == []


def test_what_params_map_comes_before_the_form(take_in, deliveries):
    take_in(SENT, fields={"origin": {"value": "kiosk"}})
    assert deliveries.values("source_records", "origin") == ["kiosk"]


def test_a_form_delivers_customers_alone(deliveries):
    with pytest.raises(ParamsError, match=r"sources\.forms\.tickets\.form: only customers have this"):
        deliveries.params({"forms": {"tickets": {"path": "a.jsonl", "form": "f.yaml"}}})


def test_a_definition_that_is_not_there_is_told(deliveries):
    deliveries.write("sent.jsonl", json.dumps(SENT) + "\n")
    with pytest.raises(ParamsError, match=r"newsletter\.yaml: there is no such form"):
        deliveries.take_in(SOURCES)
