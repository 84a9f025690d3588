from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from tests.demo.test_permissions import rows_of


@pytest.fixture(scope="module")
def cases(data: Path) -> pd.DataFrame:
    frame = pd.DataFrame(rows_of(data / "service" / "casos_20261101.csv", ";", "cp1252"))
    for column in ("APERTURA", "CIERRE"):
        frame[column] = pd.to_datetime(frame[column].replace("", None), format="%d/%m/%Y %H:%M")
    return frame


def test_cases_name_records_there_are(cases: pd.DataFrame, truth: Path) -> None:
    people = pq.read_table(truth / "people.parquet").to_pandas()
    known = set(zip(people["source"], people["source_record_id"], strict=True))
    assert set(zip(cases["SISTEMA"], cases["CLIENTE"], strict=True)) <= known
    assert set(cases["SISTEMA"]) == {"loyalty", "shop"}


def test_open_cases_have_no_end_and_some_are_complaints(cases: pd.DataFrame) -> None:
    is_open = cases["ESTADO"] == "abierto"
    assert (cases["CIERRE"].isna() == is_open).all()
    assert (is_open & (cases["MOTIVO"] == "reclamación")).any()
    assert 0 < is_open.mean() < 0.2
    assert cases["APERTURA"].max() < datetime(2026, 11, 2)
    assert cases["CIERRE"].max() < datetime(2026, 11, 2)
    assert cases["APERTURA"].min() >= datetime(2024, 1, 1)


def test_cases_closed_before_they_were_opened_are_the_planted_ones(cases: pd.DataFrame, truth: Path) -> None:
    planted = pq.read_table(truth / "defects.parquet").to_pandas().query("source == 'service'")
    assert set(cases["CASO"][cases["CIERRE"] < cases["APERTURA"]]) == set(planted["row_key"])
    assert len(planted) == 2
