"""The retailer's mailing log: its campaigns, and what was sent to whom or withheld from a control group."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from crmlib.demo.campaigns import SEND_CHANNELS, SEND_COSTS, Campaign
from crmlib.demo.chance import key_of, scatter, stream
from crmlib.demo.columns import (
    TEXT,
    Bools,
    Columns,
    Ints,
    as_text,
    decimals,
    money_text,
    number_text,
    spanish_date_text,
)
from crmlib.demo.defects import DefectLog
from crmlib.demo.history import Sends
from crmlib.demo.holdings import SOURCES
from crmlib.demo.moments import SECONDS_PER_DAY
from crmlib.demo.piece import Piece
from crmlib.demo.reach import Reach
from crmlib.demo.records import Records
from crmlib.demo.season import Season

#: How the log calls the six categories and the channels.
CATEGORIES = {
    "cycle": "ciclo",
    "product_price": "producto-precio",
    "online": "online",
    "campaigns": "campañas",
    "institutional": "institucional",
    "point_of_sale": "punto de venta",
}
CHANNELS = {"email": "correo electrónico", "sms": "sms", "push": "push", "postal": "carta"}
#: People become eligible at this hour, and are sent what they are sent in the two hours before the stores open.
ELIGIBLE_HOUR, FIRST_SEND_HOUR, SEND_SECONDS = 6, 7, 7_000
#: Shares of those reached who open and who click, and of buyers who redeem an offer.
OPENS = {"email": 0.34, "sms": 0.0, "push": 0.22, "postal": 0.0}
CLICKS = {"email": 0.05, "sms": 0.04, "push": 0.07, "postal": 0.0}
REDEEMS = 0.30
#: Sends of the retailer that name no campaign that there is, and that are dated after the as-of date.
FEW_SENDS = 3
UNKNOWN_CAMPAIGN = "prueba-interna"
#: Numbers that sends are told apart by, for each campaign.
SEND_NUMBERS = 10_000_000

SEND_SCHEMA = pa.schema(
    [
        ("ENVIO", pa.string()),
        ("CAMPANA", pa.string()),
        ("COMUNICACION", pa.string()),
        ("SISTEMA", pa.string()),
        ("CLIENTE", pa.string()),
        ("CANAL", pa.string()),
        ("CATEGORIA", pa.string()),
        ("GRUPO", pa.string()),
        ("ELEGIBLE", pa.timestamp("ms")),
        ("ENVIADO", pa.timestamp("ms")),
        *((name, pa.bool_()) for name in ("ENTREGADO", "ABIERTO", "CLIC", "REBOTADO", "QUEJA", "BAJA", "CANJEADO")),
        ("COSTE", pa.decimal128(12, 2)),
    ]
)


def write_campaigns(campaigns: list[Campaign], season: Season) -> Columns:
    """The list of campaigns, for a file with semicolons, decimal commas and dd/mm/yyyy.

    Parameters
    ----------
    campaigns : list of Campaign
    season : Season
    """
    days = [np.array([getattr(one, name) for one in campaigns]) for name in ("first_day", "last_day")]
    return {
        "CAMPANA": as_text(one.campaign_id for one in campaigns),
        "NOMBRE": as_text(one.name for one in campaigns),
        "CATEGORIA": as_text(CATEGORIES[one.category] for one in campaigns),
        "CANAL": as_text(CHANNELS[one.channel] for one in campaigns),
        "INICIO": spanish_date_text(season.date_of(days[0])),
        "FIN": spanish_date_text(season.date_of(days[1])),
        "COSTE": money_text(np.array([one.fixed_cost for one in campaigns]), ","),
        "GRUPO_CONTROL": as_text(f"{one.control_share:.2f}".replace(".", ",") for one in campaigns),
    }


def send_seconds(sends: Sends) -> Ints:
    """Local times of sending, in seconds since the history's start."""
    spread = np.floor(sends.luck * 997 % 1 * SEND_SECONDS).astype(np.int64)
    return sends.day * SECONDS_PER_DAY + FIRST_SEND_HOUR * 3600 + spread


