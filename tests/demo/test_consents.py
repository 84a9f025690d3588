from __future__ import annotations

import re

import numpy as np
import pytest

from crmlib.demo.consent_log import WORDING_CHANGES, WORDINGS, write_log
from crmlib.demo.consents import (
    CALL,
    EMAIL,
    FIRST,
    MARKETING,
    POSTAL,
    PROFILING,
    SECOND,
    SHARE_UNCONFIRMED,
    SMS,
    TOO_LATE,
)
from crmlib.demo.defects import DefectLog
from crmlib.demo.holdings import SOURCES
from crmlib.demo.story import Story
from crmlib.permission.evidence import UNCONFIRMED
from tests.demo.conftest import SEASON

SECONDS_PER_DAY = 86_400


def test_only_those_with_an_address_allow_its_use(story: Story) -> None:
    for source, said in story.stated.items():
        records = story.records[source]
        assert not ((said.email == 1) & (records.email == "")).any()
        assert not ((said.sms == 1) & (records.phone == "")).any()
        assert (said.decided_on >= records.created_on).all()
    assert 0.25 < (story.stated["erp"].email == -1).mean() < 0.45


def test_events_are_of_usable_records_after_they_were_made_and_before_the_end(story: Story) -> None:
    events = story.events
    assert (np.diff(events.second) >= 0).all()
    assert events.second.max() < SEASON.days * SECONDS_PER_DAY
    for place, source in enumerate(SOURCES):
        records, some = story.records[source], events.source == place
        assert records.usable[events.row[some]].all()
        assert (records.person[events.row[some]] == events.person[some]).all()
        assert (events.second[some] >= SEASON.second_of(records.created_on[events.row[some]])).all()


def test_profiling_is_asked_with_marketing_and_withdrawals_follow_grants(story: Story) -> None:
    events = story.events
    name = ((events.source * 10**7 + events.row) * 10 + events.channel) * 10 + events.purpose
    first = np.unique(name, return_index=True)[1]
    assert (events.granted | events.objection)[first].all()
    asked = events.granted & (events.channel != CALL)
    marketing = set(
        zip(
            name[asked & (events.purpose == MARKETING)] // 10,
            events.second[asked & (events.purpose == MARKETING)],
            strict=True,
        )
    )
    profiling = asked & (events.purpose == PROFILING)
    assert set(zip(name[profiling] // 10, events.second[profiling], strict=True)) <= marketing
    assert events.objection.sum() > 20
    assert set(events.channel[events.objection]) == {POSTAL, CALL}


def test_some_double_opt_ins_are_never_answered(story: Story) -> None:
    events = story.events
    email = (events.channel == EMAIL) & events.granted & (events.purpose == MARKETING)
    assert events.pending[email].mean() == pytest.approx(SHARE_UNCONFIRMED, abs=0.02)
    assert (events.answered_after[email & ~events.pending] > 0).all()
    assert not events.pending[events.channel == SMS].any()


def test_the_log_tells_each_decision_with_wording_and_evidence(story: Story) -> None:
    log = DefectLog("consents", "consents")
    files: dict[int, list[dict[str, str]]] = {FIRST: [], SECOND: [], TOO_LATE: []}
    for delivery, columns in write_log(story.piece, story.events, story.records, log):
        lists = [cells.tolist() for cells in columns.values()]
        files[delivery] += [dict(zip(columns, row, strict=True)) for row in zip(*lists, strict=True)]
    rows = [row for delivered in files.values() for row in delivered]
    assert len(rows) == len(story.events) + story.events.corrected.sum()
    assert {row["wording"] for row in rows} == set(WORDINGS.tolist())
    for row in rows:
        day = np.datetime64(row["decided_at"][:10])
        assert row["wording"] == WORDINGS[(day >= WORDING_CHANGES).sum()]
    pending = [row for row in rows if re.search(UNCONFIRMED, row["evidence"])]
    assert len(pending) == story.events.pending.sum()
    answered = [row for row in rows if re.search(r"double opt-in 20\d\d-", row["evidence"])]
    assert all(row["channel"] == "email" and row["decision"] == "granted" for row in answered)
    assert all(row["evidence"][-20:] >= row["decided_at"] for row in answered)
    assert {defect for _, defect in log.rows} == {"delivered_after_as_of", "corrected_later"}


def test_a_corrected_decision_is_delivered_twice_the_wrong_one_first(story: Story) -> None:
    log = DefectLog("consents", "consents")
    versions: dict[tuple[str, ...], list[tuple[int, str]]] = {}
    for delivery, columns in write_log(story.piece, story.events, story.records, log):
        names = zip(
            *(columns[name].tolist() for name in ("system", "customer_ref", "channel", "purpose", "decided_at")),
            strict=True,
        )
        for name, decision in zip(names, columns["decision"].tolist(), strict=True):
            versions.setdefault(name, []).append((delivery, decision))
    twice = {name: told for name, told in versions.items() if len(told) > 1}
    assert len(twice) == story.events.corrected.sum() > 0
    assert {name[1] for name in twice} == {key for key, defect in log.rows if defect == "corrected_later"}
    for told in twice.values():
        assert [delivery for delivery, _ in sorted(told)] == [FIRST, SECOND]
        assert len({decision for _, decision in told}) == 2
