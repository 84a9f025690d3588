"""The file of rulings: it only grows, and a line that cannot be read is named."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pytest

from crmlib.errors import InputError
from crmlib.identity.rulings import PairRuling, ValueRuling, append_ruling, read_rulings

AT = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
DAY = date(2026, 11, 1)


def pair(**other):
    made = {"records": (("crm", "1"), ("erp", "7")), "decision": "same", "seen": ("0a1b", "ffff")}
    return PairRuling(**(made | {"reviewer": "Ana", "decided_at": AT, "as_of_date": DAY} | other))


PIN = ValueRuling(
    reviewer="Ana", decided_at=AT, as_of_date=DAY, record=("crm", "1"), field="email", decision="pin", seen="0a1"
)


def test_what_is_appended_is_read_and_nothing_before_it_changes(tmp_path):
    path = tmp_path / "reviews" / "rulings.jsonl"
    append_ruling(path, pair())
    before = path.read_bytes()
    append_ruling(path, PIN)
    assert path.read_bytes().startswith(before)
    found = read_rulings(path)
    assert found.pairs == (pair(),)
    assert found.values == (PIN,)
    assert set(json.loads(path.read_text().splitlines()[0])) == {
        "reviewer", "decided_at", "as_of_date", "kind", "records", "decision", "seen",
    }  # fmt: skip


def test_an_editor_may_leave_the_last_line_open(tmp_path):
    path = tmp_path / "rulings.jsonl"
    append_ruling(path, pair())
    path.write_text(path.read_text().rstrip("\n"))
    append_ruling(path, PIN)
    assert (len(read_rulings(path).pairs), len(read_rulings(path).values)) == (1, 1)


def test_a_file_that_is_not_there_yet_holds_nothing(tmp_path):
    assert read_rulings(tmp_path / "none.jsonl").pairs == ()
    assert read_rulings(None).values == ()


def test_rulings_come_in_the_order_in_which_they_were_made(tmp_path):
    path = tmp_path / "rulings.jsonl"
    late, early = pair(decided_at=AT.replace(month=12)), pair(decision="different")
    append_ruling(path, late)
    append_ruling(path, early)
    assert read_rulings(path).pairs == (early, late)


def test_a_run_of_an_earlier_day_does_not_know_them(tmp_path):
    path = tmp_path / "rulings.jsonl"
    append_ruling(path, pair())
    append_ruling(path, PIN)
    assert read_rulings(path).known_on(date(2026, 10, 31)).pairs == ()
    assert read_rulings(path).known_on(DAY) == read_rulings(path)


SOUND = json.loads(pair().model_dump_json())


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", ":2: this is not JSON"),
        ("[]", ":2: the line: "),
        ('{"kind": "pear"}', ':2: kind: write "pair" or "value"'),
        (json.dumps(SOUND | {"decision": "maybe"}), ":2: decision: "),
        (json.dumps(SOUND | {"decided_at": "2026-11-02T09:30:00"}), ":2: decided_at: "),
        (json.dumps(SOUND | {"as_of_date": "yesterday"}), ":2: as_of_date: "),
        (json.dumps(SOUND | {"records": [["crm", "1"]]}), ":2: records"),
        (json.dumps(SOUND | {"records": [["crm", "1"], ["crm", "1"]]}), ":2: the line: name two records"),
        (json.dumps(SOUND | {"reviewer": ""}), ":2: reviewer: "),
        (json.dumps(SOUND | {"surname": "Santana"}), ":2: surname: this key is unknown"),
        (json.dumps({key: value for key, value in SOUND.items() if key != "seen"}), ":2: seen: this key is missing"),
    ],
)
def test_a_line_edited_by_hand_is_named(tmp_path, line, told):
    path = tmp_path / "rulings.jsonl"
    path.write_text(f"{pair().model_dump_json()}\n{line}\n\n")
    with pytest.raises(InputError, match=f"rulings.jsonl{told}") as caught:
        read_rulings(path)
    assert caught.value.exit_code == 2
    assert "Santana" not in str(caught.value)
    assert "maybe" not in str(caught.value)


def test_every_wrong_line_is_told_at_once(tmp_path):
    path = tmp_path / "rulings.jsonl"
    path.write_text("{\n\nnothing\n")
    with pytest.raises(InputError) as caught:
        read_rulings(path)
    assert [line.split(":")[1] for line in str(caught.value).splitlines()] == ["1", "3"]


def test_what_is_no_text_is_told(tmp_path):
    path = tmp_path / "rulings.jsonl"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not a text file in UTF-8"):
        read_rulings(path)
