"""The retailer as a whole: files of four systems under ``data``, the truth about them under ``truth``."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from crmlib.demo import erp, loyalty, pos, shop, truth
from crmlib.demo.baskets import fill_baskets
from crmlib.demo.chance import stream
from crmlib.demo.columns import Text
from crmlib.demo.defects import DefectLog, Planting, dates_after, plant, repeat_rows
from crmlib.demo.files import CsvFile, ParquetFiles
from crmlib.demo.people import make_people
from crmlib.demo.piece import Piece, make_piece
from crmlib.demo.rhythm import Season, simulate_purchases
from crmlib.errors import InputError

#: People made at a time; what is held in memory depends on it, not on the retailer's size.
PIECE = 20_000
FEWEST_PEOPLE = 20
#: Beyond this the islands have no fixed lines left to give.
MOST_PEOPLE = 2_000_000
#: Stands in a folder that a demo retailer was written into.
MARKER = "demo.json"
#: Rows of a whole file that have a cell too many, come twice, come twice with a difference, or come from the future.
FEW_ROWS = 2
ERP_DIALECT = {"delimiter": ";", "encoding": "cp1252"}


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


@dataclass(frozen=True)
class Outputs:
    """The files while they are being written."""

    shop_customers: CsvFile
    erp_customers: CsvFile
    loyalty_cards: CsvFile
    till_tables: ParquetFiles
    truth_tables: ParquetFiles
    counter: pos.TicketCounter
    logs: dict[str, DefectLog]


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
    _write_master_data(directory, as_of_date)
    summary = DemoSummary(directory, people)
    with ExitStack() as stack:
        outputs = _open(directory, season, as_of_date, stack)
        for first in range(0, people, PIECE):
            count = min(PIECE, people - first)
            piece = make_piece(seed, make_people(seed, first, count, people, as_of_date), season, as_of_date)
            _write_shop(outputs, piece)
            _write_erp(outputs, piece)
            _write_cards(outputs, piece)
            _write_tickets(outputs, piece, summary)
            _write_truth(outputs, piece, summary)
            if progress is not None:
                progress(f"{first + count:,} of {people:,} people written")
        outputs.truth_tables.write("defects", truth.defect_table(outputs.logs.values()))
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


def _write_master_data(directory: Path, as_of_date: date) -> None:
    for name, columns in (("articulos", erp.write_products()), ("tiendas", erp.write_stores())):
        with CsvFile(_erp_path(directory, name, as_of_date), **ERP_DIALECT) as file:
            file.write(columns)


def _erp_path(directory: Path, name: str, as_of_date: date) -> Path:
    return directory / "data" / "erp" / f"{name}_{as_of_date:%Y%m%d}.csv"


def _open(directory: Path, season: Season, as_of_date: date, stack: ExitStack) -> Outputs:
    data = directory / "data"
    return Outputs(
        shop_customers=stack.enter_context(CsvFile(data / "shop" / "customers.csv")),
        erp_customers=stack.enter_context(CsvFile(_erp_path(directory, "clientes", as_of_date), **ERP_DIALECT)),
        loyalty_cards=stack.enter_context(CsvFile(data / "loyalty" / "cards.csv", delimiter="\t")),
        till_tables=stack.enter_context(ParquetFiles(data / "pos")),
        truth_tables=stack.enter_context(ParquetFiles(directory / "truth")),
        counter=pos.TicketCounter(season),
        logs={
            "shop": DefectLog("shop", "customers"),
            "erp": DefectLog("erp", "customers"),
            "loyalty": DefectLog("loyalty", "customers"),
            "pos": DefectLog("pos", "tickets"),
        },
    )


def _write_shop(outputs: Outputs, piece: Piece) -> None:
    holding, log = piece.holdings["shop"], outputs.logs["shop"]
    customers = shop.write_customers(piece.seed, piece.people, holding)
    keys = shop.customer_ids(holding)
    outputs.shop_customers.write(plant(piece.seed, piece.first, customers, keys, shop.PLANTINGS, log))


def _write_erp(outputs: Outputs, piece: Piece) -> None:
    holding, log = piece.holdings["erp"], outputs.logs["erp"]
    future = Planting("future_row", "F_MODIF", 0.0, dates_after(piece.as_of_date), few=FEW_ROWS)
    customers = erp.write_customers(piece.seed, piece.people, holding)
    keys = erp.customer_codes(holding)
    customers = plant(piece.seed, piece.first, customers, keys, (*erp.PLANTINGS, future), log)
    outputs.erp_customers.write(customers, _choose_broken(piece, keys, log))


def _write_cards(outputs: Outputs, piece: Piece) -> None:
    log = outputs.logs["loyalty"]
    log.note(piece.card_numbers[~piece.listed], "card_without_record")
    cards = loyalty.write_cards(piece.seed, piece.people, piece.holdings["loyalty"], piece.habits.store)
    cards = {heading: cells[piece.listed] for heading, cells in cards.items()}
    keys = piece.card_numbers[piece.listed]
    cards = plant(piece.seed, piece.first, cards, keys, loyalty.PLANTINGS, log)
    broken = _choose_broken(piece, keys, log)
    if piece.first == 0:
        whole = np.setdiff1d(np.arange(len(keys)), list(broken))
        twice = stream(piece.seed, "cards listed twice").permutation(whole)
        cards = repeat_rows(cards, twice[:FEW_ROWS], keys, None, log)
        cards = repeat_rows(cards, twice[FEW_ROWS : 2 * FEW_ROWS], keys, "apellidos", log)
    outputs.loyalty_cards.write(cards, broken)


def _choose_broken(piece: Piece, keys: Text, log: DefectLog) -> set[int]:
    """Choose a few of the first people's rows to be written with a cell too many."""
    if piece.first > 0:
        return set()
    rng = stream(piece.seed, f"unreadable rows of {log.source}")
    rows = rng.permutation(len(keys))[:FEW_ROWS]
    log.note(keys[rows], "unreadable_row")
    return set(rows.tolist())


