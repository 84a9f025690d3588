"""Twenty nights of 300 people: what each of them said so far decides, whatever was delivered, merged or split when."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta

import pytest

from crmlib.params import PermissionSettings
from crmlib.permission.consent import decide_permissions
from crmlib.permission.evidence import ASKED_CHANNELS
from tests.made_tables import make_table, make_tables
from tests.sources.conftest import Deliveries

PEOPLE, NIGHTS, FIRST = 300, 20, date(2026, 10, 1)
PER_NIGHT = 60
SOURCES = ("shop", "erp")
FIELDS = {"source_record_id": "id", "full_name": "name", "updated_at": "changed"}
CONSENT = {
    "record_source": "s",
    "source_record_id": "id",
    "channel": "channel",
    "purpose": "purpose",
    "decision": "decision",
    "happened_at": "at",
}


class Retailer:
    """People with a record in one source or two, who decide; logs that come late; links that are doubted and undone."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.records = {("shop", f"S{person}"): person for person in range(PEOPLE)}
        self.second = {person: self.draw.randint(1, NIGHTS) for person in self.draw.sample(range(PEOPLE), PEOPLE // 3)}
        self.doubted = set(self.draw.sample(sorted(self.second), 20))
        self.said: list[tuple[datetime, int, str, str]] = []
        self.delivered: list[str] = []

    def decide(self, night: int) -> list[str]:
        """The night's lines of the log: most of today's, some of earlier nights, some again."""
        today = []
        for number in range(PER_NIGHT):
            source, name = self.draw.choice(sorted(self.records))
            moment = datetime.combine(FIRST + timedelta(night), datetime.min.time()) + timedelta(minutes=number * 20)
            channel, decision = self.draw.choice(ASKED_CHANNELS), self.draw.choice(["granted", "granted", "withdrawn"])
            self.said.append((moment, self.records[source, name], channel, decision))
            today.append(f"{source},{name},{channel},marketing,{decision},{moment.isoformat()}")
        again = self.draw.sample(self.delivered, min(len(self.delivered), 10))
        lines = today + again
        self.draw.shuffle(lines)
        self.delivered += today
        return lines

    def arrive(self, night: int) -> None:
        self.records |= {("erp", f"E{person}"): person for person, when in self.second.items() if when == night}

    def link(self, night: int) -> list[dict[str, object]]:
        """The night's identities: some links in doubt, and every third night two strangers put together, with doubt."""
        wrong = {}
        if night % 3 == 0:
            one, other = self.draw.sample(range(PEOPLE), 2)
            wrong = {one: other}
        rows = []
        for (source, name), person in self.records.items():
            several = person in self.second and self.second[person] <= night
            unsure = person in self.doubted or person in wrong or person in wrong.values()
            probability = (0.96 if unsure else 0.999) if several or unsure else None
            customer = f"c{wrong.get(person, person)}"
            rows.append(
                {"source": source, "source_record_id": name, "customer_id": customer, "match_probability": probability}
            )
        return rows

    def truth(self, person: int, channel: str) -> bool:
        """The person's own latest word."""
        own = [(moment, decision) for moment, who, where, decision in self.said if (who, where) == (person, channel)]
        return bool(own) and max(own)[1] == "granted"


@pytest.mark.full
@pytest.mark.parametrize("seed", [1, 2])
def test_on_no_night_is_anybody_contactable_whom_the_truth_forbids(tmp_path, seed):
    retailer, deliveries = Retailer(seed), Deliveries(tmp_path)
    sources = {source: {"customers": {"path": f"{source}_*.csv", "fields": FIELDS}} for source in SOURCES}
    sources["log"] = {"consents": {"path": "log_*.csv", "fields": CONSENT}}
    engine = deliveries.engine
    permitted = told_permitted = 0
    for night in range(NIGHTS):
        day = FIRST + timedelta(night)
        retailer.arrive(night)
        for source in SOURCES:
            corrected = [
                f"{name},Name {person} {night if retailer.draw.random() < 0.1 else ''},{day}T01:00:00"
                for (where, name), person in retailer.records.items()
                if where == source
            ]
            lines = corrected or [f"E-none,Nobody,{day}T01:00:00"]
            deliveries.write(f"{source}_{day:%Y%m%d}.csv", "\n".join(["id,name,changed", *lines]) + "\n")
        lines = retailer.decide(night)
        deliveries.write(f"log_{day:%Y%m%d}.csv", "\n".join(["s,id,channel,purpose,decision,at", *lines]) + "\n")
        deliveries.take_in(sources, as_of=day.isoformat())
        identities = retailer.link(night)
        make_tables(
            engine,
            "sends",
            "tickets",
            identities=identities,
            customers=[{"customer_id": customer} for customer in sorted({row["customer_id"] for row in identities})],
        )
        for table in ("source_records", "consent_events"):
            make_table(engine, table, deliveries.rows(table))
        engine.execute(
            "CREATE OR REPLACE TABLE listed_customers "
            "(customer_id VARCHAR, list VARCHAR, source VARCHAR, listed_on DATE)"
        )
        decide_permissions(engine, PermissionSettings(), day)
        allowed = {
            (row["customer_id"], row["channel"])
            for row in engine.rows("FROM permissions_made WHERE allowed AND purpose = 'marketing'")
        }
        people: dict[str, set[int]] = {}
        for row in identities:
            people.setdefault(row["customer_id"], set()).add(retailer.records[row["source"], row["source_record_id"]])
        unsure = {row["customer_id"] for row in identities if (row["match_probability"] or 1) < 0.98}
        for customer, persons in people.items():
            for channel in ASKED_CHANNELS:
                truth = all(retailer.truth(person, channel) for person in persons)
                if (customer, channel) in allowed:
                    assert truth, (night, customer, channel)
                if truth and customer not in unsure:
                    permitted += 1
                    told_permitted += (customer, channel) in allowed
    deliveries.engine.close()
    assert permitted > 1000
    assert told_permitted / permitted >= 0.995