def write_sends(
    piece: Piece,
    sends: Sends,
    bought: Bools,
    campaigns: list[Campaign],
    reach: Reach,
    records: dict[str, Records],
    log: DefectLog,
) -> pa.Table:
    """The sends to one piece's people.

    Parameters
    ----------
    piece : Piece
    sends : Sends
    bought : array of bool
        Whether each send's person bought something in its campaign's window.
    campaigns : list of Campaign
    reach : Reach
    records : dict of str to Records
    log : DefectLog
        Told of sends that name no known campaign, and of those from after the as-of date.
    """
    channel = np.array([SEND_CHANNELS.index(one.channel) for one in campaigns])[sends.campaign]
    source, row = reach.source[channel, sends.person], reach.row[channel, sends.person]
    keys = np.concatenate([records[name].keys for name in SOURCES])
    begins = np.cumsum([0] + [len(records[name]) for name in SOURCES])
    person = scatter(piece.first + sends.person, SEND_NUMBERS, key_of(piece.seed, "sends"))
    names = as_text(one.campaign_id for one in campaigns)[sends.campaign]
    numbers = "E" + number_text(sends.campaign, 3) + number_text(person, 7)
    day = sends.day.copy()
    if piece.first == 0:
        plain = np.flatnonzero(sends.delivered & ~sends.unsubscribed & ~sends.complained)
        few = stream(piece.seed, "few sends").permutation(plain)[: 2 * FEW_SENDS]
        names[few[:FEW_SENDS]] = UNKNOWN_CAMPAIGN
        day[few[FEW_SENDS:]] = piece.season.days + 2
        log.note(numbers[few[:FEW_SENDS]], "unknown_campaign")
        log.note(numbers[few[FEW_SENDS:]], "future_row")
    start = piece.season.start.astype("datetime64[ms]")
    sent = start + 1000 * (send_seconds(sends) + (day - sends.day) * SECONDS_PER_DAY)
    withheld = ~sends.treated
    offered = np.array([one.offer for one in campaigns])[sends.campaign]
    columns = [
        pa.array(numbers),
        pa.array(names),
        pa.array(as_text(one.communication for one in campaigns)[sends.campaign]),
        pa.array(as_text(SOURCES)[source]),
        pa.array(keys[begins[source] + row]),
        pa.array(as_text(CHANNELS.values())[channel]),
        pa.array(as_text(CATEGORIES[one.category] for one in campaigns)[sends.campaign]),
        pa.array(np.where(sends.treated, "envío", "control").astype(TEXT)),
        pa.array(start + 1000 * (day * SECONDS_PER_DAY + ELIGIBLE_HOUR * 3600)),
        pa.array(sent, mask=withheld),
        *(pa.array(values, mask=withheld) for values in _write_answers(sends, channel, offered & bought)),
        decimals(np.where(withheld, 0, np.array(list(SEND_COSTS.values()))[channel])),
    ]
    return pa.table(columns, schema=SEND_SCHEMA)


def _write_answers(sends: Sends, channel: Ints, redeemable: Bools) -> list[Bools]:
    """Delivered, opened, clicked, bounced, complained, unsubscribed, redeemed."""
    opens, clicks = (np.array([shares[name] for name in SEND_CHANNELS])[channel] for shares in (OPENS, CLICKS))
    answered = sends.unsubscribed | sends.complained
    clicked = sends.delivered & (sends.luck < clicks)
    opened = sends.delivered & ((sends.luck < opens) | (answered & (opens > 0)))
    redeemed = redeemable & sends.delivered & (sends.luck < REDEEMS)
    return [sends.delivered, opened, clicked, sends.bounced, sends.complained, sends.unsubscribed, redeemed]
