"""The online shop's events as its tag manager collects them: views, carts, abandoned carts, checkouts; in UTC."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from crmlib.demo.baskets import Tickets
from crmlib.demo.chance import happens, key_of, scatter, stream
from crmlib.demo.columns import TEXT, Ints, Text, as_text, number_text
from crmlib.demo.defects import DefectLog
from crmlib.demo.moments import SECONDS_PER_DAY
from crmlib.demo.piece import Piece
from crmlib.demo.reach import Reach
from crmlib.demo.records import Records
from crmlib.demo.rhythm import dropout_dates
from crmlib.demo.words import LEANINGS, read_products

#: Carts left behind, for each purchase that is made online.
CARTS_LEFT = 0.35
#: Hours of the day in which carts are left.
FIRST_HOUR, LAST_HOUR = 8, 23
EVENTS = ("view", "category", "search", "cart", "abandon", "checkout")
#: What a visit begins as: it ends in an order, in a cart left behind, or in nothing.
ORDER, CART, NOTHING = range(3)
#: Event, seconds before the visit's end, share of the visits that have it, and of which kinds.
STEPS = (
    ("category", 900, 0.5, (ORDER, CART, NOTHING)),
    ("search", 700, 0.25, (ORDER, CART, NOTHING)),
    ("view", 500, 1.0, (ORDER, CART, NOTHING)),
    ("cart", 300, 1.0, (ORDER, CART)),
    ("checkout", 0, 1.0, (ORDER,)),
    ("abandon", -1800, 1.0, (CART,)),
)
#: Visits that end in nothing: of each person with an account, and of people who are not known, for each who is.
VISITS_OF_SHOPPERS, VISITS_OF_STRANGERS = 3.0, 1.0
SHARE_LOGGED_IN = 0.8
#: Numbers of a person's events.
EVENTS_A_PERSON = 10_000
#: Events of the retailer about a product that is not.
FEW_EVENTS, UNKNOWN_PRODUCT = 3, "A0000"

EVENT_SCHEMA = pa.schema(
    [
        ("event_id", pa.string()),
        ("event", pa.string()),
        ("user_id", pa.string()),
        ("client_id", pa.string()),
        ("sku", pa.string()),
        ("occurred_at", pa.timestamp("ms", tz="UTC")),
    ]
)


@dataclass(frozen=True)
class Carts:
    """Carts that are left behind, in the order of time.

    Parameters
    ----------
    person : array of int
    second : array of int
        Local time, in seconds since the history's start.
    """

    person: Ints
    second: Ints

    @property
    def day(self) -> Ints:
        """Days since the history's start."""
        return self.second // SECONDS_PER_DAY


def draw_carts(piece: Piece, reach: Reach) -> Carts:
    """Draw the carts that people with an account leave behind while they are customers.

    Parameters
    ----------
    piece : Piece
    reach : Reach
    """
    rng, season, rhythm = stream(piece.seed, "carts", piece.first), piece.season, piece.rhythm
    left_on = dropout_dates(rhythm, season)
    gone = np.where(np.isnat(left_on), season.days, (left_on - season.start).astype(np.int64))
    since = np.maximum(reach.account_day, 0)
    days = np.maximum(np.minimum(gone, season.days) - since, 0)
    count = rng.poisson(CARTS_LEFT * rhythm.rate * piece.habits.online * days)
    person = np.repeat(np.arange(len(count)), count)
    day = since[person] + np.floor(rng.random(len(person)) * days[person]).astype(np.int64)
    hour = rng.uniform(FIRST_HOUR, LAST_HOUR, len(person))
    second = day * SECONDS_PER_DAY + np.floor(hour * 3600).astype(np.int64)
    order = np.argsort(second, kind="stable")
    return Carts(person[order], second[order])


