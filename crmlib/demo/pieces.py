"""One piece of the population written down: what each system exports about its people, and the truth about them."""

from __future__ import annotations

import numpy as np

from crmlib.demo import orders, pos, shop, truth
from crmlib.demo.consent_log import write_log
from crmlib.demo.defects import repeat_rows
from crmlib.demo.effects import count_effects
from crmlib.demo.lists import draw_listings, find_listed, write_listings
from crmlib.demo.mailchimp import Members, find_members, member_ids, write_members
from crmlib.demo.mailing import write_sends
from crmlib.demo.outputs import Outputs
from crmlib.demo.permissions import permission_table
from crmlib.demo.service import write_cases
from crmlib.demo.stages import stage_table
from crmlib.demo.story import Story
from crmlib.demo.web import write_events

#: What is counted of each piece.
Counts = dict[str, int]


def write_piece(outputs: Outputs, story: Story) -> Counts:
    """Write down what happened to the people of one piece.

    Parameters
    ----------
    outputs : Outputs
    story : Story

    Returns
    -------
    dict of str to int
        How many records, households, tickets, lines, orders and sends there are of them.
    """
    counts = _write_tickets(outputs, story)
    counts["orders"] = _write_shop(outputs, story)
    _write_records(outputs, story)
    counts["sends"] = _write_mailing(outputs, story)
    piece, records = story.piece, story.records
    cases = write_cases(piece, records, outputs.cases, outputs.logs["service"])
    outputs.cases += len(cases["CASO"])
    outputs.service_cases.write(cases)
    for delivery, columns in write_log(piece, story.events, records, outputs.logs["consents"]):
        outputs.consent_logs[delivery].write(columns)
    return {**counts, **_write_truth(outputs, story)}


def _write_tickets(outputs: Outputs, story: Story) -> Counts:
    piece, log = story.piece, outputs.logs["pos"]
    tickets = story.tickets.choose(~story.tickets.online)
    cards = pos.cards_shown(tickets, piece.holdings["loyalty"], piece.card_numbers, piece.season)
    counts = {"tickets": 0, "lines": 0}
    written = pos.write_tables(piece.seed, piece.first, tickets, cards, outputs.counter, log)
    for delivery, tables in written.items():
        for kind, table in zip(counts, tables, strict=True):
            if table.num_rows:
                outputs.till_tables.write(f"{kind}_{delivery}", table)
            counts[kind] += table.num_rows
    return counts


def _write_shop(outputs: Outputs, story: Story) -> int:
    """Write the shop's customers, orders and events."""
    piece, records, log = story.piece, story.records["shop"], outputs.logs["web"]
    bought = story.tickets.choose(story.tickets.online)
    columns = story.columns("shop")
    rows, totals = orders.write_orders(piece, bought, columns, story.reach, outputs.orders)
    outputs.shop_orders.write(rows)
    account = story.reach.account[bought.person]
    count = np.bincount(account, minlength=len(records))
    spent = np.bincount(account, totals, len(records)).astype(np.int64)
    outputs.shop_customers.write({**columns, **shop.write_totals(count, spent)})
    outputs.web_events.write("events", write_events(piece, story.carts, bought, records, story.reach, log))
    outputs.orders += len(bought)
    return len(bought)


def _write_records(outputs: Outputs, story: Story) -> None:
    """Write the ERP's customers and the cards: some with a cell too many, some twice."""
    for source, file in (("erp", outputs.erp_customers), ("loyalty", outputs.loyalty_cards)):
        known, columns = story.records[source], story.columns(source)
        columns = repeat_rows(columns, known.repeated, None)
        columns = repeat_rows(columns, known.conflicting, "apellidos")
        file.write(columns, set(known.broken.tolist()))


def _write_mailing(outputs: Outputs, story: Story) -> int:
    piece, sends, campaigns = story.piece, story.history.sends, story.campaigns
    log, bought = outputs.logs["mailing"], story.bought_in_windows()
    table = write_sends(piece, sends, bought, campaigns, story.reach, story.records, log)
    outputs.sends.write("sends", table)
    members = _find_members(story)
    for name, columns in write_members(piece, members, story.records, campaigns).items():
        outputs.audience.write(outputs.audience_names[name], columns)
    return len(sends)


def _find_members(story: Story) -> Members:
    return find_members(story.piece, story.reach, story.stated, story.events, story.history.sends, story.campaigns)


def _write_truth(outputs: Outputs, story: Story) -> Counts:
    piece, records, history = story.piece, story.records, story.history
    listings = draw_listings(piece, records)
    for name, columns in write_listings(piece, listings):
        outputs.list_file(name).write(columns)
    listed = find_listed(listings, records, len(piece.people))
    effects = count_effects(
        history, story.occasions, story.seen_occasions(), story.amounts(), story.campaigns, piece.season.days
    )
    outputs.effects = outputs.effects.add(effects)
    members = _find_members(story)
    people = truth.people_table(piece, records)
    tables = {
        "people": people,
        "people_elsewhere": truth.member_table(piece, member_ids(piece, members), members.person),
        "households": truth.household_table(piece.people),
        "behaviour": truth.behaviour_table(piece, history),
        "stages": stage_table(piece, history),
        "permissions": permission_table(
            piece, records, story.stated, story.subscribed(), story.events, history.sends, story.campaigns, listed
        ),
    }
    for name, table in tables.items():
        outputs.truth_tables.write(name, table)
    return {"records": people.num_rows, "households": len(np.unique(piece.people.household))}
