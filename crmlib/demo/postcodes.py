"""The list of postcodes with their municipality, island and coordinates."""

from __future__ import annotations

from crmlib.demo.columns import Columns, as_text
from crmlib.demo.words import read_words


def write_postcodes() -> Columns:
    """Every postcode of the islands that has people, with a decimal point."""
    towns = read_words("municipalities")
    headings = ("postcode", "municipality", "island", "province", "latitude", "longitude")
    return {heading: as_text(towns[heading]) for heading in headings}