def write_events(
    piece: Piece, carts: Carts, orders: Tickets, records: Records, reach: Reach, log: DefectLog
) -> pa.Table:
    """What the online shop's visitors did, as far as they can be told apart.

    Parameters
    ----------
    piece : Piece
    carts : Carts
        Those left behind.
    orders : Tickets
        What was bought online.
    records : Records
        The shop's.
    reach : Reach
    log : DefectLog
        Told of events about products that there are not.

    Returns
    -------
    Table
    """
    rng = stream(piece.seed, "web", piece.first)
    visits = _gather_visits(rng, piece, carts, orders, reach)
    rows = np.argsort(visits["second"], kind="stable")
    visits = {name: values[rows] for name, values in visits.items()}
    person, size = visits["person"], len(rows)
    known = happens(rng, size, SHARE_LOGGED_IN) | np.isin(visits["event"], (EVENTS.index("checkout"),))
    account = np.where(person >= 0, reach.account[person], -1)
    known &= account >= 0
    user = np.where(known, records.keys[account], "").astype(TEXT) if len(records) else np.full(size, "", dtype=TEXT)
    number = scatter(piece.first * EVENTS_A_PERSON + np.arange(size), 10**12, key_of(piece.seed, "events"))
    visitor = scatter(piece.first * EVENTS_A_PERSON + visits["visit"], 10**12, key_of(piece.seed, "visitors"))
    keys: Text = "v" + number_text(number, 12)
    product = read_products().product_id[visits["product"]]
    if piece.first == 0:
        few = rng.permutation(size)[:FEW_EVENTS]
        product[few] = UNKNOWN_PRODUCT
        log.note(keys[few], "unknown_product")
    moment = piece.season.utc(visits["second"]).astype("datetime64[ms]")
    columns = [
        pa.array(keys),
        pa.array(as_text(EVENTS)[visits["event"]]),
        pa.array(user, mask=~known),
        pa.array("GA1." + number_text(visitor, 12)),
        pa.array(product),
        pa.array(moment),
    ]
    return pa.table([*columns[:-1], columns[-1].cast(pa.timestamp("ms", tz="UTC"))], schema=EVENT_SCHEMA)


def _gather_visits(
    rng: np.random.Generator, piece: Piece, carts: Carts, orders: Tickets, reach: Reach
) -> dict[str, Ints]:
    """Every event with its person (-1: nobody who is known), moment, product and visit."""
    products, habits = read_products(), piece.habits
    shoppers = np.flatnonzero(reach.account >= 0)
    browsed = shoppers[rng.integers(0, max(len(shoppers), 1), int(len(shoppers) * VISITS_OF_SHOPPERS))]
    strangers = np.full(int(len(piece.people) * VISITS_OF_STRANGERS), -1)
    idle = np.concatenate([browsed, strangers])
    day = np.floor(rng.random(len(idle)) * piece.season.days).astype(np.int64)
    idle_second = day * SECONDS_PER_DAY + rng.integers(FIRST_HOUR * 3600, LAST_HOUR * 3600, len(idle))
    since = np.where(idle >= 0, reach.account_day[idle], 0)
    idle, idle_second = idle[day >= since], idle_second[day >= since]
    person = np.concatenate([orders.person, carts.person, idle])
    second = np.concatenate([orders.second, carts.second, idle_second])
    kind = np.repeat([ORDER, CART, NOTHING], [len(orders), len(carts.person), len(idle)])
    taste = np.where(person >= 0, (habits.taste * LEANINGS + habits.leaning)[person], 0)
    parts = []
    for name, before, share, kinds in STEPS:
        chosen = np.flatnonzero(np.isin(kind, kinds) & happens(rng, len(person), share))
        parts.append((chosen, np.full(len(chosen), EVENTS.index(name)), second[chosen] - before))
    visit, event, moment = (np.concatenate(column) for column in zip(*parts, strict=True))
    product = products.by_taste.draw(rng, len(person), taste)
    product[: len(orders)] = orders.lines.product[orders.lines.number == 1]
    return {"person": person[visit], "event": event, "second": moment, "product": product[visit], "visit": visit}
