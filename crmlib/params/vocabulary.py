"""The words that params, tables and rooms share: entities, channels, purposes, what a consent may say."""

from __future__ import annotations

import zoneinfo
from typing import Annotated, Literal

from pydantic import AfterValidator

#: The entities a source can deliver, and the table each fills.
ENTITIES = {
    "customers": "source_records",
    "consents": "consent_events",
    "tickets": "tickets",
    "ticket_lines": "ticket_lines",
    "products": "products",
    "stores": "stores",
    "postcodes": "postcodes",
    "suppressions": "suppressions",
    "campaigns": "campaigns",
    "campaign_reports": "campaign_reports",
    "sends": "sends",
    "web_events": "web_events",
    "service_cases": "service_cases",
}
CHANNELS = ("email", "sms", "push", "postal", "call", "ads")
PURPOSES = ("marketing", "profiling", "service", "third_party")
#: What a customer's row may say of the consents it states, as ``consent.<detail>``.
CONSENT_DETAILS = ("at", "form", "ip", "double_opt_in", "confirmed_at", "evidence", "legal_basis", "wording_version")
#: What it may say of one of them, as ``consent.<channel>.<purpose>.<detail>``.
OWN_CONSENT_DETAILS = ("granted_at", "wording_version")
#: Where only the lines of tickets are delivered, they carry what the ticket would.
TICKET_FIELDS = ("source_record_id", "loyalty_card", "buyer_email", "bought_at", "store_id", "channel", "status")
#: What no row must bring: intake makes it where the source does not say.
MADE_FIELDS = ("source", "updated_at", "line", "bought_on", "record_source")
Scalar = str | int | float | bool
AskedChannel = Literal["email", "sms", "push", "postal", "call"]


def _known_timezone(value: str) -> str:
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        raise ValueError("this is no time zone; write one such as Atlantic/Canary") from None
    return value


TimeZone = Annotated[str, AfterValidator(_known_timezone)]
