"""Plans and customers made by hand, as YAML or as the records that the compiled parts work on."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from crmlib.campaign.arbitration import decide_day
from crmlib.campaign.chance import derive_keys, draw_gap, replicate_key
from crmlib.campaign.kernel import simulate_chunk
from crmlib.campaign.plan import ContactPlan
from crmlib.campaign.reading import ReadPlan, read_plan
from crmlib.campaign.shapes import (
    BY_ALL,
    CALENDAR,
    CAP,
    CHANCE,
    COMMUNICATION,
    CONTACT,
    DAY,
    DAY_COUNT,
    DRAW,
    FAR,
    MEMBER,
    NEVER,
    ON_RHYTHM,
    PERSON,
    REASONS,
    RULES,
    TOTAL,
    C,
)
from crmlib.campaign.terms import lay_terms

CATEGORIES = ("cycle", "product_price", "online", "campaigns", "institutional", "point_of_sale")
START = date(2026, 11, 2)  # a Monday
STORES = 3


def plan_data(*communications: dict[str, Any], **sections: Any) -> dict[str, Any]:
    """A small plan as YAML has it; what a communication does not say is filled in."""
    usual = {
        "category": "cycle", "channels": ["email"], "purpose": "marketing", "priority": 50,
        "response": {"lift": 0.2, "window": "7d"},
    }  # fmt: skip
    whole = [usual | one for one in communications]
    for one in whole:
        if "trigger" not in one and "calendar" not in one:
            one["calendar"] = {"rrule": "FREQ=WEEKLY;BYDAY=MO"}
    return {
        "plan": {
            "id": "small", "version": 1, "timezone": "Atlantic/Canary", "start": "2026-11-02", "horizon_days": 56,
            "currency": "EUR",
        },
        "channels": {"email": {"unit_cost": 0.01}, "sms": {"unit_cost": 0.05}, "push": {"unit_cost": 0.01}},
        "categories": {category: {"line": f"line_{category}"} for category in CATEGORIES},
        "communications": whole,
        **sections,
    }  # fmt: skip


def make_plan(*communications: dict[str, Any], **sections: Any) -> ContactPlan:
    return ContactPlan.model_validate(plan_data(*communications, **sections))


def write_plan(folder: Path, data: dict[str, Any] | str) -> Path:
    path = folder / "plan.yaml"
    path.write_text(data if isinstance(data, str) else yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return path


def read(folder: Path, data: dict[str, Any] | str) -> ReadPlan:
    return read_plan(write_plan(folder, data))


def make_caps(caps: list[tuple[int, int, int, int]]) -> np.ndarray:
    """Caps as records: kind, which, most, days."""
    made = np.zeros(len(caps), CAP)
    for record, cap in zip(made, caps, strict=True):
        for name, value in zip(("kind", "which", "most", "days"), cap, strict=True):
            record[name] = value
    return made


@dataclass
class World:
    """Customers and a plan as records; every customer is alike unless changed."""

    people: int
    days: int
    communications: int = 0
    k: float = 1.0
    rate: float = 1 / 20
    hazard: float = 0.0
    caps: list[tuple[int, int, int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        number = self.communications
        self.day = np.zeros(self.days, DAY)
        self.day["season"], self.day["next_due"] = 1.0, FAR
        self.chance = np.zeros(0, CHANCE)
        self.communication = np.zeros(number, COMMUNICATION)
        self.communication["key"] = np.arange(number) + 1
        self.communication["channels"] = -1
        self.communication["channels"][:, 0] = 0
        self.communication["priority"] = np.arange(number)[::-1]
        self.communication["open_days"], self.communication["window"] = 1, 7
        self.communication["delay"], self.communication["event"] = 1, CALENDAR
        self.cap = make_caps(self.caps)
        self.rules = np.zeros(1, RULES)
        self.rules["rotate_days"], self.rules["decay"], self.rules["k"] = 364, 0.9, self.k
        self.person = np.zeros(self.people, PERSON)
        self.person["value"], self.person["permitted"], self.person["address"] = 1.0, 63, 63
        self.person["store_share"] = 1.0
        self.person["stage"], self.person["last_purchase"], self.person["enter_after"] = ON_RHYTHM, -5, FAR
        self.member = np.zeros(self.people, MEMBER)
        self.member["audience"] = (1 << number) - 1
        self.member["last_sent"], self.member["due"] = NEVER, NEVER
        self.member["order"][:, :number] = np.arange(number)
        self.history = np.zeros(0, CONTACT)

    def call(self, communication: int, *days: int) -> World:
        """Put a communication on the calendar."""
        for day in days:
            self.day["due"][day] |= np.uint64(1 << communication)
        due = np.array(sorted(days), np.int64)
        following = np.searchsorted(due, np.arange(self.days), side="right")
        self.day["next_due"][:, communication] = np.append(due, FAR)[following]
        return self

    def remember(self, contacts: list[tuple[int, int, int, int, int]]) -> World:
        """Past contacts: customer, day (negative), channel, category, communication."""
        self.history = np.array(sorted(contacts), CONTACT)
        rows = np.arange(self.people)
        self.member["history_start"] = np.searchsorted(self.history["person"], rows, side="left")
        self.member["history_end"] = np.searchsorted(self.history["person"], rows, side="right")
        for person, day, _, _, communication in contacts:
            if communication >= 0:
                last = self.member["last_sent"][person]
                last[communication] = max(last[communication], day)
        return self

    def draw(self, seed: int = 1) -> np.ndarray:
        draws = np.zeros(self.people, DRAW)
        draws["key"] = derive_keys(replicate_key(seed, 0), np.arange(self.people, dtype=np.uint64))
        draws["rate"], draws["hazard"], draws["alive"] = self.rate, self.hazard, True
        draws["wait"] = [draw_gap(np.uint64(key), 1 << 40, self.k) for key in draws["key"]]
        return draws

    def ration(self, capacity: Any = 1.0, budget: Any = 1.0) -> World:
        """Let contacts pass by chance; a number, or one a day."""
        self.chance = np.zeros(self.days, CHANCE)
        for name, chance in (("capacity", capacity), ("budget", budget)):
            self.chance[name] = np.reshape(chance, (-1, 1, 1))
        return self

    def lay_terms(self) -> World:
        """Fill in what follows from the plan's records."""
        lay_terms(self.day, self.communication, self.cap, self.rules[0])
        return self

    def simulate(self, seed: int = 1, trace: int = 0, silent: bool = False) -> Happened:
        """Follow everybody; `silent` contacts nobody."""
        happened = Happened(
            np.zeros(self.days, DAY_COUNT), np.zeros(1, TOTAL), np.zeros(STORES), np.zeros(trace, CONTACT)
        )
        self.lay_terms()
        day, member = self.day, self.member
        if silent:
            day, member = day.copy(), member.copy()
            day["due"], member["due"] = 0, NEVER
        simulate_chunk(
            day, self.chance, self.communication[: 0 if silent else None], self.cap, self.rules[0], self.person, member,
            self.draw(seed), self.history, happened.counts, happened.totals[0], happened.visits, happened.trace,
        )  # fmt: skip
        return happened

    def decide(self, pending: list[int] | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Channel and reason of each customer's candidates on the first day."""
        shape = (self.people, C)
        wanted = np.zeros(self.people, np.uint64)
        wanted[:] = sum(1 << place for place in (range(self.communications) if pending is None else pending))
        choice, reason = np.full(shape, -2, np.int8), np.full(shape, -2, np.int8)
        self.lay_terms()
        decide_day(
            self.day, self.communication, self.cap, self.rules[0], self.person, self.member, self.history, wanted,
            np.zeros(shape, np.uint8), np.zeros(shape, np.uint8), choice, reason,
        )  # fmt: skip
        return choice[:, : self.communications], reason[:, : self.communications]


@dataclass
class Happened:
    """What a simulation counted."""

    counts: np.ndarray
    totals: np.ndarray
    visits: np.ndarray
    trace: np.ndarray

    @property
    def purchases(self) -> float:
        return float(self.counts["purchases"].sum())

    @property
    def contacts(self) -> int:
        return int(self.counts["contacts"].sum())

    @property
    def credited(self) -> float:
        return float(self.counts["credited_purchases"].sum())

    def skipped(self) -> dict[str, int]:
        found = dict(zip(REASONS, self.counts["skips"].sum(axis=(0, 1)).tolist(), strict=True))
        return {reason: number for reason, number in found.items() if number}

    def sent(self) -> np.ndarray:
        return self.trace[: int(self.totals["traced"][0])]


GLOBAL_CAP = BY_ALL
