"""Campaigns as sends and tickets, measured as room 08 does."""

from __future__ import annotations

from datetime import date, timedelta

from crmlib.campaign.experiment_log import write_log
from crmlib.campaign.funnel import summarise_campaigns
from crmlib.campaign.measurement import measure_campaigns
from tests.made_tables import at, make_tables

AS_OF, CUTOFF = date(2026, 11, 1), at("2026-11-02")
START = at("2026-09-01 09:00")


def send(person, arm="treatment", campaign="spring", **more):
    sent = {"sent_at": START, "delivered": True} if arm == "treatment" else {}
    return (
        {
            "source": "mail",
            "send_id": f"{campaign} {person}",
            "campaign_id": campaign,
            "record_source": "crm",
            "source_record_id": person,
            "channel": "email",
            "category": "cycle",
            "group": arm,
            "eligible_at": START,
            "cost": 0.1,
        }
        | sent
        | more
    )


def buy(person, days, amount=10, hours=0):
    when = START + timedelta(days=days, hours=hours)
    return {
        "source": "pos",
        "ticket_id": f"{person} {days} {hours}",
        "record_source": "crm",
        "source_record_id": person,
        "bought_at": when,
        "bought_on": when.date(),
        "amount": amount,
    }


def measure(engine, sends, tickets=(), campaigns=(), customers=None, window_days=14, margin_share=None, golden=()):
    people = sorted({row["source_record_id"] for row in sends if row["source_record_id"]})
    make_tables(
        engine,
        sends=sends,
        tickets=tickets,
        campaigns=campaigns,
        identities=[
            {"source": "crm", "source_record_id": person, "customer_id": (customers or {}).get(person, person)}
            for person in people
        ],
        customers=golden,
    )
    make_tables(engine, "ticket_lines", "products", "purchase_summary")
    write_log(engine, AS_OF)
    summarise_campaigns(engine, AS_OF, CUTOFF, window_days, margin_share=margin_share)
    return measure_campaigns(engine, margin_share, window_days)


def two_arms(treated=80, control=40, **more):
    return [send(f"t{n:03d}", **more) for n in range(treated)] + [
        send(f"k{n:03d}", arm="control", **more) for n in range(control)
    ]


def of(results, outcome, campaign="spring"):
    (row,) = results[(results["outcome"] == outcome) & (results["campaign_id"] == campaign)].to_dict("records")
    return row


CAMPAIGN = {"campaign_id": "spring", "name": "Spring", "category": "online", "channel": "email", "control_share": 1 / 3,
            "starts_on": date(2026, 9, 1), "cost": 92}  # fmt: skip
