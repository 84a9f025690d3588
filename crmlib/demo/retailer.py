"""The retailer as a whole: files of its systems under ``data``, the truth about it under ``truth``."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from crmlib.demo import erp, pieces, postcodes, suppliers, truth
from crmlib.demo.campaigns import Campaign, list_campaigns
from crmlib.demo.effects import HORIZONS, USUAL_DAYS, effect_table
from crmlib.demo.files import CsvFile
from crmlib.demo.mailing import write_campaigns
from crmlib.demo.outputs import OFFICE_DIALECT, Outputs, open_outputs
from crmlib.demo.people import make_people
from crmlib.demo.piece import make_piece
from crmlib.demo.reports import write_reports
from crmlib.demo.season import Season
from crmlib.demo.story import tell_story
from crmlib.errors import InputError

#: People made at a time; what is held in memory depends on it, not on the retailer's size.
PIECE = 20_000
FEWEST_PEOPLE = 20
#: Beyond this the islands have no fixed lines left to give.
MOST_PEOPLE = 2_000_000
#: Stands in a folder that a demo retailer was written into.
MARKER = "demo.json"


@dataclass
class DemoSummary:
    """What was written.

    Parameters
    ----------
    directory : Path
    people, records, households, tickets, lines, orders, sends, defects : int
        People with at least one record, and what there is of them; tickets and lines are the stores'.
    """

    directory: Path
    people: int
    records: int = 0
    households: int = 0
    tickets: int = 0
    lines: int = 0
    orders: int = 0
    sends: int = 0
    defects: int = 0

    @property
    def duplicate_share(self) -> float:
        """Share of the records that repeat a person of another record."""
        return 1 - self.people / self.records


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
        rows are dated later, and a few files are delivered later.
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
    campaigns = list_campaigns(season)
    summary = DemoSummary(directory, people)
    with ExitStack() as stack:
        outputs = open_outputs(directory, season, as_of_date, len(campaigns), stack)
        _write_master_data(outputs, campaigns, season, seed, people)
        for first in range(0, people, PIECE):
            count = min(PIECE, people - first)
            piece = make_piece(seed, make_people(seed, first, count, people, as_of_date), season, as_of_date)
            written = pieces.write_piece(outputs, tell_story(piece, campaigns, outputs.logs))
            for name, rows in written.items():
                setattr(summary, name, getattr(summary, name) + rows)
            if progress is not None:
                progress(f"{first + count:,} of {people:,} people written")
        outputs.truth_tables.write("effects", effect_table(outputs.effects, campaigns, (USUAL_DAYS,)))
        outputs.truth_tables.write("effects_by_days", effect_table(outputs.effects, campaigns, HORIZONS))
        outputs.truth_tables.write("effects_in_windows", effect_table(outputs.effects, campaigns, (0,)))
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


def _write_master_data(outputs: Outputs, campaigns: list[Campaign], season: Season, seed: int, people: int) -> None:
    """What does not depend on the people: products, stores, postcodes, campaigns, and the suppliers' contacts."""
    day, data = f"{outputs.as_of_date:%Y%m%d}", outputs.folder / "data"
    contacts, about_contacts = suppliers.write_contacts(seed)
    outputs.truth_tables.write("suppliers", about_contacts)
    outputs.truth_tables.write("people_elsewhere", about_contacts.select(["source", "source_record_id", "person_id"]))
    for name, columns, dialect in (
        (f"erp/articulos_{day}.csv", erp.write_products(), OFFICE_DIALECT),
        (f"erp/tiendas_{day}.csv", erp.write_stores(), OFFICE_DIALECT),
        (f"mailing/campanas_{day}.csv", write_campaigns(campaigns, season), OFFICE_DIALECT),
        ("geo/postcodes.csv", postcodes.write_postcodes(), {}),
        ("contacts/contacts.csv", contacts, {}),
        (f"mailchimp/campaigns_{day}.csv", write_reports(seed, people, outputs.as_of_date), {}),
    ):
        with CsvFile(data / name, **dialect) as file:
            file.write(columns)
