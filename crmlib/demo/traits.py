"""Traits that change: a person moves, gets another phone number, another e-mail address."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from crmlib.demo.columns import Bools, Dates, Ints


@dataclass(frozen=True)
class Changing:
    """A trait that changed once: each person's value before and since.

    Parameters
    ----------
    before, now : array
        Values by person; the same where nothing changed.
    changed_on : array of date
        Since when the present value holds.
    """

    before: Any
    now: Any
    changed_on: Dates

    def at(self, person: Ints, day: Dates) -> Any:
        """The value that held for each `person` on each `day`.

        Parameters
        ----------
        person : array of int
        day : array of date, of the same shape

        Returns
        -------
        array
        """
        return np.where(day >= self.changed_on[person], self.now[person], self.before[person])


def draw_change_dates(rng: np.random.Generator, changed: Bools, as_of_date: date) -> Dates:
    """Days in the last five years; long ago where nothing changed.

    Parameters
    ----------
    rng : Generator
    changed : array of bool
    as_of_date : date

    Returns
    -------
    array of date
    """
    days_ago = np.where(changed, rng.integers(30, 5 * 365, len(changed)), 60_000)
    dates: Dates = np.datetime64(as_of_date, "D") - days_ago
    return dates
