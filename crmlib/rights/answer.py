"""The answer to somebody who asks what is kept about them, as a page to be read."""

from __future__ import annotations

import html
from datetime import date
from pathlib import Path
from typing import Any

from crmlib.tables import CONTRACTS

#: So few rows stand beside each other, a field a line.
MOST_BESIDE = 3
STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a}"
    "table{border-collapse:collapse;margin:.5rem 0 1.5rem}th,td{border:1px solid #767676;padding:.25rem .5rem;"
    "text-align:left;vertical-align:top}div{overflow-x:auto}caption{text-align:left;font-weight:600;padding:.25rem 0}"
)


def write_page(today: date, held: list[dict[str, Any]]) -> str:
    """Write what is kept about a person as a page.

    Parameters
    ----------
    today : datetime.date
    held : list of dict
        As `crmlib.rights.access.collect` gives it.
    """
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>What is kept about you</title>',
        f"<style>{STYLE}</style></head><body><main><h1>What is kept about you</h1>",
        f"<p>Written on {today.isoformat()}. Each part is a state of the data at its date, the latest first; "
        "a table that did not change since is named once.</p>",
    ]
    for run in held:
        parts.append(f"<h2>{_text(run['run'])}, as of {_text(run['as_of_date'])} ({_text(run['status'])})</h2>")
        for place, table in run["tables"].items():
            parts.append(f"<h3>{_text(Path(place).stem)}</h3>")
            if "same_as" in table:
                parts.append(f"<p>The same as {_text(table['same_as'])}.</p>")
            else:
                parts.append(_write_table(table))
        for place, passages in run["documents"].items():
            listed = "".join(f"<li>{_text(passage)}</li>" for passage in passages)
            parts.append(f"<h3>{_text(place)}</h3><ul>{listed}</ul>")
    return "".join(parts) + "</main></body></html>\n"


def _write_table(table: dict[str, Any]) -> str:
    rows = table["rows"]
    # what is empty in every row says nothing
    names = [name for name in rows[0] if any(row[name] is not None for row in rows)]
    contract = CONTRACTS.get(table["table"])

    def meaning(name: str) -> str:
        column = contract.column(name) if contract else None
        return f' title="{_text(column.meaning)}"' if column else ""

    head = "".join(f'<th scope="col"{meaning(name)}>{_text(name)}</th>' for name in names)
    head = f"<thead><tr>{head}</tr></thead>"
    body = "".join("<tr>" + "".join(f"<td>{_text(row[name])}</td>" for name in names) + "</tr>" for row in rows)
    if len(rows) <= MOST_BESIDE:
        head = ""
        body = "".join(
            f'<tr><th scope="row"{meaning(name)}>{_text(name)}</th>'
            + "".join(f"<td>{_text(row[name])}</td>" for row in rows)
            + "</tr>"
            for name in names
        )
    return (
        f'<div role="region" tabindex="0" aria-label="{_text(table["table"])}"><table>'
        f"<caption>{_text(table['meaning'])}</caption>{head}<tbody>{body}</tbody></table></div>"
    )


def _text(value: Any) -> str:
    return "" if value is None else html.escape(str(value))
