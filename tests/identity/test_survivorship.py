"""Rules by field: which of several values a customer keeps, and what decided it."""

import pytest
from pydantic import ValidationError

from crmlib.params import GoldenSettings
from tests.identity.made_customers import MID, NEW, OLD, choose
from tests.made_tables import at


@pytest.mark.parametrize(
    ("rules", "golden", "decided"),
    [
        ([], NEW, "latest"),
        ("latest", NEW, "latest"),
        ("source_order", MID, "source_order"),
        ("most_frequent", OLD, "most_frequent"),
        (["most_complete", "source_order"], MID, "source_order"),
        (["most_complete"], NEW, "latest"),
    ],
)
def test_a_rule_by_field_chooses_and_is_named(engine, rules, golden, decided):
    records = [
        {"source": "web", "email": OLD},
        {"source": "web", "email": OLD},
        {"source": "erp", "email": MID},
        {"source": "shop", "email": NEW},
        {"source": "erp", "email": None},
    ]
    customer, rule, others = choose(engine, "email", rules, *records, sources=["erp", "shop"])
    assert (customer["email"], rule) == (golden, decided)
    of = {OLD: "web r1", MID: "erp r2", NEW: "shop r3"}
    assert others == [of[value] for value in (NEW, MID, OLD) if value != golden]


def test_a_single_value_needs_no_rule(engine):
    customer, rule, others = choose(engine, "email", "most_frequent", {"email": OLD}, {"email": None})
    assert (customer["email"], rule, others) == (OLD, "only", None)


def test_the_most_complete_name_is_the_one_written_out(engine):
    records = [{"given_name": "José Luis", "surnames": "Pérez"}, {"given_name": "J. L.", "surnames": "Pérez"}]
    assert choose(engine, "given_name", "most_complete", *records)[0]["given_name"] == "José Luis"


@pytest.mark.parametrize(("opened", "bounced", "golden"), [(True, False, OLD), (False, True, NEW), (False, False, NEW)])
def test_an_address_that_answered_comes_first_and_one_that_bounced_last(engine, opened, bounced, golden):
    send = {"source": "mail", "send_id": "1", "record_source": "crm", "source_record_id": "r0", "channel": "email"}
    send |= {"eligible_at": at("2026-01-03"), "sent_at": at("2026-01-03"), "opened": opened, "bounced": bounced}
    customer, rule, _ = choose(engine, "email", "verified_first", {"email": OLD}, {"email": NEW}, sends=[send])
    assert customer["email"] == golden
    assert rule == ("verified_first" if opened or bounced else "latest")


def test_an_address_follows_its_own_rule_and_stays_whole(engine):
    home = {"address_line": "Calle Mayor 5", "postcode": "35001", "municipality": "Las Palmas", "source": "erp"}
    moved = {"postcode": "38001", "source": "web"}
    customer, rule, others = choose(engine, "address", "most_complete", home, moved)
    assert (customer["address_line"], customer["postcode"]) == ("Calle Mayor 5", "35001")
    assert (rule, others) == ("most_complete", ["web r1"])
    assert choose(engine, "address", "source_order", home, moved, sources=["web"])[0]["postcode"] == "38001"
    assert choose(engine, "address", [], home, moved)[1] == "address_of_latest_postcode"


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"rules": {"emial": "latest"}}, "did you mean 'email'"),
        ({"rules": {"email": "source_order"}}, "asks for the order of the sources"),
        ({"rules": {"gender": "verified_first"}}, "nobody verifies 'gender'"),
        ({"rules": {"email": "newest"}}, "latest"),
    ],
)
def test_a_rule_that_cannot_be_followed_is_refused(settings, told):
    with pytest.raises(ValidationError, match=told):
        GoldenSettings(**settings)
