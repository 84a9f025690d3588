"""The mailing tool's audience as Mailchimp exports it: subscribed, unsubscribed and cleaned members; times in UTC.

Members are the e-mail addresses that were ever mailed with consent. The audience says nothing that the consent
platform's log, the records and the sends do not say. Who came without a date has no time of opting in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crmlib.demo.campaigns import Campaign
from crmlib.demo.chance import happens, key_of, scatter, stream
from crmlib.demo.columns import TEXT, Bools, Ints, Text, as_text, number_text
from crmlib.demo.consents import EMAIL, MARKETING, TOO_LATE, ConsentEvents, Stated
from crmlib.demo.history import Sends
from crmlib.demo.holdings import SOURCES
from crmlib.demo.mailing import send_seconds
from crmlib.demo.moments import days_of_month, moment_text, months_of
from crmlib.demo.piece import Piece
from crmlib.demo.reach import Reach
from crmlib.demo.records import Records
from crmlib.demo.words import read_given_names, read_places, read_surnames

#: File of the zip -> the headings it has in the place of the dots.
FILES = {
    "subscribed": "LAST_CHANGED",
    "unsubscribed": "UNSUB_TIME,UNSUB_CAMPAIGN_TITLE,UNSUB_CAMPAIGN_ID,UNSUB_REASON,UNSUB_REASON_OTHER",
    "cleaned": "CLEAN_TIME,CLEAN_CAMPAIGN_TITLE,CLEAN_CAMPAIGN_ID",
}
HEADINGS = (
    "Email Address,First Name,Last Name,Address,Phone Number,Birthday,MEMBER_RATING,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,"
    "CONFIRM_IP,GMTOFF,DSTOFF,TIMEZONE,CC,REGION,…,LEID,EUID,NOTES,TAGS"
)
TAGS = as_text(['"VIP"', '"Club"', '"VIP","Club"', '"Tienda en línea"', ""])
#: Why members leave, as they are asked.
REASONS = as_text(["I no longer want to receive these emails", "The emails are inappropriate", "Other", ""])
SPAM = "The emails are spam and should be reported"
#: Nothing has ever happened then.
LONG_AGO = -(10**10)


@dataclass(frozen=True)
class Members:
    """The members of one piece, in the order of their people.

    Parameters
    ----------
    person, source, row : array of int
        The record whose address it is.
    opted_in : array of int
        Seconds since the history's start; `LONG_AGO` where nobody knows.
    answered_after : array of int
        Seconds until the double opt-in was answered.
    left, left_with : array of int
        When the member left, `LONG_AGO` for who has not; and the campaign that made them, -1 for none.
    cleaned, complained : array of bool
        Whether that is a bounce, or a complaint.
    """

    person: Ints
    source: Ints
    row: Ints
    opted_in: Ints
    answered_after: Ints
    left: Ints
    left_with: Ints
    cleaned: Bools
    complained: Bools


def find_members(
    piece: Piece,
    reach: Reach,
    stated: dict[str, Stated],
    events: ConsentEvents,
    sends: Sends,
    campaigns: list[Campaign],
) -> Members:
    """Find the members among one piece's people, and what became of them.

    Parameters
    ----------
    piece : Piece
    reach : Reach
    stated : dict of str to Stated
    events : ConsentEvents
    sends : Sends
    campaigns : list of Campaign
    """
    count = len(piece.people)
    source, row, switches = reach.source[EMAIL], reach.row[EMAIL], reach.switches[EMAIL]
    opted_in, left = np.full(count, LONG_AGO), np.full(count, LONG_AGO)
    answered_after, left_with = np.zeros(count, dtype=np.int64), np.full(count, -1)
    for name in ("loyalty", "erp"):
        person = np.flatnonzero(source == SOURCES.index(name))
        said = stated[name]
        yes = person[said.email[row[person]] == 1]
        opted_in[yes] = piece.season.second_of(said.decided_on[row[yes]])
    known = (events.channel == EMAIL) & (events.purpose == MARKETING) & (events.delivery != TOO_LATE)
    known &= (source[events.person] == events.source) & (row[events.person] == events.row) & ~events.pending
    log = events.choose(known)
    opted_in[log.person[log.granted]] = log.second[log.granted]
    answered_after[log.person[log.granted]] = log.answered_after[log.granted]
    left[log.person[~log.granted]] = log.second[~log.granted]
    mailed = np.array([one.channel == "email" for one in campaigns])[sends.campaign]
    gone = np.flatnonzero(mailed & (sends.unsubscribed | sends.complained | sends.bounced))
    gone = gone[np.argsort(send_seconds(sends)[gone], kind="stable")]
    later = gone[send_seconds(sends)[gone] > left[sends.person[gone]]]
    left[sends.person[later]] = send_seconds(sends)[later]
    left_with[sends.person[later]] = sends.campaign[later]
    cleaned, complained = np.zeros(count, dtype=np.bool_), np.zeros(count, dtype=np.bool_)
    cleaned[sends.person[later]] = sends.bounced[later]
    complained[sends.person[later]] = sends.complained[later]
    left = np.where(left > opted_in, left, LONG_AGO)
    member = np.zeros(count, dtype=np.bool_)
    member[switches.person[switches.on]] = True
    chosen = np.flatnonzero(member)
    return Members(
        person=chosen,
        source=source[chosen],
        row=row[chosen],
        opted_in=opted_in[chosen],
        answered_after=answered_after[chosen],
        left=left[chosen],
        left_with=left_with[chosen],
        cleaned=cleaned[chosen],
        complained=complained[chosen],
    )


def write_members(
    piece: Piece, members: Members, records: dict[str, Records], campaigns: list[Campaign]
) -> dict[str, dict[str, Text | str]]:
    """Rows of each of the zip's files; a text that is the same in every row stands alone.

    Parameters
    ----------
    piece : Piece
    members : Members
    records : dict of str to Records
    campaigns : list of Campaign
    """
    gone = members.left > LONG_AGO
    every = _write_all(piece, members, records, campaigns)
    chosen = {"subscribed": ~gone, "unsubscribed": gone & ~members.cleaned, "cleaned": gone & members.cleaned}
    return {
        name: {
            heading: cells if isinstance(cells := every[heading], str) else cells[rows]
            for heading in HEADINGS.replace("…", FILES[name]).split(",")
        }
        for name, rows in chosen.items()
    }


def member_ids(piece: Piece, members: Members) -> Text:
    """The tool's own id of each member (EUID)."""
    return as_text(f"{n * 2_654_435_761 % 2**40:010x}" for n in _number_members(piece, members).tolist())


