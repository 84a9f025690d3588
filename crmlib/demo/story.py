"""The story of one piece of the population: who is known where, allows what, is sent what, and buys when and what."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crmlib.demo import erp, loyalty, shop
from crmlib.demo.baskets import Tickets, fill_baskets
from crmlib.demo.campaigns import Campaign
from crmlib.demo.columns import Bools, Columns, Ints
from crmlib.demo.consents import EMAIL, MARKETING, SMS, TOO_LATE, ConsentEvents, Stated, draw_events, draw_stated
from crmlib.demo.defects import DefectLog
from crmlib.demo.history import History, live_through
from crmlib.demo.holdings import SOURCES
from crmlib.demo.moments import SECONDS_PER_DAY
from crmlib.demo.piece import Piece
from crmlib.demo.reach import NEVER_OPENED, Reach, find_reach
from crmlib.demo.records import Records, gather_records
from crmlib.demo.rhythm import Occasions, draw_occasions
from crmlib.demo.web import Carts, draw_carts


@dataclass(frozen=True)
class Story:
    """What happened to the people of one piece, and what the systems know of it.

    Parameters
    ----------
    piece : Piece
    campaigns : list of Campaign
    records : dict of str to Records
        By source.
    stated : dict of str to Stated
        What the records say of consent.
    events : ConsentEvents
        What the consent platform logs.
    reach : Reach
    occasions : Occasions
    carts : Carts
    history : History
    tickets : Tickets
        One for each purchase of the history, in its order; then returns.
    """

    piece: Piece
    campaigns: list[Campaign]
    records: dict[str, Records]
    stated: dict[str, Stated]
    events: ConsentEvents
    reach: Reach
    occasions: Occasions
    carts: Carts
    history: History
    tickets: Tickets

    def seen_occasions(self) -> Bools:
        """Of each occasion, whether the retailer can tell whose purchase it is, or could if there were one."""
        counts, bought = np.diff(self.occasions.begins), self.history.purchases
        fond = np.where(self.reach.account_day < NEVER_OPENED, self.piece.habits.online, 0.0)
        online = self.occasions.online < np.repeat(fond, counts)
        online[bought.occasion] = bought.online
        seen: Bools = online | (self.occasions.card_shown & np.repeat(self.reach.has_card, counts))
        return seen

    def amounts(self) -> Ints:
        """Sum in cents of each occasion's purchase, where there was one."""
        amount = np.zeros(len(self.occasions.at), dtype=np.int64)
        bought = self.history.purchases.occasion
        amount[bought] = self.tickets.amount[: len(bought)]
        return amount

    def bought_in_windows(self) -> Bools:
        """Of each send, whether its person bought something in its campaign's window."""
        sends, bought = self.history.sends, self.history.purchases
        span = np.int64(10**9)
        moments = bought.person * span + bought.second
        window = np.array([one.window_days for one in self.campaigns], dtype=np.int64)[sends.campaign]
        begun, ended = (
            np.searchsorted(moments, sends.person * span + day * SECONDS_PER_DAY)
            for day in (sends.day, sends.day + window)
        )
        return ended > begun

    def subscribed(self) -> tuple[Bools, Bools]:
        """What the shop's export says of e-mails and texts: its own log, and who left with something it was sent."""
        return self._subscribed(EMAIL), self._subscribed(SMS)

    def _subscribed(self, channel: int) -> Bools:
        said, source = self.stated["shop"], SOURCES.index("shop")
        subscribed: Bools = (said.email, said.sms)[channel] == 1
        logged = (self.events.source == source) & (self.events.channel == channel)
        logged &= (self.events.purpose == MARKETING) & (self.events.delivery != TOO_LATE)
        subscribed[self.events.row[logged]] = (self.events.granted & ~self.events.pending)[logged]
        sends = self.history.sends
        left = (sends.unsubscribed | sends.complained) & (self.reach.source[channel, sends.person] == source)
        left &= np.array([one.channel == ("email", "sms")[channel] for one in self.campaigns])[sends.campaign]
        subscribed[self.reach.row[channel, sends.person[left]]] = False
        return subscribed

    def columns(self, source: str) -> Columns:
        """One source's export with what its records say of consent."""
        columns, said = self.records[source].columns, self.stated[source]
        if source == "shop":
            return {**columns, **shop.write_consents(*self.subscribed())}
        write = loyalty.write_consents if source == "loyalty" else erp.write_consents
        return {**columns, **write(said.email, said.sms, said.decided_on)}


def tell_story(piece: Piece, campaigns: list[Campaign], logs: dict[str, DefectLog]) -> Story:
    """Let everything happen to the people of one piece.

    Parameters
    ----------
    piece : Piece
    campaigns : list of Campaign
        By their first day.
    logs : dict of str to DefectLog
        By source; told of what is wrong with its records.
    """
    records = gather_records(piece, logs)
    stated = draw_stated(piece, records)
    events = draw_events(piece, records, stated)
    reach = find_reach(piece, records, stated, events)
    occasions = draw_occasions(piece.seed, piece.first, piece.rhythm, piece.season)
    carts = draw_carts(piece, reach)
    history = live_through(piece, reach, occasions, carts, campaigns)
    tickets = fill_baskets(piece.seed, piece.people, piece.habits, history.purchases, piece.season)
    return Story(piece, campaigns, records, stated, events, reach, occasions, carts, history, tickets)
