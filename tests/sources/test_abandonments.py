"""Carts left behind, worked out where nobody tells of them."""

from __future__ import annotations

import pytest

from crmlib.errors import ParamsError

FIELDS = {
    "event_id": "id", "event": "event", "happened_at": "at", "visitor_id": "visitor", "source_record_id": "user",
    "product_id": "product",
}  # fmt: skip


@pytest.fixture
def left_behind(deliveries):
    """The abandonments that come of events, each written: id, event, time, visitor, user, product."""

    def left_behind(*events: str, hours: int | None = 24, as_of: str = "2026-03-31") -> list[tuple]:
        deliveries.write("events.csv", "id,event,at,visitor,user,product\n" + "\n".join(events) + "\n")
        given = {"path": "events.csv", "fields": FIELDS, **({"abandoned_after_hours": hours} if hours else {})}
        deliveries.take_in({"web": {"web_events": given}}, as_of=as_of)
        columns = "event_id, visitor_id, source_record_id, product_id, happened_at, event"
        rows = [row for row in deliveries.rows("web_events", columns) if row["event"] == "abandon"]
        return [(*list(row.values())[:4], str(row["happened_at"])[:16]) for row in rows]

    return left_behind


CART = "1,cart,2026-03-01 10:00,V1,,P1"


@pytest.mark.parametrize(
    ("later", "found"),
    [
        ((), ["2026-03-02 10:00"]),
        (("2,checkout,2026-03-02 09:59,V1,,",), []),
        (("2,checkout,2026-03-02 10:01,V1,,",), ["2026-03-02 10:00"]),
        (("2,checkout,2026-03-01 11:00,V2,,",), ["2026-03-02 10:00"]),
        (("2,checkout,2026-03-01 09:00,V1,,",), ["2026-03-02 10:00"]),
        (("2,cart,2026-03-01 20:00,V1,,P2",), ["2026-03-02 20:00"]),
        (("2,cart,2026-03-01 20:00,V1,,P2", "3,checkout,2026-03-02 12:00,V1,,"), []),
        (("2,cart,2026-03-09 20:00,V1,,P2",), ["2026-03-02 10:00", "2026-03-10 20:00"]),
        (("2,view,2026-03-01 20:00,V1,,P2",), ["2026-03-02 10:00"]),
    ],
)
def test_a_cart_nobody_comes_back_to_in_time_is_left_behind(left_behind, later, found):
    assert [row[-1] for row in left_behind(CART, *later)] == found


def test_it_bears_the_cart_and_whoever_it_is_known_to_be(left_behind):
    assert left_behind("0,cart,2026-03-01 09:00,V1,U7,P0", CART) == [
        ("1#abandoned", "V1", "U7", "P1", "2026-03-02 10:00")
    ]


def test_it_has_not_happened_before_the_hours_are_over(left_behind):
    assert left_behind(CART, as_of="2026-03-01") == []


def test_a_purchase_that_is_delivered_late_takes_it_back(left_behind):
    assert len(left_behind(CART)) == 1
    assert left_behind(CART, "2,checkout,2026-03-01 12:00,V1,,") == []


def test_the_same_delivery_twice_changes_nothing(left_behind, deliveries):
    first = left_behind(CART), deliveries.rows("web_events")
    assert (left_behind(CART), deliveries.rows("web_events")) == first
    assert deliveries.ledger() == [(1, 0, 0, 1)]


def test_a_source_that_tells_itself_is_believed(left_behind):
    told = left_behind(CART, "2,abandon,2026-03-01 11:00,V9,,")
    assert [row[0] for row in told] == ["2"]


def test_without_hours_nothing_is_worked_out(left_behind):
    assert left_behind(CART, hours=None) == []


def test_of_nobody_there_is_no_cart(left_behind):
    assert left_behind("1,cart,2026-03-01 10:00,,,P1") == []


def test_only_events_have_hours(deliveries):
    given = {"path": "a.csv", "fields": {"bought_at": "at"}, "abandoned_after_hours": 24}
    with pytest.raises(ParamsError, match=r"sources\.pos\.tickets\.abandoned_after_hours: only web_events have this"):
        deliveries.params({"pos": {"tickets": given}})
