"""Members of zip archives are read as files of their own."""

from __future__ import annotations

import io
import zipfile

import pytest

from crmlib.errors import InputError
from crmlib.sources.archives import open_members
from crmlib.sources.previews import check_sources

TILL = {"path": "day.zip", "fields": {"ticket_id": "t", "bought_at": "at", "amount": "paid"}}


def pack(members: dict[str, str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return packed.getvalue()


HEADING = "t,at,paid\n"
DAY = {
    "north/tickets.csv": HEADING + "1,2026-01-01,5\n",
    "south/tickets.csv": HEADING + "2,2026-01-02,x\n3,2026-01-02,7\n",
    "readme.txt": "nothing",
}


def test_members_are_taken_in_each_with_its_own_load_and_faults(deliveries):
    deliveries.write("day.zip", pack(DAY))
    deliveries.take_in({"till": {"tickets": TILL | {"member": "*.csv"}}})
    assert deliveries.values("tickets", "ticket_id") == ["1", "3"]
    assert list(deliveries.intake.deliveries["load"]) == ["day.zip/north/tickets.csv", "day.zip/south/tickets.csv"]
    assert deliveries.ledger() == [(1, 1, 0, 0), (2, 1, 1, 0)]
    assert deliveries.rejected() == [(1, "amount", "not_a_number")]
    (kept,) = deliveries.engine.rows("SELECT delivered FROM quarantine")
    assert '"x"' in kept["delivered"]


def test_the_same_archive_twice_changes_nothing(deliveries):
    deliveries.write("day.zip", pack(DAY))
    sources = {"till": {"tickets": TILL | {"member": "*.csv"}}}
    deliveries.take_in(sources)
    before = deliveries.rows("tickets")
    deliveries.take_in(sources)
    assert deliveries.rows("tickets") == before


def test_a_member_is_unpacked_under_its_own_name_only_and_gone_afterwards(tmp_path):
    path = tmp_path / "a.zip"
    path.write_bytes(pack({"../../up.csv": "x"}))
    with open_members(path, None, "w") as files:
        (file,) = files.values()
        assert file.name == "up.csv"
        assert file.read_text() == "x"
        assert file.parent.parent.stat().st_mode & 0o077 == 0
    assert not file.exists()


@pytest.mark.parametrize(
    ("content", "member", "sentence"),
    [
        (pack(DAY), "*.tsv", "sources.till.tickets: day.zip holds no member \\*.tsv; it holds .*readme.txt"),
        (b"no zip at all", "*.csv", "day.zip is no zip archive, or is only part of one"),
        (pack(DAY)[:-30], "*.csv", "day.zip is no zip archive, or is only part of one"),
    ],
)
def test_an_archive_that_cannot_be_read_is_told(deliveries, content, member, sentence):
    deliveries.write("day.zip", content)
    with pytest.raises(InputError, match=sentence):
        deliveries.take_in({"till": {"tickets": TILL | {"member": member}}})


def test_a_member_of_what_is_no_archive_is_told_before_anything_runs(deliveries):
    deliveries.write("day.csv", HEADING + "1,2026-01-01,5\n")
    params = deliveries.params({"till": {"tickets": TILL | {"path": "day.csv", "member": "*.csv"}}})
    (problem,) = check_sources(params, deliveries.folder / "params.yaml")
    assert "sources.till.tickets.member: day.csv is no zip archive" in problem
