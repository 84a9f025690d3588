"""Whatever is delivered is accepted, quarantined row by row, or refused in one sentence; nothing is lost or breaks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from crmlib.errors import InputError
from crmlib.sources import archives, staging
from tests.sources.hostile import FIELDS, GOOD, ROW, Hostile, list_hostile, list_large

CORPUS = list_hostile()
#: Of a whole process, of which the libraries take a third.
MOST_MEMORY_MB = 700


def test_the_corpus_is_whole():
    assert len(CORPUS) >= 80
    assert len({one.what for one in CORPUS}) == len(CORPUS)


@pytest.mark.parametrize(
    "one",
    # one in six in every run of the tests, all of them in the full one
    [pytest.param(one, id=one.what, marks=[pytest.mark.full] * bool(place % 6)) for place, one in enumerate(CORPUS)],
)
def test_a_delivery_is_taken_in_or_refused(one: Hostile, deliveries, monkeypatch):
    monkeypatch.setattr(archives, "UNSUSPICIOUS_BYTES", 1 << 25)
    path = deliveries.folder / "in" / one.name
    path.parent.mkdir()
    if callable(one.content):
        one.content(path)
    else:
        path.write_bytes(one.content)
    given = {"path": f"in/{one.name}", "fields": FIELDS, **one.given}
    given["path"] = given["path"] if given["path"].startswith("in/") else f"in/{given['path']}"
    entity = given.pop("entity", "customers")
    sources = {"erp": {entity: given}}
    if one.refused:
        with pytest.raises(InputError, match=one.refused) as caught:
            deliveries.take_in(sources)
        # a sentence for each column that is missing
        lines = str(caught.value).splitlines()
        assert all(line.startswith("sources.erp.") for line in lines)
        assert len(lines) == 1 or all("has no column" in line for line in lines)
        assert caught.value.exit_code == 2
        assert deliveries.base == {}
        return
    deliveries.take_in(sources)
    told = deliveries.intake.deliveries
    assert (told["rows_read"] == told["rows_accepted"] + told["rows_rejected"] + told["rows_unchanged"]).all()
    assert told["rows_accepted"].sum() == one.accepted
    rejected = {row: rule for row, _, rule in deliveries.rejected()}
    assert rejected.keys() == one.rejected.keys()
    assert all(rule in ("*", rejected[row]) for row, rule in one.rejected.items())
    if one.values:
        name, *expected = one.values
        table, key = ("tickets", "ticket_id") if entity == "tickets" else ("source_records", "source_record_id")
        found = {row[key]: row[name] for row in deliveries.rows(table)}
        assert [str(found[key]) for key in sorted(found, key=int)] == [str(value) for value in expected]
    deliveries.take_in(sources)
    told = deliveries.intake.deliveries
    assert told["rows_accepted"].sum() == 0
    assert told["rows_rejected"].sum() == len(one.rejected)


MEASURED = """
import json, sys
from pathlib import Path
from crmlib.errors import InputError
from tests.sources.conftest import Deliveries
made = Deliveries(Path(sys.argv[1]))
try:
    made.take_in(json.loads(sys.argv[2]))
except InputError:
    pass
status = Path("/proc/self/status").read_text()
print(int(status.partition("VmHWM:")[2].split()[0]) // 1024)
"""


@pytest.mark.full
# what getrusage says of a child begins at its parent's size
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc, which tells a process's peak")
@pytest.mark.parametrize("one", list(list_large()), ids=lambda one: one.what)
def test_memory_stays_bounded(one: Hostile, tmp_path, root):
    (tmp_path / "in").mkdir()
    one.content(tmp_path / "in" / one.name)
    sources = {"erp": {"customers": {"path": f"in/{one.name}", "fields": FIELDS}}}
    words = [sys.executable, "-c", MEASURED, str(tmp_path), json.dumps(sources)]
    done = subprocess.run(words, cwd=root, capture_output=True, text=True, check=True)
    assert int(done.stdout) < MOST_MEMORY_MB


def test_a_file_that_grows_while_it_is_read_is_refused(deliveries, monkeypatch):
    path = deliveries.write("c.csv", GOOD)
    read = staging.read_file

    def grow(*given, **more):
        with path.open("a") as file:
            file.write(ROW.format(9))
        return read(*given, **more)

    monkeypatch.setattr(staging, "read_file", grow)
    with pytest.raises(InputError, match=r"sources.erp.customers: the file c.csv changed while it was read"):
        deliveries.take_in({"erp": {"customers": {"path": "c.csv", "fields": FIELDS}}})
    assert deliveries.base == {}
