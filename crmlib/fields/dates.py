"""What a date of birth is: a day on which a living customer can have been born."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

OLDEST_AGE = 120

# What systems write when they know no date.
_DEFAULTS = frozenset(
    {
        date(1753, 1, 1),
        date(1899, 12, 30),
        date(1899, 12, 31),
        date(1900, 1, 1),
        date(1900, 1, 2),
        date(1901, 1, 1),
        date(1904, 1, 1),
        date(1970, 1, 1),
        date(1111, 11, 11),
    }
)


def list_defaults() -> frozenset[date]:
    """The days that systems write when they know no date."""
    return _DEFAULTS


class BirthDate(NamedTuple):
    """A date of birth; defect is ``default``, ``too_old``, ``future`` or None."""

    date: date | None
    defect: str | None
    valid: bool


def normalise_birth_date(value: date | None, as_of_date: date) -> BirthDate:
    """Check a date of birth.

    Parameters
    ----------
    value : datetime.date, optional
        The date as delivered.
    as_of_date : datetime.date
        The day the age is told for.

    Returns
    -------
    BirthDate
        `date` is the value if somebody can have been born on it and no system writes it by default.
    """
    if value is None:
        return BirthDate(None, None, False)
    if value in _DEFAULTS:
        return BirthDate(None, "default", False)
    if value > as_of_date:
        return BirthDate(None, "future", False)
    if as_of_date.year - value.year > OLDEST_AGE:
        return BirthDate(None, "too_old", False)
    return BirthDate(value, None, True)
