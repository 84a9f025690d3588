"""Layouts of other tools' exports."""

from __future__ import annotations

import pytest

from crmlib.errors import InputError
from crmlib.params import ENTITIES, EntitySource, known_fields
from crmlib.sources.mapping import columns_of
from crmlib.sources.presets import apply_preset, list_presets, read_preset

CURRENT = (
    "Customer ID,First Name,Last Name,Email,Accepts Email Marketing,Default Address Company,Default Address Address1,"
    "Default Address Address2,Default Address City,Default Address Province Code,Default Address Country Code,"
    "Default Address Zip,Default Address Phone,Phone,Accepts SMS Marketing,Total Spent,Total Orders,Note,Tax Exempt,"
    "Tags"
)
OLDER = (
    "First Name,Last Name,Email,Accepts Email Marketing,Company,Address1,Address2,City,Province,Province Code,Country,"
    "Country Code,Zip,Phone,Accepts SMS Marketing,Total Spent,Total Orders,Tags,Note,Tax Exempt"
)
SHOP = {"shop": {"customers": {"path": "customers.csv", "preset": "shopify_customers"}}}


@pytest.mark.parametrize("name", list_presets())
def test_a_preset_is_whole(name):
    preset = read_preset(name, "x")
    assert preset.entity in ENTITIES
    for generation in preset.generations:
        assert len(set(generation.headings)) == len(generation.headings)
        known = known_fields(preset.entity)
        assert all(field in known or field.startswith("consent.") for field in {**preset.fields, **generation.fields})
        delivery = EntitySource(path="x", preset=name)
        fields = {**preset.fields, **generation.fields}
        columns = [column for field in fields.values() for column in columns_of(field)]
        every = list(dict.fromkeys([*generation.headings, *columns]))
        assert apply_preset(delivery, preset.entity, every, "a.csv", "x").fields == fields


def test_the_current_shopify_export_is_read(deliveries):
    deliveries.write(
        "customers.csv",
        f"{CURRENT}\n'701,Ana,Gil Peña,a@a.example,yes,,C/ Mayor 5,2º A,Telde,GC,ES,'35200,,'+34600000001,no,10.50,2,,"
        'no,"vip, web"\n',
    )
    deliveries.take_in(SHOP)
    (row,) = deliveries.rows("source_records")
    found = {
        key: row[key]
        for key in (
            "source_record_id",
            "given_name",
            "surnames",
            "email",
            "address_line",
            "postcode",
            "phone",
            "country",
        )
    }
    assert found == {
        "source_record_id": "701",
        "given_name": "Ana",
        "surnames": "Gil Peña",
        "email": "a@a.example",
        "address_line": "C/ Mayor 5 2º A",
        "postcode": "35200",
        "phone": "+34600000001",
        "country": "ES",
    }
    assert (row["tags"], row["origin"]) == (["vip", "web"], "online")
    assert [
        (event["channel"], event["decision"]) for event in deliveries.rows("consent_events", "channel, decision")
    ] == [
        ("email", "granted"),
        ("sms", "withdrawn"),
    ]


def test_the_older_shopify_export_is_read(deliveries):
    deliveries.write(
        "customers.csv",
        f"{OLDER}\nAna,Gil,a@a.example,no,Firma SL,C/ Mayor 5,,Telde,Las Palmas,GC,Spain,ES,'35200,600000001,no,1,1,,,"
        "no\n",
    )
    deliveries.take_in(SHOP)
    (row,) = deliveries.rows("source_records")
    assert (row["source_record_id"], row["company"], row["province"], row["postcode"]) == (
        "a@a.example", "Firma SL", "Las Palmas", "35200",
    )  # fmt: skip


def test_further_headings_do_no_harm(deliveries):
    deliveries.write("customers.csv", f"{CURRENT},Birthday\n'701,Ana{',' * 19}\n")
    intake = deliveries.take_in(SHOP)
    assert "Birthday" in intake.deliveries.loc[0, "unused_headings"]


def test_an_unknown_layout_is_refused_with_the_nearest_generation_and_what_differs(deliveries):
    deliveries.write(
        "customers.csv", OLDER.replace("Zip", "Postal Code").replace("Tags,", "") + "\n" + "x," * 18 + "x\n"
    )
    with pytest.raises(InputError) as caught:
        deliveries.take_in(SHOP)
    assert str(caught.value) == (
        "sources.shop.customers: the headings of customers.csv are those of no generation of preset shopify_customers; "
        "nearest is 'older', which also has: Zip, Tags. The file has instead: Postal Code."
    )


def test_what_params_map_comes_before_the_preset(deliveries):
    deliveries.write("customers.csv", f"{CURRENT}\n'701,Ana,Gil{',' * 15}Manager,no,\n")
    given = {**SHOP["shop"]["customers"], "fields": {"job_title": "Note", "origin": {"value": "web"}}}
    deliveries.take_in({"shop": {"customers": given}})
    (row,) = deliveries.rows("source_records")
    assert (row["given_name"], row["job_title"], row["origin"]) == ("Ana", "Manager", "web")


def test_an_unknown_preset_is_told():
    with pytest.raises(InputError, match=r"x: there is no preset 'mailshimp'; there are: .*shopify_customers"):
        apply_preset(EntitySource(path="x", preset="mailshimp"), "customers", [], "a.csv", "x")


def test_without_a_preset_nothing_changes():
    delivery = EntitySource(path="x", fields={"email": "E"})
    assert apply_preset(delivery, "customers", ["E"], "a.csv", "x") is delivery


ORDERS = (
    "Name,Email,Financial Status,Created at,Total,Discount Amount,Refunded Amount,Lineitem quantity,Lineitem price,"
    "Lineitem sku,Lineitem discount\n"
    "#1,a@a.example,paid,2026-03-01 10:00:00 +0000,24.00,1.00,0.00,2,5.00,P1,1.00\n"
    "#1,,,,,,,3,5.00,P2,0.00\n"
    "#2,Z@A.example,partially_refunded,2026-03-02 10:00:00 +0000,10.00,0.00,4.00,1,10.00,P1,\n"
)


def test_shopify_orders_are_tickets_of_the_accounts_with_that_address_and_their_lines(deliveries):
    deliveries.write("orders.csv", ORDERS)
    deliveries.write("customers.csv", "id,mail\n7,z@a.example\n8,b@a.example\n")
    sources = {
        "shop": {
            "customers": {"path": "customers.csv", "fields": {"source_record_id": "id", "email": "mail"}},
            "tickets": {"path": "orders.csv", "preset": "shopify_orders"},
            "ticket_lines": {"path": "orders.csv", "preset": "shopify_order_lines"},
        }
    }
    deliveries.take_in(sources)
    columns = "ticket_id, record_source, source_record_id, CAST(amount AS DOUBLE) AS amount, channel"
    assert [tuple(row.values()) for row in deliveries.rows("tickets", columns)] == [
        ("#1", None, None, 24.0, "online"),
        ("#2", "shop", "7", 6.0, "online"),
    ]
    lines = deliveries.rows("ticket_lines", "ticket_id, line, product_id, CAST(amount AS DOUBLE) AS amount")
    assert [tuple(row.values()) for row in lines] == [
        ("#1", 1, "P1", 9.0),
        ("#1", 2, "P2", 15.0),
        ("#2", 1, "P1", 10.0),
    ]
    read = deliveries.intake.deliveries.set_index("entity")["rows_read"]
    assert (read["customers"], read["tickets"], read["ticket_lines"]) == (2, 2, 3)
