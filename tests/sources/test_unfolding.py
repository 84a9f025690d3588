"""Cells that stand beside each other in a row, and are rows of their own."""

from __future__ import annotations

from decimal import Decimal

import pytest

from crmlib.errors import InputError
from crmlib.sources.guessing.files import guess_file
from crmlib.sources.previews import check_sources

UNFOLD = {"columns": r"item\d+", "name": "item", "parts": ["ref", "n", "eur"], "between": ";"}
LINES = {
    "path": "orders.csv",
    "unfold": UNFOLD,
    "fields": {
        "ticket_id": "order",
        "product_id": "item.ref",
        "quantity": "item.n",
        "amount": {"formula": "{item.eur} * {item.n}"},
    },
}
ORDERS = (
    "order,item1,paid,item2\n"
    "A,ref:P1;n:2;eur:1.50,yes,ref:P2;n:1;eur:4\n"
    "B,,no,\n"
    "C, ,yes,eur:3;n:many;ref:P1\n"
    "D,n:1\n"
    "E,eur:5;n:3,no,\n"
)


def test_each_filled_cell_is_a_row_that_tells_where_it_stood(deliveries):
    deliveries.write("orders.csv", ORDERS)
    intake = deliveries.take_in({"shop": {"ticket_lines": LINES}})
    columns = "ticket_id, line, product_id, quantity, CAST(amount AS DOUBLE) AS amount, delivery_row"
    assert [tuple(row.values()) for row in deliveries.rows("ticket_lines", columns)] == [
        ("A", 1, "P1", 2.0, 3.0, 1001),
        ("A", 2, "P2", 1.0, 4.0, 1002),
        ("E", 1, None, 3.0, 15.0, 5001),
    ]
    # the fourth row is short of cells, whatever is in them
    assert deliveries.rejected() == [(3002, "quantity", "not_a_number"), (4000, "row", "wrong_cells")]
    assert deliveries.ledger() == [(5, 3, 2, 0)]
    assert intake.deliveries.loc[0, "unused_headings"] == "paid"


def test_the_rejected_cell_is_shown_as_it_was_delivered_and_taken_up_once_mended(deliveries):
    deliveries.write("orders.csv", ORDERS)
    deliveries.take_in({"shop": {"ticket_lines": LINES}})
    (told,) = deliveries.engine.rows("SELECT delivered FROM quarantine WHERE row = 3002")
    assert '"item.n":"many"' in told["delivered"]
    assert '"order":"C"' in told["delivered"]
    deliveries.write("orders.csv", ORDERS.replace("many", "4"))
    deliveries.take_in({"shop": {"ticket_lines": LINES}})
    assert deliveries.values("ticket_lines", "ticket_id") == ["A", "A", "C", "E"]
    assert deliveries.ledger() == [(5, 1, 1, 3)]


def test_a_file_without_such_cells_is_told(deliveries):
    deliveries.write("orders.csv", "order,line_1\nA,ref:P1\n")
    with pytest.raises(InputError) as caught:
        deliveries.take_in({"shop": {"ticket_lines": LINES}})
    assert str(caught.value) == (
        r"sources.shop.ticket_lines.unfold.columns: the file orders.csv has 0 cells in a row that are called item\d+; "
        "there must be one at least, and fewer than 1,000."
    )


def test_crm_check_knows_the_columns_there_will_be(deliveries):
    deliveries.write("orders.csv", ORDERS)
    wrong = {**LINES, "fields": {**LINES["fields"], "discount": "item.off"}}
    params = deliveries.params({"shop": {"ticket_lines": wrong}})
    (problem,) = check_sources(params, deliveries.folder / "params.yaml")
    assert "the file orders.csv has no column 'item.off'." in problem
    assert check_sources(deliveries.params({"shop": {"ticket_lines": LINES}}), deliveries.folder / "params.yaml") == []


def test_a_pattern_that_is_none_is_told_with_its_place(deliveries):
    with pytest.raises(InputError, match=r"unfold\.columns: this is not a regular expression"):
        deliveries.params({"shop": {"ticket_lines": {**LINES, "unfold": {**UNFOLD, "columns": "item("}}}})


def test_the_lines_of_a_known_layout_are_recognised(engine, deliveries):
    from tests.sources.preset_fixtures import FOLDER

    found = list(guess_file(engine, FOLDER / "woocommerce_orders_current.csv"))
    assert [(one.entity, one.preset) for one in found] == [
        ("ticket_lines", "woocommerce_order_lines"),
        ("tickets", "woocommerce_orders"),
        ("tickets", "woocommerce_refunds"),
    ]


RETURNS = {
    "path": "orders.csv",
    "unfold": {"columns": "back", "name": "back", "parts": ["eur", "on"], "each": "eur:.*?on:[0-9-]{10}"},
    "fields": {
        "ticket_id": {"from": ["order", "back.on"], "join": "/"},
        "bought_at": "back.on",
        "amount": {"formula": "0 - {back.eur}"},
    },
}


def test_a_cell_that_holds_several_entries_is_a_row_for_each(deliveries):
    lines = ["order,back", "A,eur:1.50|why:a;b|on:2026-03-02;eur:2|on:2026-03-01", "B,", "C,eur:3|on:soon"]
    deliveries.write("orders.csv", "\n".join(lines) + "\n")
    deliveries.take_in({"shop": {"tickets": RETURNS}})
    columns = "ticket_id, CAST(amount AS DOUBLE) AS amount, delivery_row"
    assert [tuple(row.values()) for row in deliveries.rows("tickets", columns)] == [
        ("A/2026-03-01", -2.0, 1002),
        ("A/2026-03-02", -1.5, 1001),
    ]
    # a cell without any is not lost
    assert deliveries.rejected() == [(3001, "bought_at", "not_a_date")]


def test_a_pattern_of_entries_that_cannot_be_used_is_told(deliveries):
    deliveries.write("orders.csv", "order,back\nA,eur:1.50|on:2026-03-02\n")
    unfold = {**RETURNS["unfold"], "each": "eur(?=:)"}
    with pytest.raises(InputError, match=r"tickets\.unfold\.each: this regular expression cannot be used"):
        deliveries.take_in({"shop": {"tickets": {**RETURNS, "unfold": unfold}}})


def test_a_partial_refund_is_a_return_of_its_own_day_and_a_whole_one_undoes_the_order(deliveries):
    from tests.sources.preset_fixtures import FOLDER

    text = (FOLDER / "woocommerce_orders_current.csv").read_text(encoding="utf-8")
    both = [{"path": "orders.csv", "preset": name} for name in ("woocommerce_orders", "woocommerce_refunds")]
    deliveries.write("orders.csv", text)
    deliveries.take_in({"shop": {"tickets": both}})
    sold = "SELECT sum(amount) AS amount FROM tickets WHERE ticket_id LIKE '502%' AND status <> 'voided'"
    assert deliveries.engine.row(sold.replace("tickets", "intake_tickets"))["amount"] == Decimal("1016.90")


def test_a_shop_without_refunds_is_no_error(deliveries):
    from tests.sources.preset_fixtures import FOLDER

    text = (FOLDER / "woocommerce_orders_current.csv").read_text(encoding="utf-8").splitlines()
    deliveries.write("orders.csv", "\n".join(text[:2]) + "\n")
    deliveries.take_in({"shop": {"tickets": {"path": "orders.csv", "preset": "woocommerce_refunds"}}})
    assert deliveries.rows("tickets") == []
