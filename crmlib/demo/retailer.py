"""The retailer as a whole: files of four systems under ``data``, the truth about them under ``truth``."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa

from crmlib.demo import erp, loyalty, pos, shop
from crmlib.demo.baskets import draw_habits, fill_baskets
from crmlib.demo.chance import happens, stream
from crmlib.demo.columns import TEXT, Columns, Text, as_text
from crmlib.demo.defects import DefectLog, Planting, dates_after, plant, repeat_rows
from crmlib.demo.files import CsvFile, ParquetFiles
from crmlib.demo.holdings import Holding, draw_holdings
from crmlib.demo.people import People, household_ids, make_people, person_ids
from crmlib.demo.rhythm import Rhythm, Season, draw_rhythm, dropout_dates, simulate_purchases
from crmlib.errors import InputError

#: People made at a time; what is held in memory depends on it, not on the retailer's size.
PIECE = 20_000
FEWEST_PEOPLE = 100
MOST_PEOPLE = 10_000_000
#: Stands in a folder that a demo retailer was written into.
MARKER = "demo.json"
#: Share of cards that the scheme's list has lost.
SHARE_UNLISTED_CARDS = 0.005
#: Rows of a file with a cell too many, delivered twice, and delivered twice with a difference.
FEW_ROWS = 2


@dataclass
class DemoSummary:
    """What was written.

    Parameters
    ----------
    directory : Path
    people, records, households, tickets, lines, defects : int
        People with at least one record, and what there is of them.
    """

    directory: Path
    people: int
    records: int = 0
    households: int = 0
    tickets: int = 0
    lines: int = 0
    defects: int = 0

    @property
    def duplicate_share(self) -> float:
        """Share of the records that repeat a person of another record."""
        return 1 - self.people / self.records


@dataclass
class Outputs:
    """The files while they are being written."""

    shop: CsvFile
    erp: CsvFile
    cards: CsvFile
    pos: ParquetFiles
    truth: ParquetFiles
    counter: pos.TicketCounter
    logs: dict[str, DefectLog] = field(default_factory=dict)


def write_retailer(
    directory: Path,
    people: int = 4_000,
    seed: int = 20261101,
    as_of_date: date = date(2026, 11, 1),
    progress: Callable[[str], None] | None = None,
) -> DemoSummary:
    """Write a synthetic retailer: the same seed, people and date give the same bytes.

    Parameters
    ----------
    directory : Path
        New, empty, or one that holds an earlier demo retailer, which is replaced.
    people : int
        Customers, each with at least one record.
    seed : int
    as_of_date : date
        Last day of the history, which begins on the first of January two years before. A few planted
        rows are dated later.
    progress : callable, optional
        Told a sentence after every piece of the population.

    Returns
    -------
    DemoSummary

    Raises
    ------
    InputError
        If the numbers are out of range, or the directory holds something else.
    """
    if not FEWEST_PEOPLE <= people <= MOST_PEOPLE:
        raise InputError(f"people: give a number from {FEWEST_PEOPLE} to {MOST_PEOPLE}.")
    if seed < 0:
        raise InputError("seed: give a number that is not negative.")
    _make_room(directory, {"people": people, "seed": seed, "as_of_date": as_of_date.isoformat()})
    season = Season.until(as_of_date)
    summary = DemoSummary(directory, people)
    with ExitStack() as stack:
        outputs = _open(directory, season, as_of_date, stack)
        for first in range(0, people, PIECE):
            count = min(PIECE, people - first)
            _write_piece(outputs, summary, make_people(seed, first, count, people, as_of_date), seed, as_of_date)
            if progress is not None:
                progress(f"{first + count:,} of {people:,} people written")
        outputs.truth.write("defects", _defect_table(list(outputs.logs.values())))
        summary.defects = sum(len(log.rows) for log in outputs.logs.values())
    return summary


def _make_room(directory: Path, made_with: dict[str, int | str]) -> None:
    """Empty a folder of an earlier demo, and mark it as one."""
    if directory.exists() and not directory.is_dir():
        raise InputError(f"{directory} is a file; name a folder for the demo retailer.")
    marker = directory / MARKER
    if directory.exists() and any(directory.iterdir()) and not marker.exists():
        raise InputError(f"{directory} holds something else than a demo retailer; name a new or an empty folder.")
    for part in ("data", "truth"):
        shutil.rmtree(directory / part, ignore_errors=True)
    directory.mkdir(parents=True, exist_ok=True)
    marker.write_text(json.dumps(made_with, indent=2) + "\n", encoding="utf-8")


def _open(directory: Path, season: Season, as_of_date: date, stack: ExitStack) -> Outputs:
    data = directory / "data"
    stamp = as_of_date.strftime("%Y%m%d")
    dialect = {"delimiter": ";", "encoding": "cp1252"}
    for name, columns in (("articulos", erp.write_products()), ("tiendas", erp.write_stores())):
        with CsvFile(data / "erp" / f"{name}_{stamp}.csv", **dialect) as file:
            file.write(columns)
    return Outputs(
        shop=stack.enter_context(CsvFile(data / "shop" / "customers.csv")),
        erp=stack.enter_context(CsvFile(data / "erp" / f"clientes_{stamp}.csv", **dialect)),
        cards=stack.enter_context(CsvFile(data / "loyalty" / "cards.csv", "\t")),
        pos=stack.enter_context(ParquetFiles(data / "pos")),
        truth=stack.enter_context(ParquetFiles(directory / "truth")),
        counter=pos.TicketCounter(season),
        logs={
            source: DefectLog(source, entity)
            for source, entity in (("shop", "customers"), ("erp", "customers"), ("loyalty", "customers"), ("pos", "tickets"))
        },
    )


def _write_piece(outputs: Outputs, summary: DemoSummary, people: People, seed: int, as_of_date: date) -> None:
    first = int(people.number[0])
    season = outputs.counter.season
    rhythm = draw_rhythm(seed, first, len(people), season)
    habits = draw_habits(seed, people)
    holdings = draw_holdings(seed, people.number, rhythm.entered_on, as_of_date)
    logs = outputs.logs

    customers = shop.write_customers(seed, people, holdings["shop"])
    outputs.shop.write(plant(seed, first, customers, "Customer ID", shop.PLANTINGS, logs["shop"]))

    customers = erp.write_customers(seed, people, holdings["erp"])
    later = Planting("future_row", "F_MODIF", 0.0, dates_after(as_of_date), few=FEW_ROWS)
    customers = plant(seed, first, customers, "COD_CLIENTE", (*erp.PLANTINGS, later), logs["erp"])
    outputs.erp.write(customers, _break_rows(customers, "COD_CLIENTE", logs["erp"], first))

    card_numbers = loyalty.card_numbers(holdings["loyalty"].code)
    unlisted = happens(stream(seed, "unlisted cards", first), len(card_numbers), SHARE_UNLISTED_CARDS)
    cards = loyalty.write_cards(seed, people, holdings["loyalty"], habits.store)
    cards = {heading: cells[~unlisted] for heading, cells in cards.items()}
    cards = plant(seed, first, cards, "tarjeta", loyalty.PLANTINGS, logs["loyalty"])
    outputs.cards.write(*_repeat_and_break(cards, logs["loyalty"], first))
    logs["loyalty"].note(card_numbers[unlisted], "card_without_record")

    purchases = simulate_purchases(seed, first, rhythm, season)
    tickets = fill_baskets(seed, people, habits, purchases, season)
    shown = pos.cards_shown(tickets, holdings["loyalty"], card_numbers, season)
    for quarter, (ticket_table, line_table) in pos.write_tables(
        seed, first, tickets, shown, outputs.counter, logs["pos"]
    ).items():
        outputs.pos.write(f"tickets_{quarter}", ticket_table)
        outputs.pos.write(f"lines_{quarter}", line_table)
        summary.tickets += ticket_table.num_rows
        summary.lines += line_table.num_rows
    ...