def _write_tickets(outputs: Outputs, piece: Piece, summary: DemoSummary) -> None:
    purchases = simulate_purchases(piece.seed, piece.first, piece.rhythm, piece.season)
    tickets = fill_baskets(piece.seed, piece.people, piece.habits, purchases, piece.season)
    cards = pos.cards_shown(tickets, piece.holdings["loyalty"], piece.card_numbers, piece.season)
    by_quarter = pos.write_tables(piece.seed, piece.first, tickets, cards, outputs.counter, outputs.logs["pos"])
    for quarter, (ticket_table, line_table) in by_quarter.items():
        outputs.till_tables.write(f"tickets_{quarter}", ticket_table)
        outputs.till_tables.write(f"lines_{quarter}", line_table)
        summary.tickets += ticket_table.num_rows
        summary.lines += line_table.num_rows


def _write_truth(outputs: Outputs, piece: Piece, summary: DemoSummary) -> None:
    cards = piece.holdings["loyalty"]
    records = [
        ("shop", shop.customer_ids(piece.holdings["shop"]), piece.holdings["shop"].person),
        ("erp", erp.customer_codes(piece.holdings["erp"]), piece.holdings["erp"].person),
        ("loyalty", piece.card_numbers[piece.listed], cards.person[piece.listed]),
        ("card", piece.card_numbers[~piece.listed], cards.person[~piece.listed]),
    ]
    people = truth.people_table(piece.people, records)
    outputs.truth_tables.write("people", people)
    outputs.truth_tables.write("households", truth.household_table(piece.people))
    outputs.truth_tables.write("behaviour", truth.behaviour_table(piece.people, piece.rhythm, piece.season))
    summary.records += people.num_rows
    summary.households += len(np.unique(piece.people.household))
