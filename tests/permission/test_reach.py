"""Who can be reached: permission, and an address for the channel."""

from __future__ import annotations

import pytest

from crmlib.permission.evaluation import evaluate_permissions
from crmlib.permission.evidence import OUTCOMES
from crmlib.permission.reach import (
    KINDS_OF_REASON,
    count_reached,
    cross_islands,
    cross_reasons,
    find_contactable,
    group_reasons,
    summarise_changes,
    summarise_merges,
    summarise_reach,
    tell_changes,
    tell_reasons,
)
from tests.made_tables import make_table, make_tables

CHANNELS = ("email", "sms", "push", "postal", "call")


def permit(customer, channel="email", allowed=True, reason=None, purpose="marketing"):
    return {
        "customer_id": customer,
        "channel": channel,
        "purpose": purpose,
        "allowed": allowed,
        "reason": reason or ("granted" if allowed else "no_record"),
    }


@pytest.mark.parametrize(
    ("held", "channels"),
    [
        ({}, {"push"}),
        ({"email": "ana@correo.example"}, {"push", "email"}),
        ({"phone": "+34600112233"}, {"push", "sms", "call"}),
        ({"phone": "+34922112233"}, {"push", "call"}),
        ({"phone": "+4915112345678"}, {"push", "sms", "call"}),
        ({"address_line": "Calle Mayor 5"}, {"push"}),
        ({"address_line": "Calle Mayor 5", "postcode": "35001"}, {"push", "postal"}),
    ],
)
def test_a_channel_needs_an_address(engine, held, channels):
    make_tables(
        engine,
        customers=[{"customer_id": "c1"} | held],
        permissions=[permit("c1", channel) for channel in CHANNELS],
    )
    found = {row["channel"] for row in engine.rows(f"FROM {find_contactable(engine)}")}
    assert found == channels


def test_an_address_without_permission_is_no_way_to_reach(engine):
    make_tables(
        engine,
        customers=[{"customer_id": name, "email": f"{name}@correo.example"} for name in ("ana", "bea", "carla")],
        permissions=[permit("ana"), permit("bea", allowed=False), permit("carla", purpose="profiling")],
    )
    find_contactable(engine)
    assert count_reached(engine) == {"customers": 3, "reached": 1, "share": pytest.approx(1 / 3), "email": 1}
    (marketing, _) = summarise_reach(engine).sort_values("purpose").to_dict("records")
    assert (marketing["customers"], marketing["permitted"], marketing["reachable"]) == (2, 1, 1)


def test_reasons_are_counted_by_channel(engine):
    make_tables(
        engine,
        permissions=[
            permit("a"), permit("b", allowed=False), permit("c", allowed=False), permit("a", "sms", False, "withdrawn"),
        ],
    )  # fmt: skip
    table = cross_reasons(engine)
    assert list(table.columns) == ["granted", "no_record", "withdrawn"]
    assert table.loc["email"].tolist() == [1, 2, 0]
    assert table.loc["sms"].tolist() == [0, 0, 1]


def test_changes_add_up(engine):
    before = [permit("stays"), permit("leaves"), permit("gone"), permit("gains", allowed=False)]
    after = [permit("stays"), permit("leaves", allowed=False), permit("gains"), permit("fresh")]
    make_table(engine, "permissions", before)
    engine.execute("CREATE TABLE base_permissions AS FROM permissions")
    make_table(engine, "permissions", after)
    steps = summarise_changes(engine, "base_permissions")
    assert dict(zip(steps["step"], steps["customers"], strict=True)) == {
        "before": 3, "new customers": 1, "gained": 1, "lost": -1, "gone customers": -1,
    }  # fmt: skip
    assert steps["customers"].sum() == 3
    assert tell_changes(steps, "email") == "Since the run before 2 permissions for email came and 2 went"
    assert summarise_changes(engine, None).empty


