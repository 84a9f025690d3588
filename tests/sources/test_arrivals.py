"""A day without its delivery is told, or stops the run; so does a field that too many rows leave unmapped."""

from __future__ import annotations

from datetime import date

import pytest

from crmlib.errors import GateError

TILL = {"path": "t_*.csv", "fields": {"ticket_id": "t", "bought_at": "at"}}


def write_days(deliveries, *days: str) -> None:
    for day in days:
        deliveries.write(f"t_{day}.csv", f"t,at\n{day},2026-10-01\n")


def missing_days(deliveries, expects: dict, as_of: str) -> list[date]:
    intake = deliveries.take_in({"pos": {"tickets": TILL | {"expects": expects}}}, as_of=as_of)
    assert set(intake.missing["source"]) <= {"pos"}
    return [day.isoformat() for day in intake.missing["expected"]]


def test_a_day_without_a_delivery_is_told(deliveries):
    write_days(deliveries, "20261001", "20261002", "20261004")
    assert missing_days(deliveries, {"every": "day"}, "2026-10-05") == ["2026-10-03", "2026-10-05"]


def test_days_off_are_not_missed(deliveries):
    write_days(deliveries, "20261001", "20261002", "20261005")
    expects = {"every": "day", "but": ["sunday"], "not_on": ["2026-10-03"]}
    assert missing_days(deliveries, expects, "2026-10-05") == []


def test_a_day_that_came_in_an_earlier_run_is_not_missed(deliveries):
    write_days(deliveries, "20261001", "20261002")
    assert missing_days(deliveries, {"every": "day"}, "2026-10-02") == []
    (deliveries.folder / "t_20261001.csv").unlink()
    assert missing_days(deliveries, {"every": "day"}, "2026-10-03") == ["2026-10-03"]


@pytest.mark.parametrize(("every", "expected"), [("week", ["2026-10-05"]), ("month", ["2026-11-01"])])
def test_weeks_and_months_are_told_by_their_first_day(deliveries, every, expected):
    write_days(deliveries, "20261001", "20261014")
    assert missing_days(deliveries, {"every": every}, "2026-10-18" if every == "week" else "2026-11-03") == expected


def test_a_missing_day_stops_the_run_if_params_say_so(deliveries):
    write_days(deliveries, "20261001", "20261003")
    with pytest.raises(GateError, match=r"sources\.pos\.tickets\.expects stops the run: the delivery of 2026-10-02"):
        missing_days(deliveries, {"every": "day", "missing": "stop"}, "2026-10-03")


def test_too_many_unmapped_values_stop_the_run(deliveries):
    deliveries.write("c.csv", "id,sex\n1,H\n2,X\n3,X\n4,H\n")
    given = {
        "path": "c.csv",
        "fields": {"source_record_id": "id", "gender": "sex"},
        "values": {"gender": {"H": "male"}},
    }
    deliveries.take_in({"erp": {"customers": given | {"most_unmapped": 0.5}}})
    assert deliveries.intake.unmapped[["field", "value", "rows"]].values.tolist() == [["gender", "X", 2]]
    deliveries.base = {}
    with pytest.raises(GateError, match=r"erp\.customers\.most_unmapped stops the run: 50\.0% .* 'gender'"):
        deliveries.take_in({"erp": {"customers": given | {"most_unmapped": 0.4}}})
