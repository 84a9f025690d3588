from __future__ import annotations

from datetime import date, datetime

import numpy as np
import pytest
from email_validator import EmailNotValidError, validate_email
from stdnum.es import dni, nie

from crmlib.demo.columns import as_text, number_text
from crmlib.demo.defects import (
    DefectLog,
    Planting,
    bad_dates,
    bad_emails,
    dates_after,
    plant,
    repeat_rows,
    wrong_letters,
)

RNG = np.random.default_rng(1)


def test_planting_spoils_its_share_and_tells() -> None:
    columns = {"id": number_text(np.arange(10_000)), "x": as_text(["ok", ""] * 5_000), "y": as_text(["fine"] * 10_000)}
    log = DefectLog("erp", "customers")
    plantings = (
        Planting("x_wrong", "x", 0.02, lambda _, values: values + "!"),
        Planting("y_wrong", "y", 0.0, lambda _, values: values + "!", few=3),
    )
    spoilt = plant(1, 0, columns, columns["id"], plantings, log)
    x_wrong, y_wrong = (np.flatnonzero(spoilt[name] != columns[name]) for name in ("x", "y"))
    assert len(x_wrong) in (100, 101)
    assert len(y_wrong) in (3, 4)
    assert not set(x_wrong) & set(y_wrong)
    noted = {(key, defect) for key, defect in log.rows}
    assert noted == {(str(row), "x_wrong") for row in x_wrong} | {(str(row), "y_wrong") for row in y_wrong}
    assert columns["x"].tolist()[:2] == ["ok", ""]


def test_rows_delivered_twice_stand_at_the_end() -> None:
    columns = {"id": as_text("abc"), "name": as_text(["Ana", "Eva", "Luz"])}
    same = repeat_rows(columns, np.array([1]), None)
    other = repeat_rows(columns, np.array([0]), "name")
    assert same["name"].tolist() == ["Ana", "Eva", "Luz", "Eva"]
    assert other["id"].tolist() == ["a", "b", "c", "a"]
    assert other["name"][3] != "Ana"
    assert repeat_rows(columns, np.array([], dtype=np.int64), "name") is columns


def test_wrong_letters_are_wrong() -> None:
    values = as_text(["12345678Z", "12345678-Z", "X1234567L"])
    assert all(dni.is_valid(value) or nie.is_valid(value) for value in values.tolist())
    assert not any(dni.is_valid(value) or nie.is_valid(value) for value in wrong_letters(RNG, values).tolist())


@pytest.mark.parametrize(("value", "form"), [("14/05/1971", "%d/%m/%Y"), ("1971-05-14", "%Y-%m-%d")])
def test_bad_dates_are_in_no_calendar(value: str, form: str) -> None:
    for bad in bad_dates(RNG, as_text([value] * 50)).tolist():
        assert len(bad) == len(value)
        with pytest.raises(ValueError, match=r"unconverted|does not match|out of range"):
            datetime.strptime(bad, form)


def test_bad_emails_are_none_and_belong_to_nobody() -> None:
    for bad in bad_emails(RNG, as_text(["ana.perez@correo.example"] * 50)).tolist():
        assert bad.endswith(".example")
        with pytest.raises(EmailNotValidError):
            validate_email(bad, check_deliverability=False, test_environment=True)


def test_the_future_comes_after_the_as_of_date() -> None:
    later = dates_after(date(2026, 12, 30))(RNG, as_text(["01/01/2020"] * 50))
    assert all(datetime.strptime(day, "%d/%m/%Y").date() > date(2026, 12, 30) for day in later.tolist())
