"""Values that a person pinned, above all rules."""

from datetime import timedelta

import pytest

from crmlib.errors import InputError
from crmlib.identity.pinning import PinDesk, pin_value
from crmlib.identity.rulings import read_rulings
from tests.identity.made_customers import AS_OF, MID, NEW, OLD, choose, consolidate
from tests.made_tables import at


@pytest.fixture
def pinned(engine, tmp_path):
    """Pins of records' values as they stand, from the file: field, record, decision."""

    def pin(*rulings):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.jsonl"
        for minute, (field, record, decision) in enumerate(rulings):
            when = at("2026-10-01") + timedelta(minutes=minute)
            pin_value(engine, path, ("crm", record), field, " Xenia", when, AS_OF, decision)
        return read_rulings(path)

    return pin


def test_a_pinned_value_stays_whatever_the_rules_until_the_record_gives_another(engine, pinned):
    records = [{"email": OLD}, {"email": MID}, {"email": NEW}]
    choose(engine, "email", [], *records)
    pin = pinned(("email", "r0", "pin"))
    customer, rule, others = choose(engine, "email", "most_frequent", *records, rulings=pin)
    assert (customer["email"], rule, others) == (OLD, "pinned", ["crm r2", "crm r1"])
    assert OLD not in pin.values[0].model_dump_json()
    changed = [{"email": "other@correo.example"}, *records[1:]]
    assert choose(engine, "email", [], *changed, rulings=pin)[0]["email"] == NEW


def test_of_two_pins_the_later_counts_and_it_can_be_taken_back(engine, pinned):
    records = [{"email": OLD}, {"email": MID}, {"email": NEW}]
    choose(engine, "email", [], *records)
    two = pinned(("email", "r0", "pin"), ("email", "r1", "pin"))
    assert choose(engine, "email", [], *records, rulings=two)[0]["email"] == MID
    back = pinned(("email", "r0", "pin"), ("email", "r0", "unpin"))
    assert choose(engine, "email", [], *records, rulings=back)[:2] == (
        consolidate(engine, *records)["c1"],
        "latest",
    )


@pytest.mark.parametrize(
    ("record", "field", "reviewer", "told"),
    [
        ("r0", "phone", "Xenia", "gives nothing for the field 'phone'"),
        ("r9", "email", "Xenia", "The record 'r9' of crm gives nothing"),
        ("r0", "postcode", "Xenia", "gives nothing for the field 'postcode'"),
        ("r0", "email", " ", "a ruling is signed"),
    ],
)
def test_a_pin_needs_a_value_and_a_name(engine, tmp_path, record, field, reviewer, told):
    choose(engine, "email", [], {"email": OLD, "postcode": "35001"})
    with pytest.raises(InputError, match=told):
        pin_value(engine, tmp_path / "rulings.jsonl", ("crm", record), field, reviewer, at("2026-10-01"), AS_OF)
    assert not list(tmp_path.iterdir())


def test_an_address_is_pinned_whole(engine, pinned):
    home = {"address_line": "Calle Mayor 5", "postcode": "35001"}
    choose(engine, "address", [], home, {"postcode": "38001", "municipality": "La Laguna"})
    pin = pinned(("address", "r0", "pin"))
    customer, rule, _ = choose(
        engine, "address", [], home, {"postcode": "38001", "municipality": "La Laguna"}, rulings=pin
    )
    assert (customer["address_line"], customer["municipality"], rule) == ("Calle Mayor 5", None, "pinned")


def test_what_a_person_sees_of_a_customer_can_be_pinned(engine, tmp_path):
    records = [
        {"email": OLD, "postcode": "35001", "source": "erp"},
        {"email": NEW, "postcode": "38001", "address_line": "Calle Sol 3", "source": "web"},
    ]
    choose(engine, "email", [], *records)
    path = tmp_path / "rulings.jsonl"
    desk = PinDesk(engine, path, AS_OF, lambda: at("2026-10-01"))
    listed = {(one.field, one.value.split()[0], one.source): one for one in desk.list_candidates(" c1")}
    assert listed["email", NEW, "web"].rule == "latest"
    assert listed["email", OLD, "erp"].rule == ""
    assert listed["address", "Calle", "web"].rule == "latest"
    assert not any(field == "postcode" for field, *_ in listed)
    assert "stays as long as" in desk.keep(listed["email", OLD, "erp"], "pin", "Xenia")
    customer, rule, _ = choose(engine, "email", [], *records, rulings=read_rulings(path))
    assert (customer["email"], rule) == (OLD, "pinned")
    assert "follows the rules again" in desk.keep(listed["email", OLD, "erp"], "unpin", "Xenia")
    assert choose(engine, "email", [], *records, rulings=read_rulings(path))[0]["email"] == NEW
    with pytest.raises(InputError, match="no customer 'c9'"):
        desk.list_candidates("c9")
    with pytest.raises(InputError, match="name no file"):
        PinDesk(engine, None, AS_OF, lambda: at("2026-10-01")).keep(listed["email", OLD, "erp"], "pin", "Xenia")
