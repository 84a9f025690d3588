"""Minimisation: personal fields that sources deliver and no room reads, so that there is no reason to keep them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from crmlib.engine import Engine, quote
from crmlib.params import Params, resolve_path

if TYPE_CHECKING:
    import pandas as pd

#: Personal field of a record -> the rooms that read it for more than to carry it along; none where it is only kept.
READ_BY: dict[str, tuple[str, ...]] = {
    "full_name": ("03",),
    "given_name": ("03", "10"),
    "surnames": ("03",),
    "surname_1": ("03", "10"),
    "surname_2": ("03", "10"),
    "company": ("03",),
    "job_title": ("03",),
    "contact_type": (),
    "national_id": ("03", "04"),
    "email": ("03", "04", "07", "09", "10"),
    "phone": ("03", "04", "09", "10"),
    "birth_date": ("03", "04", "07", "09"),
    "gender": (),
    "language": ("10",),
    "address_line": ("03", "04", "10"),
    "street_type": ("03",),
    "street": ("03", "04", "10"),
    "house_number": ("03",),
    "unit": ("03",),
    "postcode": ("03", "04", "07", "09", "10"),
    "municipality": ("03", "10"),
    "province": (),
    "country": ("03", "04", "10"),
    "home_store_id": ("05", "07", "09"),
    "employee": ("04", "09"),
    "social_handles": (),
    "loyalty_card": ("04", "10"),
    "interests": ("07",),
}


def list_unused(engine: Engine, params: Params, params_file: Path) -> pd.DataFrame:
    """Personal fields that are delivered, and that neither a room nor a contact plan reads.

    Parameters
    ----------
    engine : Engine
        Holds ``source_records``.
    params : Params
    params_file : Path
        The contact plans that it names are searched for the fields' names.

    Returns
    -------
    DataFrame
        Columns source, field, records (that have it), how (``mapped``, or ``kept`` as an extra column); the most first.
    """
    import pandas as pd

    named = _words_of_plans(params, params_file)
    unused = [field for field, rooms in READ_BY.items() if not rooms and field not in named]
    counts = ", ".join(f"count({quote(field)}) AS {quote(field)}" for field in unused)
    rows = engine.rows(
        f"SELECT source, count(extra) AS kept, {counts} FROM source_records GROUP BY source ORDER BY source"
    )
    found = [(row["source"], field, row[field], "mapped") for row in rows for field in unused if row[field]]
    kept = {row["source"]: row["kept"] for row in rows}
    found += [
        (source, column, kept.get(source, 0), "kept")
        for source, described in params.sources.items()
        for given in described.entities.get("customers", [])
        for column in given.keep
        if column not in named and kept.get(source, 0)
    ]
    frame = pd.DataFrame(found, columns=["source", "field", "records", "how"])
    return frame.sort_values(["records", "source", "field"], ascending=[False, True, True], ignore_index=True)


def _words_of_plans(params: Params, params_file: Path) -> set[str]:
    """The words of the contact plans: a field that a condition or a template names is used."""
    if params.campaign is None:
        return set()
    paths: Sequence[str] = (params.campaign.plan, *params.campaign.compare)
    texts = (Path(resolve_path(params_file, path)).read_text(encoding="utf-8") for path in paths)
    return {word for text in texts for word in re.findall(r"\w+", text)}
