"""The day's contacts as files: a plain list per communication and channel, and an import file for Mailchimp.

The files hold personal data and lie under ``private/exports``. They hold what is needed to send, and no more. No cell
can be taken for a formula by a spreadsheet.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from crmlib.activation.local_time import find_zones
from crmlib.campaign.plan import ContactPlan
from crmlib.engine import Engine

#: Most bytes of a text that mailing tools take.
MOST_BYTES = 255
#: What makes a spreadsheet take a cell for a formula, if it begins with it; in wide letters, too.
FORMULA_SIGNS = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
ROWS_AT_A_TIME = 10_000

PLAIN_HEADINGS = (
    "customer_id",
    "address",
    "first_name",
    "last_name",
    "street",
    "postcode",
    "municipality",
    "country",
    "language",
    "variant",
    "send_from",
    "send_until",
    "time_zone",
)
MAILCHIMP_HEADINGS = ("Email Address", "First Name", "Last Name", "Language", "Tags")

# Who is written to by e-mail or phone is not told where they live.
_LIST = """
    SELECT d.customer_id,
           CASE d.channel WHEN 'email' THEN c.email WHEN 'sms' THEN replace(c.phone, '+', '00')
                WHEN 'call' THEN replace(c.phone, '+', '00') WHEN 'push' THEN c.loyalty_card END AS address,
           c.given_name AS first_name, concat_ws(' ', c.surname_1, c.surname_2) AS last_name,
           CASE WHEN d.channel = 'postal' THEN c.address_line END AS street,
           CASE WHEN d.channel = 'postal' THEN c.postcode END AS postcode,
           CASE WHEN d.channel = 'postal' THEN c.municipality END AS municipality,
           CASE WHEN d.channel = 'postal' THEN c.country END AS country,
           c.language, d.variant, coalesce(z.time_zone, $plan_zone) AS time_zone
    FROM {table} AS d
    LEFT JOIN customers AS c ON c.customer_id = d.customer_id
    LEFT JOIN customer_zones AS z ON z.customer_id = d.customer_id
    WHERE d.decision = 'contact' AND d.contact_date = $day AND d.communication_id = $communication
        AND d.channel = $channel
    ORDER BY d.customer_id
"""

# An address stands in a Mailchimp file once, whoever shares it.
_MAILCHIMP = """
    WITH named AS ({rows})
    SELECT address, first_name, last_name, language, variant
    FROM named
    WHERE address IS NOT NULL
    QUALIFY row_number() OVER (PARTITION BY lower(address) ORDER BY customer_id) = 1
    ORDER BY customer_id
"""


def export_contacts(engine: Engine, table: str, plan: ContactPlan, contact_date: date, folder: Path) -> pd.DataFrame:
    """Write the files of one day.

    Parameters
    ----------
    engine : Engine
        Holds the decisions, `customers` and `stores`.
    table : str
        The decisions, with the columns of `contact_decisions`.
    plan : ContactPlan
    contact_date : date
    folder : Path
        Where the files are to lie; made if need be, for its owner alone.

    Returns
    -------
    DataFrame
        communication, channel, kind (list or Mailchimp import), file (its name), rows; only files that hold something.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    find_zones(engine, plan.plan.timezone)
    written = []
    for communication in plan.communications:
        for channel in communication.channels:
            values = {
                "day": contact_date,
                "communication": communication.id,
                "channel": channel,
                "plan_zone": plan.plan.timezone,
            }
            rows = _LIST.format(table=table)
            name = f"{contact_date}_{communication.id}_{channel}.csv"
            first, last = _send_window(plan, channel)
            lines = _read(engine, rows, values)
            count = write_list(folder / name, PLAIN_HEADINGS, ((*row[:-1], first, last, row[-1]) for row in lines))
            written.append((communication.id, channel, "list", name, count))
            if channel == "email":
                tag = f"{communication.id} {contact_date}"
                lines = _read(engine, _MAILCHIMP.format(rows=rows), values)
                tagged = ((*row[:4], ",".join(part for part in (tag, row[4]) if part)) for row in lines)
                count = write_list(folder / f"mailchimp_{name}", MAILCHIMP_HEADINGS, tagged)
                written.append((communication.id, channel, "Mailchimp import", f"mailchimp_{name}", count))
    frame = pd.DataFrame(written, columns=["communication", "channel", "kind", "file", "rows"])
    return frame[frame["rows"] > 0].reset_index(drop=True)


def write_list(path: Path, headings: Sequence[str], rows: Iterable[Sequence[str | None]]) -> int:
    """Write a CSV file (UTF-8, commas) whole or not at all; without rows there is no file.

    Parameters
    ----------
    path : Path
    headings : sequence of str
    rows : iterable of sequence of str or None
        Cells are made safe by `make_safe`.

    Returns
    -------
    int
        Rows written.
    """
    path.unlink(missing_ok=True)
    beside = path.with_name(f".{path.name}-{os.getpid()}")
    count = 0
    with os.fdopen(
        os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8", newline=""
    ) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(headings)
        for row in rows:
            writer.writerow([make_safe(cell) for cell in row])
            count += 1
    if count:
        beside.replace(path)
    else:
        beside.unlink()
    return count


def make_safe(text: str | None) -> str:
    """A cell that no spreadsheet takes for a formula, on one line, of at most `MOST_BYTES` bytes."""
    line = re.sub(r"\s+", " ", re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]", " ", text or "")).strip()
    if line.startswith(FORMULA_SIGNS):
        line = f"'{line}"
    return line.encode("utf-8", "ignore")[:MOST_BYTES].decode("utf-8", "ignore").strip()


def _read(engine: Engine, sql: str, values: dict[str, Any]) -> Iterator[tuple[str | None, ...]]:
    for batch in engine.arrow(sql, **values).to_batches(ROWS_AT_A_TIME):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _send_window(plan: ContactPlan, channel: str) -> tuple[str, str]:
    """Times between which may be sent, by the customer's clock; empty where any will do."""
    quiet = next(terms.quiet for name, terms in plan.channels.items() if name == channel)
    if quiet.hours is None:
        return "", ""
    begins, ends = quiet.hours
    return f"{ends:%H:%M}", f"{begins:%H:%M}"