def test_permissions_are_judged_for_those_whose_identity_is_right(engine):
    """c1 is right; c2 holds two people; p4 is split over c4 and c5; c6 is right and held back."""
    whose = {"r1": ("c1", "p1"), "r2": ("c2", "p2"), "r3": ("c2", "p3"), "r4": ("c4", "p4"), "r5": ("c5", "p4")}
    whose |= {"r6": ("c6", "p6"), "r7": ("c7", "p7")}
    make_tables(
        engine,
        identities=[
            {"source": "crm", "source_record_id": record, "customer_id": customer}
            for record, (customer, _) in whose.items()
        ],
        permissions=[
            permit("c1"), permit("c1", "sms"), permit("c2"), permit("c4"),
            permit("c6", allowed=False, reason="uncertain_identity"), permit("c7", allowed=False),
        ],
    )  # fmt: skip
    engine.execute("CREATE TABLE who (source VARCHAR, source_record_id VARCHAR, person_id VARCHAR)")
    for record, (_, person) in whose.items():
        engine.execute("INSERT INTO who VALUES ('crm', $r, $p)", r=record, p=person)
    engine.execute("CREATE TABLE truth (person_id VARCHAR, channel VARCHAR, purpose VARCHAR, allowed VARCHAR)")
    for person, channel, allowed in [
        ("p1", "email", "true"), ("p1", "sms", "false"), ("p2", "email", "false"), ("p6", "email", "true"),
        ("p7", "email", "true"), ("p7", "sms", "false"),
    ]:  # fmt: skip
        engine.execute("INSERT INTO truth VALUES ($p, $c, 'marketing', $a)", p=person, c=channel, a=allowed)
    judged = evaluate_permissions(engine, "who", "truth").set_index("metric")
    assert judged.loc["permissions_identity_right"].tolist() == [3 / 4, 4]
    assert judged.loc["permissions_right"].tolist() == [2 / 4, 4]
    assert judged.loc["permissions_wrongly_allowed"].tolist() == [1 / 2, 2]
    assert judged.loc["permissions_wrongly_refused"].tolist() == [1 / 2, 2]


def test_without_a_truth_nothing_is_judged(engine):
    assert evaluate_permissions(engine, "who", None).empty
    assert list(evaluate_permissions(engine, "who", None)["metric"].str.upper()) == []
    assert evaluate_permissions(engine, None, "truth").empty


def test_the_reachable_are_counted_by_island(engine):
    islands = {"ana": "Tenerife", "bea": "Tenerife", "carla": None}
    make_tables(
        engine,
        customers=[
            {"customer_id": name, "island": island, "email": f"{name}@correo.example"}
            for name, island in islands.items()
        ],
        permissions=[permit("ana"), permit("bea", allowed=False), permit("carla"), permit("ana", "push")],
    )
    find_contactable(engine)
    table = cross_islands(engine)
    assert table.to_dict("index") == {
        "Tenerife": {"customers": 2, "email": 1, "push": 1},
        "elsewhere": {"customers": 1, "email": 1, "push": 0},
    }


def test_every_reason_there_is_stands_behind_one_kind():
    kinds = [reason for reasons in KINDS_OF_REASON.values() for reason in reasons]
    lists = {"deceased", "robinson", "employee", "internal_list", "minor"}
    assert sorted(kinds) == sorted({*OUTCOMES, *lists, "expired", "legitimate_interest", "no_record"})


def test_reasons_are_summed_by_what_stands_behind_them(engine):
    reasons = {"a": "withdrawn", "b": "objected", "c": "no_record", "d": "robinson"}
    refused = [permit(name, allowed=False, reason=reason) for name, reason in reasons.items()]
    make_tables(engine, permissions=[*refused, permit("e"), permit("f", "sms"), permit("g", "sms")])
    grouped = group_reasons(cross_reasons(engine))
    assert grouped.index.tolist() == ["sms", "email"]
    assert grouped.loc["email"].tolist() == [1, 1, 2, 0, 1]
    assert grouped.loc["sms"].tolist() == [2, 0, 0, 0, 0]
    assert tell_reasons(grouped) == (
        "100% may be contacted by sms, 0% refused; over all channels 14% of the questions were never asked"
    )
    assert tell_reasons(grouped.iloc[:0]) == "Nobody may be contacted: there are no customers"


def test_what_merges_did_is_told_of_customers_with_several_voices(engine):
    said = {
        "agree": ("granted", "granted", True, "granted"),
        "refused": ("granted", "withdrawn", False, "withdrawn"),
        "again": ("withdrawn", "granted", True, "granted"),
        "unsure": ("withdrawn", "uncertain_identity", False, "uncertain_identity"),
    }
    records = [(name, f"{name} {number}") for name in said for number in (1, 2)] + [("alone", "alone")]
    make_tables(
        engine,
        identities=[{"source": "crm", "source_record_id": record, "customer_id": name} for name, record in records],
        permissions=[permit(name, allowed=allowed, reason=reason) for name, (_, _, allowed, reason) in said.items()],
    )
    engine.execute(
        "CREATE TABLE said (kind VARCHAR, customer_id VARCHAR, channel VARCHAR, purpose VARCHAR, outcome VARCHAR, "
        "source VARCHAR, event_id VARCHAR)"
    )
    for name, outcomes in said.items():
        for number in (1, 2):
            engine.execute(
                "INSERT INTO said VALUES ('consent', $name, 'email', 'marketing', $outcome, 'crm', $record)",
                name=name,
                outcome=outcomes[number - 1],
                record=f"{name} {number}",
            )
    assert summarise_merges(engine).to_dict("records") == [
        {"channel": "email", "agreed": 1, "withdrawn_elsewhere": 1, "granted_elsewhere": 1, "uncertain": 1}
    ]
