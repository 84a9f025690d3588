"""Twenty nightly deliveries of the demo: what each of 300 people said so far decides, by the rooms' own functions."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from crmlib.demo.retailer import write_retailer
from crmlib.identity.golden import consolidate_customers
from crmlib.params import PermissionSettings, end_of_day
from crmlib.permission.consent import decide_permissions
from crmlib.permission.evidence import ASKED_CHANNELS, ASKED_PURPOSES
from crmlib.permission.suppression import find_listed_customers
from crmlib.table_files import visible_rows
from crmlib.tables import find_contract
from tests.made_tables import make_tables
from tests.sources.conftest import Deliveries

ROOT = Path(__file__).parents[2]
PEOPLE, NIGHTS, LAST_OF_DEMO = 300, 20, date(2026, 11, 1)
#: Lines of the consent platform's log a night.
PER_NIGHT = 40
#: What of the demo says who may be contacted.
ENTITIES = ("customers", "consents", "sends", "suppressions")
SOURCES = ("shop", "erp", "loyalty", "consents", "mailing", "lists")
LISTS = ("deceased", "robinson", "employee", "internal_list")
HEADING = "system,customer_ref,channel,purpose,decision,decided_at,legal_basis,wording,evidence"
Question = tuple[str, str, str]


class DemoNights:
    """The demo, and what its people say in the nights after: granted, withdrawn, objected, late, again, corrected."""

    def __init__(self, folder: Path) -> None:
        write_retailer(folder / "demo", people=PEOPLE)
        self.deliveries = Deliveries(folder)
        self.engine = self.deliveries.engine
        self.draw = random.Random(7)
        truth = folder / "demo" / "truth"
        self.person = {
            (row["source"], row["source_record_id"]): row["person_id"]
            for row in self.engine.rows(f"FROM '{truth / 'people.parquet'}' ORDER BY ALL")
            if row["source"] in SOURCES
        }
        self.answers: dict[Question, str] = {}
        self.lines: dict[tuple[str, ...], str] = {}
        self.latest: dict[Question, str] = {}
        self.listed: set[str] = set()
        for row in self.engine.rows(f"FROM '{truth / 'permissions.parquet'}'"):
            self._take_truth(row)
        self.late: list[list[str]] = [[] for _ in range(NIGHTS + 5)]
        self._hold_back_cards()

    def _take_truth(self, row: dict[str, object]) -> None:
        """What the demo's own truth says on its last day; where marketing hides what was said of profiling, nothing."""
        question = (row["person_id"], row["channel"], row["purpose"])
        hidden = row["purpose"] == "profiling" and not row["allowed"] and row["reason"] != "no_record"
        self.answers[question] = "unknown" if hidden else "granted" if row["allowed"] else "no"
        if row["reason"] in LISTS:
            self.listed.add(row["person_id"])

    def _hold_back_cards(self) -> None:
        """Some cards of people of several records come one night, and are joined then: the merges."""
        self.cards = self.deliveries.folder / "demo" / "data" / "loyalty" / "cards.csv"
        self.card_lines = self.cards.read_text(encoding="utf-8").splitlines(keepends=True)
        several = {
            name for (source, name), person in self.person.items() if source == "loyalty" and self._count(person) > 1
        }
        unlisted = sorted(name for name in several if self.person["loyalty", name] not in self.listed)
        self.comes_on = {name: self.draw.randint(2, NIGHTS) for name in self.draw.sample(unlisted, len(unlisted) // 2)}

    def _count(self, person: str) -> int:
        return list(self.person.values()).count(person)

    def waits(self, person: str, night: int) -> bool:
        """Whether a record of theirs was not delivered yet, so that nobody can know what it says."""
        return any(self.person["loyalty", name] == person and when > night for name, when in self.comes_on.items())

    def deliver(self, night: int) -> None:
        """The night's files: the cards known by now, some with a corrected name, and what was said."""
        day = LAST_OF_DEMO + timedelta(night)
        known = [
            line.replace("ez\t", "éz\t") if self.draw.random() < 0.05 * night else line
            for line in self.card_lines
            if self.comes_on.get(line.split("\t")[0], 0) <= night
        ]
        self.cards.write_text("".join(known), encoding="utf-8")
        lines = self.late[night] + [self._say(night, number) for number in range(PER_NIGHT if night else 1)]
        lines = [line for line in lines if line]
        self.draw.shuffle(lines)
        name = f"demo/data/consents/consents_{day:%Y%m%d}_more.csv"
        self.deliveries.write(name, "\n".join([HEADING, *lines]) + "\n")

    def _say(self, night: int, number: int) -> str:
        """One decision of today: its line, or nothing if it is delivered later; it counts when it is delivered."""
        source, name = self.draw.choice(sorted(self.person))
        moment = datetime.combine(LAST_OF_DEMO + timedelta(night), datetime.min.time()) + timedelta(minutes=11 * number)
        channel, purpose = self.draw.choice(ASKED_CHANNELS), self.draw.choice(["marketing", "marketing", "profiling"])
        decision = self.draw.choice(["granted", "granted", "withdrawn", "objected", "pending"])
        line = self._write(source, name, channel, purpose, decision, moment)
        fate = self.draw.random()
        if fate < 0.1:
            self.late[night + self.draw.randint(1, 4)].append(line)
            return ""
        if fate < 0.2:
            # wrong at first: the same moment comes once more, as the opposite
            opposite = "withdrawn" if decision in ("granted", "pending") else "granted"
            self.late[night + self.draw.randint(1, 4)].append(
                self._write(source, name, channel, purpose, opposite, moment)
            )
        return line

    def _write(self, source: str, name: str, channel: str, purpose: str, decision: str, moment: datetime) -> str:
        basis = "legitimate_interest" if decision == "objected" else "consent"
        said = "granted" if decision in ("granted", "pending") else "withdrawn"
        evidence = "form web-account; double opt-in pending" if decision == "pending" else "form web-account"
        return f"{source},{name},{channel},{purpose},{said},{moment.isoformat()}Z,{basis},v4,{evidence}"

    def listen(self, night: int) -> None:
        """What people have said by tonight, read from the lines delivered, one version of each decision."""
        path = self.deliveries.folder / f"demo/data/consents/consents_{LAST_OF_DEMO + timedelta(night):%Y%m%d}_more.csv"
        for line in path.read_text(encoding="utf-8").splitlines()[1:]:
            source, name, channel, purpose, said, moment, _, _, evidence = line.split(",")
            self.lines[source, name, channel, purpose, moment] = "pending" if "pending" in evidence else said
        latest: dict[Question, tuple[str, bool, str]] = {}
        for (source, name, channel, purpose, moment), said in self.lines.items():
            question = (self.person[source, name], channel, purpose)
            if said != "pending":
                latest[question] = max(latest.get(question, ("", False, "")), (moment, said == "withdrawn", said))
        self.latest = self.answers | {question: said for question, (_, _, said) in latest.items()}

    def truth(self, person: str, channel: str, purpose: str) -> bool | None:
        """What the person's latest word allows; None where the demo's truth does not say."""
        latest = self.latest[person, channel, purpose]
        allowed = None if latest == "unknown" else latest == "granted"
        if person in self.listed:
            return False
        if purpose == "profiling" and self.truth(person, channel, "marketing") is False:
            return False
        return allowed

    def link(self, night: int) -> list[dict[str, object]]:
        """Tonight's identities by the truth: some links in doubt, and every third night strangers put together."""
        people = sorted(set(self.person.values()))
        wrong = dict([self.draw.sample(people, 2)]) if night % 3 == 0 else {}
        doubted = {*people[::15], *wrong, *wrong.values()}
        rows = []
        for (source, name), person in self.person.items():
            sure = 0.999 if self._count(person) > 1 else None
            rows.append(
                {
                    "source": source,
                    "source_record_id": name,
                    "customer_id": f"c{wrong.get(person, person)}",
                    "match_probability": 0.96 if person in doubted else sure,
                }
            )
        return rows

    def sources(self) -> dict[str, object]:
        """The sources of the demo's params that say who may be contacted."""
        declared = yaml.safe_load((ROOT / "params" / "demo.yaml").read_text(encoding="utf-8"))["sources"]
        chosen = {
            name: {key: declared[name][key] for key in declared[name] if key in (*ENTITIES, "timezone")}
            for name in SOURCES
        }
        text = (
            yaml.safe_dump(chosen, allow_unicode=True)
            .replace("../demo/", "demo/")
            .replace("_*.csv", f"_{LAST_OF_DEMO:%Y%m%d}.csv")
        )
        sources = yaml.safe_load(text)
        sources["consents"]["consents"]["path"] = "demo/data/consents/consents_*.csv"
        return sources

    def decide(self, night: int, identities: list[dict[str, object]]) -> set[Question]:
        """What the rooms make of tonight: who is allowed what."""
        day = LAST_OF_DEMO + timedelta(night)
        self.deliveries.take_in(self.sources(), as_of=day.isoformat(), timezone="Atlantic/Canary")
        for name in ("source_records", "consent_events", "sends", "suppressions"):
            path = self.deliveries.folder / f"{name}.parquet"
            self.engine.copy(f"FROM {self.deliveries.base[name]}", path)
            cutoff = end_of_day(day, "Atlantic/Canary")
            self.engine.view(name, visible_rows(find_contract(name), path, day, cutoff, {"superseded": 1}))
        make_tables(self.engine, "tickets", "postcodes", identities=identities)
        self.engine.execute(
            f"CREATE OR REPLACE TABLE customers AS FROM {consolidate_customers(self.engine, day, 'ES')}"
        )
        find_listed_customers(self.engine, "ES")
        made = decide_permissions(self.engine, PermissionSettings(), day)
        rows = self.engine.rows(f"FROM {made} WHERE allowed")
        return {(row["customer_id"], row["channel"], row["purpose"]) for row in rows}


@pytest.mark.full
def test_on_no_night_of_the_demo_is_anybody_contactable_whom_the_truth_forbids(tmp_path):
    demo = DemoNights(tmp_path)
    allowed_by_truth = told = forbidden_by_truth = 0
    for night in range(NIGHTS + 1):
        demo.deliver(night)
        demo.listen(night)
        identities = demo.link(night)
        allowed = demo.decide(night, identities)
        people: dict[str, set[str]] = {}
        for row in identities:
            people.setdefault(row["customer_id"], set()).add(demo.person[row["source"], row["source_record_id"]])
        unsure = {row["customer_id"] for row in identities if (row["match_probability"] or 1) < 0.98}
        for customer, persons in people.items():
            if any(demo.waits(person, night) for person in persons):
                continue
            for channel in ASKED_CHANNELS:
                for purpose in ASKED_PURPOSES:
                    truths = [demo.truth(person, channel, purpose) for person in persons]
                    if False in truths:
                        forbidden_by_truth += 1
                        assert (customer, channel, purpose) not in allowed, (night, customer, channel, purpose)
                    elif None not in truths and customer not in unsure:
                        allowed_by_truth += 1
                        told += (customer, channel, purpose) in allowed
    demo.engine.close()
    assert min(allowed_by_truth, forbidden_by_truth) > 5_000
    assert told / allowed_by_truth >= 0.995
