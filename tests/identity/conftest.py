"""Records to be linked: a few written by hand, and a small retailer's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from crmlib.engine import Engine
from crmlib.tables import find_contract

AS_OF = date(2026, 11, 1)
#: A least weight that no pair is under.
ALL_WEIGHTS = -1000.0
Rows = Iterable[dict[str, Any]]


def make_table(engine: Engine, name: str, rows: Rows) -> None:
    """A contract's table in the engine, made of some of its columns."""
    columns = find_contract(name).columns
    typed = ", ".join(f'CAST(NULL AS {column.sql_type}) AS "{column.name}"' for column in columns)
    engine.execute(f'CREATE OR REPLACE TABLE "{name}" AS SELECT {typed} WHERE false')
    frame = pd.DataFrame(list(rows))
    if len(frame):
        engine.register("rows_to_insert", frame)
        engine.execute(f'INSERT INTO "{name}" BY NAME SELECT * FROM rows_to_insert')


@pytest.fixture
def add_records(engine: Engine) -> Callable[[Rows], None]:
    """Make `source_records` of rows; what a row does not say is empty, its id is its place."""

    def add(rows: Rows) -> None:
        numbered = [{"source": "crm", "source_record_id": f"r{place:05d}"} | row for place, row in enumerate(rows)]
        make_table(engine, "source_records", numbered)

    return add


GIVEN = [
    "Antonio",
    "María",
    "Carmen",
    "José",
    "Ana",
    "Luis",
    "Candelaria",
    "Pedro",
    "Lucía",
    "Airam",
    "Yaiza",
    "Rosa",
    "Iván",
    "Sara",
    "Jorge",
    "Elena",
]
SURNAMES = [
    "Pérez",
    "García",
    "Santana",
    "Suárez",
    "Cabrera",
    "Medina",
    "Ojeda",
    "Quintana",
    "Falcón",
    "Melián",
    "Betancor",
    "Viera",
    "Toste",
]
STREETS = ["Mayor", "Triana", "Real", "Luna", "Sol", "Mar", "Rosa", "Drago", "Laurel", "Palma"]


def make_people(people: int, copies: float, seed: int) -> list[dict[str, Any]]:
    """Rows of `source_records` with a person_id: some people twice, with errors; households share a phone."""
    rng = np.random.default_rng(seed)
    rows = []
    for person in range(people):
        given, first, second = rng.choice(GIVEN), rng.choice(SURNAMES), rng.choice(SURNAMES)
        home = int(rng.integers(0, max(1, people // 2)))
        whole = {
            "given_name": str(given),
            "surnames": f"{first} {second}",
            "email": f"{given}.{first}{rng.integers(10_000)}@correo.example".lower(),
            "phone": f"6{home % 9}{100_000 + home * 37:07d}"[:9],
            "birth_date": date(1940 + int(rng.integers(60)), int(rng.integers(1, 13)), int(rng.integers(1, 29))),
            "address_line": f"Calle {STREETS[home % len(STREETS)]} {home % 80 + 1}",
            "postcode": f"35{home % 20:03d}",
            "municipality": "Telde" if home % 2 else "Arucas",
            "person_id": f"p{person}",
        }
        for copy in range(1 + int(rng.random() < copies)):
            row = dict(whole)
            if copy:
                if rng.random() < 0.3:
                    row["surnames"] = str(first)
                if rng.random() < 0.2:
                    row["given_name"] = row["given_name"][:-1]
                for field in ("email", "phone", "birth_date", "address_line"):
                    if rng.random() < 0.35:
                        row[field] = None
            rows.append(row)
    return [{"source": "crm", "source_record_id": f"r{place:05d}"} | row for place, row in enumerate(rows)]


def load_people(engine: Engine, rows: list[dict[str, Any]]) -> None:
    """`source_records` without, and ``truth_identities`` with, whose each row is."""
    make_table(engine, "source_records", [{k: v for k, v in row.items() if k != "person_id"} for row in rows])
    truth = pd.DataFrame(rows)[["source", "source_record_id", "person_id"]]
    engine.register("truth_identities", truth)


@pytest.fixture(scope="session")
def linked():
    """A small retailer's records, the trained model and the scored pairs: engine, model, what progress was told."""
    from crmlib.identity.blocking import block_pairs
    from crmlib.identity.comparisons import choose_comparisons
    from crmlib.identity.linkage import PairScorer, train_model
    from crmlib.identity.records import normalise_records

    engine = Engine(threads=2, memory_limit="2GB")
    load_people(engine, make_people(350, 0.5, 11))
    normalise_records(engine, AS_OF, "ES")
    block_pairs(engine)
    told: list[str] = []
    model = train_model(engine, choose_comparisons(engine), seed=5, progress=told.append)
    with PairScorer(engine, model) as scorer:
        scorer.predict_pairs(ALL_WEIGHTS, told.append)
    yield engine, model, told
    engine.close()
