"""What a whole delivery holds no more was deleted at its source; what is not wholly known says nothing."""

from __future__ import annotations

import pytest

MEMBERS = {
    "path": "members_*.csv",
    "fields": {"source_record_id": "id", "full_name": "name"},
    "full_snapshot": True,
}


def versions(deliveries) -> list[tuple]:
    rows = deliveries.rows("source_records", "source_record_id, updated_at, full_name, deleted")
    return [(row["source_record_id"], row["updated_at"].day, row["full_name"], row["deleted"]) for row in rows]


def test_a_row_that_comes_no_more_is_deleted_from_that_day_on(deliveries):
    deliveries.write("members_20261001.csv", "id,name\n1,Ana\n2,Eva\n")
    deliveries.take_in({"club": {"customers": MEMBERS}})
    deliveries.write("members_20261002.csv", "id,name\n1,Ana\n")
    deliveries.take_in({"club": {"customers": MEMBERS}})
    deleted = [("1", 1, "Ana", None), ("2", 1, "Eva", None), ("2", 2, "Eva", True)]
    assert versions(deliveries) == deleted
    deliveries.take_in({"club": {"customers": MEMBERS}})
    assert versions(deliveries) == deleted


def test_a_row_that_comes_back_is_there_again(deliveries):
    for day, rows in (("01", "1,Ana\n2,Eva\n"), ("02", "1,Ana\n"), ("03", "1,Ana\n2,Eva\n")):
        deliveries.write(f"members_202610{day}.csv", "id,name\n" + rows)
        deliveries.take_in({"club": {"customers": MEMBERS}})
    assert versions(deliveries) == [
        ("1", 1, "Ana", None),
        ("2", 1, "Eva", None),
        ("2", 2, "Eva", True),
        ("2", 3, "Eva", None),
    ]


def test_other_sources_rows_stay(deliveries):
    deliveries.write("members_20261001.csv", "id,name\n1,Ana\n2,Eva\n")
    deliveries.write("shop.csv", "id,name\n2,Eva\n9,Luz\n")
    shop = {"customers": {"path": "shop.csv", "fields": MEMBERS["fields"]}}
    deliveries.take_in({"club": {"customers": MEMBERS}, "shop": shop})
    deliveries.write("members_20261002.csv", "id,name\n1,Ana\n")
    deliveries.take_in({"club": {"customers": MEMBERS}, "shop": shop})
    rows = deliveries.rows("source_records", "source, source_record_id, deleted")
    assert [tuple(row.values()) for row in rows if row["deleted"]] == [("club", "2", True)]


@pytest.mark.parametrize("second", ["id,name\n1,Ana\n2\n", "id,name\n1,Ana\n,Eva\n"])
def test_a_delivery_whose_keys_cannot_all_be_read_deletes_nothing(deliveries, second):
    deliveries.write("members_20261001.csv", "id,name\n1,Ana\n2,Eva\n")
    deliveries.take_in({"club": {"customers": MEMBERS}})
    deliveries.write("members_20261002.csv", second)
    deliveries.take_in({"club": {"customers": MEMBERS}})
    assert [row[3] for row in versions(deliveries)] == [None, None]
    assert deliveries.rejected()


def test_a_rejected_row_whose_key_is_there_is_not_deleted(deliveries):
    given = MEMBERS | {"fields": MEMBERS["fields"] | {"birth_date": "born"}}
    deliveries.write("members_20261001.csv", "id,name,born\n1,Ana,1980-01-31\n2,Eva,1981-01-31\n")
    deliveries.take_in({"club": {"customers": given}})
    deliveries.write("members_20261002.csv", "id,name,born\n1,Ana,1980-01-31\n2,Eva,1981-02-31\n")
    deliveries.take_in({"club": {"customers": given}})
    assert [row[3] for row in versions(deliveries)] == [None, None]
    assert deliveries.rejected() == [(2, "birth_date", "not_a_date")]


def test_without_the_word_nothing_is_deleted(deliveries):
    given = MEMBERS | {"full_snapshot": False}
    deliveries.write("members_20261001.csv", "id,name\n1,Ana\n2,Eva\n")
    deliveries.take_in({"club": {"customers": given}})
    deliveries.write("members_20261002.csv", "id,name\n1,Ana\n")
    deliveries.take_in({"club": {"customers": given}})
    assert [row[3] for row in versions(deliveries)] == [None, None]