def _number_members(piece: Piece, members: Members) -> Ints:
    return scatter(piece.first + members.person, 100_000_000, key_of(piece.seed, "mailchimp"))


def _write_all(
    piece: Piece, members: Members, records: dict[str, Records], campaigns: list[Campaign]
) -> dict[str, Text | str]:
    """Cells of every heading of any file, for all members."""
    rng, size, season = stream(piece.seed, "mailchimp", piece.first), len(members.person), piece.season
    emails = np.concatenate([records[source].email for source in SOURCES])
    begins = np.cumsum([0] + [len(records[source]) for source in SOURCES])
    email = emails[begins[members.source] + members.row]
    dated = members.opted_in > LONG_AGO
    opted_in = season.utc(np.where(dated, members.opted_in, 0))
    left = moment_text(season.utc(np.where(members.left > LONG_AGO, members.left, 0)))
    titles, ids = (
        np.where(members.left_with < 0, "", as_text([*texts, ""])[members.left_with]).astype(TEXT)
        for texts in ([one.name for one in campaigns], [one.campaign_id for one in campaigns])
    )
    number = _number_members(piece, members)
    address = as_text(f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}" for n in number.tolist())
    reason = np.where(members.complained, SPAM, REASONS[rng.integers(0, len(REASONS), size)]).astype(TEXT)
    return {
        "Email Address": email,
        **_write_person(rng, piece, members.person),
        "MEMBER_RATING": number_text(rng.integers(1, 6, size)),
        "OPTIN_TIME": np.where(dated, moment_text(opted_in), "").astype(TEXT),
        "OPTIN_IP": np.where(dated, address, "").astype(TEXT),
        "CONFIRM_TIME": np.where(dated, moment_text(opted_in + members.answered_after), "").astype(TEXT),
        "CONFIRM_IP": np.where(dated, address, "").astype(TEXT),
        "GMTOFF": "0",
        "DSTOFF": "1",
        "TIMEZONE": "Atlantic/Canary",
        "CC": "es",
        "REGION": "cn",
        "LAST_CHANGED": np.where(dated, moment_text(opted_in + members.answered_after), "").astype(TEXT),
        "UNSUB_TIME": left,
        "UNSUB_CAMPAIGN_TITLE": titles,
        "UNSUB_CAMPAIGN_ID": ids,
        "UNSUB_REASON": np.where(members.left_with < 0, "", reason).astype(TEXT),
        "UNSUB_REASON_OTHER": "",
        "CLEAN_TIME": left,
        "CLEAN_CAMPAIGN_TITLE": titles,
        "CLEAN_CAMPAIGN_ID": ids,
        "LEID": number_text(500_000_000 + number),
        "EUID": member_ids(piece, members),
        "NOTES": "",
        "TAGS": TAGS[rng.integers(0, len(TAGS), size)],
    }


def _write_person(rng: np.random.Generator, piece: Piece, person: Ints) -> dict[str, Text]:
    """What members have told of themselves, few of them all of it; an address is one text with double spaces."""
    people, places, size = piece.people, read_places(), len(person)
    place, street = people.place.now[person], people.street.now[person]
    address = places.street_type[street] + " " + places.street[street] + " "
    address = address + number_text(people.house_number.now[person]) + "  " + places.municipality[place]
    address = address + "  " + places.province[place] + "  " + places.postcode[place] + "  ES"
    mobile = people.mobile.now[person]
    phone = np.where(mobile == "", "", "+34 " + mobile)
    birth = people.birth_date[person]
    birthday = number_text(months_of(birth), 2) + "/" + number_text(days_of_month(birth), 2)
    told = {
        "First Name": (0.9, read_given_names().first[people.given[person]]),
        "Last Name": (0.8, read_surnames().name[people.surname_1[person]]),
        "Address": (0.2, address),
        "Phone Number": (0.3, phone),
        "Birthday": (0.35, birthday),
    }
    return {
        heading: np.where(happens(rng, size, share), cells, "").astype(TEXT) for heading, (share, cells) in told.items()
    }
