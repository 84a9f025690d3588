"""How a contact plan is written: its words, lengths of time, times of the day, shares and amounts."""

from __future__ import annotations

import re
from datetime import time
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field

from crmlib.params import CHANNELS
from crmlib.tables import CONTRACTS

#: The six categories of communication, in the order in which pages show them.
CATEGORIES = ("cycle", "product_price", "online", "campaigns", "institutional", "point_of_sale")
_stage = CONTRACTS["lifecycle"].column("stage")
#: Stages of a customer, in the contract's order.
STAGES: tuple[str, ...] = _stage.values if _stage else ()
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
PURPOSES = ("marketing", "profiling", "service")
LONGEST_CAP_DAYS = 64
MOST_COMMUNICATIONS = 60
MOST_CAPS = 64

_UNIT_DAYS = {"h": 1 / 24, "d": 1.0, "w": 7.0}


def _read_duration(value: Any) -> float:
    found = re.fullmatch(r"(-?\d+(?:\.\d+)?)\s*([hdw])", value.strip()) if isinstance(value, str) else None
    if found is None:
        raise ValueError("write a duration with its unit, such as 4h, 7d or 2w")
    return float(found[1]) * _UNIT_DAYS[found[2]]


def _read_clock(value: Any) -> time:
    if not isinstance(value, str) or not re.fullmatch(r"\d{1,2}:\d{2}", value):
        raise ValueError('write times in quotes, such as "21:00" (without, YAML reads a number)')
    hour, minute = (int(part) for part in value.split(":"))
    if hour > 23 or minute > 59:
        raise ValueError('this is no time of the day; write one such as "21:00"')
    return time(hour, minute)


#: A length of time in days, written such as ``4h``, ``7d``, ``2w``.
Duration = Annotated[float, BeforeValidator(_read_duration)]
Clock = Annotated[time, BeforeValidator(_read_clock)]
Share = Annotated[float, Field(ge=0, le=1)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,60}$")]
Channel = Literal["email", "sms", "push", "postal", "call", "ads"]
Category = Literal["cycle", "product_price", "online", "campaigns", "institutional", "point_of_sale"]
assert get_args(Channel) == CHANNELS
assert get_args(Category) == CATEGORIES
