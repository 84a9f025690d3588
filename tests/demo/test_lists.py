from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from crmlib.demo.lists import LISTS, draw_listings, find_keys, find_listed
from crmlib.demo.retailer import write_retailer
from crmlib.demo.rhythm import dropout_dates
from crmlib.demo.story import Story
from tests.demo.conftest import AS_OF_DATE, SEASON
from tests.demo.test_permissions import rows_of

PLAIN = {
    "national_id": r"\d{8}[A-Z]|[XYZ]\d{7}[A-Z]",
    "loyalty_card": r"\d{13}",
}


def test_robinson_is_hashed_and_the_others_mostly_plain(data: Path) -> None:
    for file in (data / "lists").glob("*.csv"):
        for row in rows_of(file):
            hashed = re.fullmatch(r"[0-9a-f]{64}", row["key"]) is not None
            assert hashed == (file.name.startswith("robinson") or row["key_kind"] == "email")
            assert hashed or re.fullmatch(PLAIN[row["key_kind"]], row["key"])
            assert date(2024, 1, 1) < date.fromisoformat(row["listed_on"]) < AS_OF_DATE


def test_keys_stand_once_on_a_list(data: Path) -> None:
    for name in LISTS:
        keys = [row["key"] for file in (data / "lists").glob(f"{name}_*.csv") for row in rows_of(file)]
        assert len(keys) == len(set(keys)) > 3


def test_the_dead_have_stopped_buying(story: Story) -> None:
    listed = find_listed(draw_listings(story.piece, story.records), story.records, len(story.piece.people))
    dead = listed == LISTS.index("deceased")
    assert dead.sum() > 5
    assert not np.isnat(dropout_dates(story.piece.rhythm, SEASON)[dead]).any()
    counts = np.bincount(listed, minlength=len(LISTS) + 1)
    assert (counts > 5).all()
    assert counts[len(LISTS)] > 0.93 * len(listed)


def test_a_key_means_everybody_who_has_it(story: Story) -> None:
    listings = draw_listings(story.piece, story.records)
    listed = find_listed(listings, story.records, len(story.piece.people))
    (one,) = (some for some in listings if (some.name, some.key_kind) == ("robinson", "email"))
    person, keys = find_keys(story.records, "email")
    known = set(one.keys[~one.too_late].tolist())
    meant = {int(who) for who, key in zip(person, keys.tolist(), strict=True) if key in known}
    assert meant
    assert all(listed[who] <= LISTS.index("robinson") for who in meant)
    strangers = known - set(keys.tolist())
    assert all(key.endswith("@nadie.example") for key in strangers)
    assert strangers


@pytest.mark.parametrize("kind", ["email", "phone", "national_id", "loyalty_card"])
def test_keys_are_those_of_records_that_can_be_taken_in(story: Story, kind: str) -> None:
    person, keys = find_keys(story.records, kind)
    assert (keys != "").all()
    assert len(person) == len(keys) > 500


def test_a_list_on_which_nobody_stands_is_a_file_all_the_same(tmp_path: Path) -> None:
    write_retailer(tmp_path / "demo", people=40, as_of_date=AS_OF_DATE)
    files = {file.name: rows_of(file) for file in (tmp_path / "demo" / "data" / "lists").glob("*_20261101.csv")}
    assert set(files) == {f"{name}_20261101.csv" for name in LISTS}
    assert not all(files.values())
