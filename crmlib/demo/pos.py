"""The tills' export: tickets and their lines, a Parquet file a quarter, local times.

A quarter is delivered when it is over. What a store delivers late, and what is corrected, comes in files of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np
import pyarrow as pa

from crmlib.demo.baskets import Lines, Tickets
from crmlib.demo.chance import Choice, stream
from crmlib.demo.columns import TEXT, Ints, Text, as_text, decimals, number_text
from crmlib.demo.defects import DefectLog
from crmlib.demo.deliveries import choose_corrected, come_late, correct_later, find_deliveries
from crmlib.demo.holdings import Holding
from crmlib.demo.moments import SECONDS_PER_DAY
from crmlib.demo.season import Season
from crmlib.demo.words import read_products, read_stores

PAYMENTS = as_text(["tarjeta", "efectivo", "bizum"])
PAYMENT_SHARES = Choice.of([0.62, 0.31, 0.07])
TILLS = 4
#: How many days after the as-of date the planted tickets of the future reach.
FUTURE_DAYS = 20
#: Defect -> how many tickets of the retailer have it.
DEFECTS = {"future_row": 5, "repeated_row": 2, "conflicting_key": 2, "impossible_amount": 2, "unknown_store": 3}
#: In cents.
IMPOSSIBLE_AMOUNT = 9_999_999_999
UNKNOWN_STORE = "999"

TICKET_SCHEMA = pa.schema(
    [
        ("TICKET", pa.string()),
        ("TARJETA", pa.string()),
        ("FECHA", pa.timestamp("ms")),
        ("TIENDA", pa.string()),
        ("CAJA", pa.int32()),
        ("TOTAL", pa.decimal128(12, 2)),
        ("DESCUENTO", pa.decimal128(12, 2)),
        ("ARTICULOS", pa.int32()),
        ("PAGO", pa.string()),
    ]
)
LINE_SCHEMA = pa.schema(
    [
        ("TICKET", pa.string()),
        ("LINEA", pa.int32()),
        ("ARTICULO", pa.string()),
        ("CANTIDAD", pa.int32()),
        ("IMPORTE", pa.decimal128(12, 2)),
        ("DESCUENTO", pa.decimal128(12, 2)),
    ]
)


@dataclass
class TicketCounter:
    """How many tickets each store has printed on each day, so that every ticket gets a number of its own.

    Parameters
    ----------
    season : Season
        The history's days.
    """

    season: Season
    printed: Ints = field(init=False)

    def __post_init__(self) -> None:
        days = self.season.days + FUTURE_DAYS + 1
        self.printed = np.zeros(len(read_stores().store_id) * days, dtype=np.int64)

    def number(self, store: Ints, second: Ints) -> Text:
        """Numbers such as ``004-20260314-00027``: store, day, and the ticket's place in that day.

        Parameters
        ----------
        store : array of int
            Place in the word list.
        second : array of int
            Local time, in seconds since the history's start.

        Returns
        -------
        Text
        """
        day = second // SECONDS_PER_DAY
        slot = store * (len(self.printed) // len(read_stores().store_id)) + day
        order = np.lexsort((second, slot))
        counts = np.bincount(slot, minlength=len(self.printed))
        place = np.empty(len(slot), dtype=np.int64)
        place[order] = np.arange(len(slot)) - (np.cumsum(counts) - counts)[slot[order]] + 1
        place += self.printed[slot]
        self.printed += counts
        written = np.datetime_as_string(self.season.start + day).astype(TEXT)
        return read_stores().store_id[store] + "-" + np.strings.replace(written, "-", "") + "-" + number_text(place, 5)


def cards_shown(tickets: Tickets, cards: Holding, numbers: Text, season: Season) -> Text:
    """The card shown at each ticket, the person's latest by then; empty for none.

    Parameters
    ----------
    tickets : Tickets
    cards : Holding
        The loyalty scheme's records.
    numbers : Text
        Their card numbers.
    season : Season
    """
    if len(cards) == 0:
        return np.full(len(tickets), "", dtype=TEXT)
    day = season.start + tickets.second // SECONDS_PER_DAY
    order = np.lexsort((cards.created_on, cards.person))
    holder, issued_on, number = cards.person[order], cards.created_on[order], numbers[order]
    first = np.searchsorted(holder, tickets.person)
    held = np.searchsorted(holder, tickets.person, side="right") - first
    shown = tickets.card_shown & (held > 0)
    newest = np.where(shown, first + held - 1, 0)
    at = np.where(issued_on[newest] <= day, newest, np.where(shown, first, 0))
    return np.where(shown, number[at], "").astype(TEXT)


def write_tables(
    seed: int, first: int, tickets: Tickets, cards: Text, counter: TicketCounter, log: DefectLog
) -> dict[str, tuple[pa.Table, pa.Table]]:
    """The tickets of one piece of the population and their lines, as the tills export them.

    Parameters
    ----------
    seed, first : int
    tickets : Tickets
        Of the stores.
    cards : Text
        The card shown at each; empty for none.
    counter : Counter
        Gives the ticket numbers.
    log : DefectLog
        Told of the tickets that are wrong, which the first piece has, and of those that come late.

    Returns
    -------
    dict of str to (Table, Table)
        Tickets and lines by delivery, such as ``2026q3_20261001``, in the order of time.
    """
    rng, season = stream(seed, "pos", first), counter.season
    planted = _choose_defects(rng, len(tickets)) if first == 0 else {}
    if planted:
        tickets, cards = _with_future(tickets, cards, planted, season)
    numbers = counter.number(tickets.store, tickets.second)
    for defect, rows in planted.items():
        log.note(numbers[rows], defect)
    day = np.minimum(tickets.second // SECONDS_PER_DAY, season.days - 1)
    late = come_late(tickets.store, day, season)
    log.note(numbers[late], "delivered_late")
    right = np.setdiff1d(np.flatnonzero(~late), np.concatenate([late[:0].astype(np.int64), *planted.values()]))
    corrected = choose_corrected(stream(seed, "corrections", first), right, day, season) if first == 0 else right[:0]
    log.note(numbers[corrected], "corrected_later")
    rows = np.argsort(tickets.second, kind="stable")
    rows = np.concatenate([rows, planted.get("repeated_row", rows[:0]), planted.get("conflicting_key", rows[:0])])
    ticket_table = _ticket_table(rng, season, tickets, (numbers, cards), rows, planted)
    line_rows = np.argsort(tickets.second[tickets.lines.ticket], kind="stable")
    line_table = _line_table(tickets.lines, numbers, line_rows)
    delivery, names = find_deliveries(day, late, season)
    by_ticket, by_line = delivery[rows], delivery[tickets.lines.ticket[line_rows]]
    tables = {
        names[one]: (ticket_table.filter(pa.array(by_ticket == one)), line_table.filter(pa.array(by_line == one)))
        for one in np.unique(delivery).tolist()
    }
    return correct_later(tables, ticket_table.filter(pa.array(np.isin(rows, corrected))), season)


def _choose_defects(rng: np.random.Generator, tickets: int) -> dict[str, Ints]:
    """Distinct tickets, some for each defect."""
    drawn = rng.permutation(tickets)
    ends = np.cumsum(list(DEFECTS.values()))
    return {
        defect: np.sort(drawn[end - count : end])
        for (defect, count), end in zip(DEFECTS.items(), ends.tolist(), strict=True)
    }


def _with_future(tickets: Tickets, cards: Text, planted: dict[str, Ints], season: Season) -> tuple[Tickets, Text]:
    """Repeat some tickets after the as-of date; `planted` then names the new ones."""
    models = planted["future_row"]
    copies = np.arange(len(models)) + len(tickets)
    of_models = np.flatnonzero(np.isin(tickets.lines.ticket, models))
    lines = {
        column.name: np.append(getattr(tickets.lines, column.name), getattr(tickets.lines, column.name)[of_models])
        for column in fields(Lines)
    }
    lines["ticket"][len(tickets.lines.ticket) :] = copies[np.searchsorted(models, tickets.lines.ticket[of_models])]
    future_days = season.days + 1 + np.arange(len(models)) * FUTURE_DAYS // len(models)
    second = tickets.second[models] % SECONDS_PER_DAY + future_days * SECONDS_PER_DAY
    planted["future_row"] = copies
    extended = Tickets(
        person=np.append(tickets.person, tickets.person[models]),
        second=np.append(tickets.second, second),
        store=np.append(tickets.store, tickets.store[models]),
        online=np.append(tickets.online, tickets.online[models]),
        card_shown=np.append(tickets.card_shown, tickets.card_shown[models]),
        lines=Lines(**lines),
    )
    return extended, np.concatenate([cards, cards[models]])


def _ticket_table(
    rng: np.random.Generator,
    season: Season,
    tickets: Tickets,
    named: tuple[Text, Text],
    rows: Ints,
    planted: dict[str, Ints],
) -> pa.Table:
    """Tickets in the order of `rows`; `named` are their numbers and cards."""
    numbers, cards = named
    count = len(tickets)
    amount = tickets.lines.sums(tickets.lines.amount, count)
    store = read_stores().store_id[tickets.store]
    till = rng.integers(1, TILLS + 1, count)
    payment = PAYMENTS[PAYMENT_SHARES.draw(rng, count)]
    if planted:
        amount[planted["impossible_amount"]] = IMPOSSIBLE_AMOUNT
        store[planted["unknown_store"]] = UNKNOWN_STORE
    written = amount[rows]
    local = season.start.astype("datetime64[ms]") + 1000 * tickets.second[rows]
    if planted:
        written[len(rows) - len(planted["conflicting_key"]) :] += 100
    shown = cards[rows]
    columns = [
        pa.array(numbers[rows]),
        pa.array(shown, mask=shown == ""),
        pa.array(local),
        pa.array(store[rows]),
        pa.array(till[rows], type=pa.int32()),
        decimals(written),
        decimals(tickets.lines.sums(tickets.lines.discount, count)[rows]),
        pa.array(tickets.lines.sums(tickets.lines.quantity, count)[rows], type=pa.int32()),
        pa.array(payment[rows]),
    ]
    return pa.table(columns, schema=TICKET_SCHEMA)


def _line_table(lines: Lines, numbers: Text, rows: Ints) -> pa.Table:
    columns = [
        pa.array(numbers).take(pa.array(lines.ticket[rows])),
        pa.array(lines.number[rows], type=pa.int32()),
        pa.array(read_products().product_id).take(pa.array(lines.product[rows])),
        pa.array(lines.quantity[rows], type=pa.int32()),
        decimals(lines.amount[rows]),
        decimals(lines.discount[rows]),
    ]
    return pa.table(columns, schema=LINE_SCHEMA)
