"""Records that the compiled parts work on: a plan, customers, and what happens, as arrays of records.

Days are counted from the first one that is simulated or decided on; earlier ones are negative. A set of
channels is a number with a bit per channel of `CHANNELS`, a set of communications one with a bit per
communication of the plan.
"""

from __future__ import annotations

import numpy as np

from crmlib.campaign.notation import CATEGORIES, LONGEST_CAP_DAYS, MOST_CAPS, MOST_COMMUNICATIONS, STAGES
from crmlib.params import CHANNELS

K = len(CHANNELS)
C = MOST_COMMUNICATIONS
G = len(CATEGORIES)
NEVER = -(1 << 30)
FAR = 1 << 30

#: Why a candidate is not sent, in the order in which it is checked.
REASONS = (
    "no_permission",
    "suppressed",
    "no_address",
    "global_holdout",
    "control",
    "quiet_day",
    "cooldown",
    "cap_communication",
    "cap_category",
    "cap_channel",
    "cap_global",
    "reserved_for_higher",
    "capacity",
    "budget",
    "not_worthwhile",
    "called_off",
)
NO_PERMISSION, SUPPRESSED, NO_ADDRESS, HOLDOUT, CONTROL, QUIET, COOLDOWN = range(7)
CAP_COMMUNICATION, CAP_CATEGORY, CAP_CHANNEL, CAP_GLOBAL, RESERVED, CAPACITY, BUDGET = range(7, 14)
NOT_WORTHWHILE, CALLED_OFF = 14, 15
SENT = -1
#: Reasons up to this one hold for good; a candidate with a later one is tried again while it is open.
LAST_FOR_GOOD = CONTROL

MARKETING, PROFILING, SERVICE = range(3)
CAP_KINDS = ("global", "channel", "category", "communication")
BY_ALL, BY_CHANNEL, BY_CATEGORY, BY_COMMUNICATION = range(4)
EVENTS = ("registered", "purchase", "enter_state", "anniversary", "cart_abandoned", "order_status")
REGISTERED, PURCHASE, ENTER_STATE, ANNIVERSARY, CART_ABANDONED, ORDER_STATUS = range(6)
CALENDAR = -1
NEW, ON_RHYTHM, DUE, LATE, AT_RISK, DORMANT, LOST, REACTIVATED = (
    STAGES.index(stage) for stage in ("new", "on_rhythm", "due", "late", "at_risk", "dormant", "lost", "reactivated")
)

#: Contacts of one customer that a cap remembers; one that allows more never stops anything.
MOST_REMEMBERED = 1024
M = MOST_CAPS
#: Days that a contact's pressure may last.
MOST_DAYS = 731 + LONGEST_CAP_DAYS
#: Contacts whose effect can be at work on one customer at a time.
MOST_EFFECTS = 64
#: Customers with so many contacts or more are counted together.
MOST_COUNTED = 60

# What stands under "terms" below follows from the rest, and is filled in by `crmlib.campaign.terms`.

#: A communication of a plan; `detail` is the nth purchase or the stage, `cost` that of one contact by channel. Terms:
#: by channel the caps that stop a contact (`held_by`) and those that count it; those of `higher` priority for which a
#: slot may be kept; the `usable` channels as a set.
COMMUNICATION = np.dtype(
    [
        ("key", np.uint64),
        ("higher", np.uint64),
        ("held_by", np.uint64, (K,)),
        ("counted_by", np.uint64, (K,)),
        ("lift", np.float64),
        ("pull_forward", np.float64),
        ("reactivate", np.float64),
        ("cost", np.float64, (K,)),
        ("priority", np.int64),
        ("cooldown", np.int64),
        ("open_days", np.int64),
        ("delay", np.int64),
        ("window", np.int64),
        ("detail", np.int64),
        ("channels", np.int8, (K,)),
        ("purpose", np.int8),
        ("category", np.int8),
        ("event", np.int8),
        ("bypass", np.uint8),
        ("usable", np.uint8),
        ("unless_purchase", np.bool_),
    ],
    align=True,
)

#: A cap: at most `most` contacts in any `days` days. Terms: in `ring` it remembers the last `size` from `first` on.
CAP = np.dtype(
    [(name, np.int64) for name in ("kind", "which", "most", "days", "first", "size")],
    align=True,
)

#: A day: `season` is the clock's speed; `due` and `next_due` are the calendar's. Terms: how far a clock at speed 1 has
#: `gone` before it; by cap what the calendar makes due `soon`, before a contact of the day has left its window.
DAY = np.dtype(
    [
        ("season", np.float64),
        ("gone", np.float64),
        ("due", np.uint64),
        ("quiet", np.uint8),
        ("soon", np.uint64, (M,)),
        ("next_due", np.int32, (C,)),
    ],
    align=True,
)

#: Chances with which a contact of a day passes the limits that customers share.
CHANCE = np.dtype([("capacity", np.float64, (C, K)), ("budget", np.float64, (C, K))], align=True)

#: What holds for a whole plan; `decay` is that of the pressure a day, `k` the regularity of the purchases. Terms: the
#: communications that `answers` an event, by event, those that a purchase calls off, what is left of a contact's
#: pressure after so many days.
RULES = np.dtype(
    [
        ("first_day", np.int64),
        ("rotate_days", np.int64),
        ("decay", np.float64),
        ("response_decay", np.float64),
        ("unsub_slope", np.float64),
        ("unsub_base", np.float64, (K,)),
        ("k", np.float64),
        ("called_off", np.uint64),
        ("answers", np.uint64, (len(EVENTS),)),
        ("reserve", np.bool_),
        ("fading", np.float64, (MOST_DAYS,)),
    ],
    align=True,
)

#: A customer as any plan meets them; `value` is the margin of a purchase, `enter_after` the days without a purchase
#: after which due, late, at_risk, dormant and lost are entered; `permitted` holds a set of channels by purpose, and
#: `address` is the set of channels with an address. Of the purchases `store_share` are made in store number `store`.
PERSON = np.dtype(
    [
        ("value", np.float64),
        ("cart_rate", np.float64),
        ("bought", np.int64),
        ("last_purchase", np.int64),
        ("store_share", np.float64),
        ("store", np.int64),
        ("enter_after", np.int64, (5,)),
        ("stage", np.int8),
        ("permitted", np.uint8, (3,)),
        ("address", np.uint8),
    ],
    align=True,
)

#: A customer as one plan meets them: sets of communications, in `priced_out` those that are not worth their price;
#: periods of the holdout group; where the past contacts stand in the history; communications in the order of service;
#: day of the last contact, and day on which a real event makes one due; bit 0 of `suppressed` holds for marketing and
#: profiling, bit 1 for service.
MEMBER = np.dtype(
    [
        ("audience", np.uint64),
        ("control", np.uint64),
        ("held_out", np.uint64),
        ("priced_out", np.uint64),
        ("history_start", np.int64),
        ("history_end", np.int64),
        ("last_sent", np.int32, (C,)),
        ("due", np.int32, (C,)),
        ("order", np.int8, (C,)),
        ("suppressed", np.uint8),
    ],
    align=True,
)

#: A customer as one replicate draws them: purchases and dropouts a day; what the clock has to go to the next purchase.
DRAW = np.dtype(
    [
        ("key", np.uint64),
        ("rate", np.float64),
        ("hazard", np.float64),
        ("wait", np.float64),
        ("alive", np.bool_),
    ],
    align=True,
)

#: A contact, past or simulated; `person` is a row.
CONTACT = np.dtype(
    [
        ("person", np.int64),
        ("day", np.int64),
        ("channel", np.int8),
        ("category", np.int8),
        ("communication", np.int8),
    ],
    align=True,
)

#: What happens on one day; `credit` is the margin that the boost consumed is expected to bring for good.
DAY_COUNT = np.dtype(
    [
        ("purchases", np.float64),
        ("margin", np.float64),
        ("credit", np.float64, (G,)),
        ("credited_purchases", np.float64, (G,)),
        ("cost", np.float64, (G,)),
        ("unsubscribes", np.int32, (K,)),
        ("skips", np.int32, (G, len(REASONS))),
        ("contacts", np.int32, (C, K)),
    ],
    align=True,
)

#: What happens on the whole: customers by number of contacts; purchases pulled forward that are not missing yet.
TOTAL = np.dtype([("histogram", np.int64, (MOST_COUNTED + 1,)), ("owed", np.float64), ("traced", np.int64)], align=True)

#: What begins or, below 0, ends on a day: customers to whom a communication is closed for good, by reason; what boosts
#: bring on a day like others, in purchases and in their margin, by category.
SPAN = np.dtype(
    [
        ("gain", np.float64, (G,)),
        ("worth", np.float64, (G,)),
        ("closed", np.int32, (C, LAST_FOR_GOOD + 1)),
    ],
    align=True,
)

#: Where one customer stands while being followed. Of the audience, `open` is the set that nothing keeps back whatever
#: the day, `shut` the set closed for good, `why` what keeps one back, `first_channel` the first that reaches the
#: customer. `pressure` is as of the day `pressed`; `patience` is drawn for the channels in `tried`. A cap stops what
#: comes before the day `free_from`, and has only one left before `last_until`; `place` is where its next contact is
#: remembered. What an effect brings has been noted up to the day `effect_since`.
STATE = np.dtype(
    [
        ("key", np.uint64),
        ("pending", np.uint64),
        ("open", np.uint64),
        ("shut", np.uint64),
        ("wait", np.float64),
        ("lifetime", np.float64),
        ("boost", np.float64),
        ("debt", np.float64),
        ("pressure", np.float64),
        ("pressed", np.int64),
        ("next_due", np.int64),
        ("next_stage", np.int64),
        ("next_cart", np.int64),
        ("next_end", np.int64),
        ("next_period", np.int64),
        ("bought", np.int64),
        ("last_purchase", np.int64),
        ("reactivated_until", np.int64),
        ("stage", np.int64),
        ("gaps", np.int64),
        ("lives", np.int64),
        ("carts", np.int64),
        ("revived_by", np.int64),
        ("active", np.int64),
        ("contacts", np.int64),
        ("alive", np.bool_),
        ("held_out", np.bool_),
        ("tried", np.uint8),
        ("permitted", np.uint8, (3,)),
        ("patience", np.float64, (K,)),
        ("due", np.int32, (C,)),
        ("opened", np.int32, (C,)),
        ("last_sent", np.int32, (C,)),
        ("why", np.int8, (C,)),
        ("first_channel", np.int8, (C,)),
        ("choice", np.int8, (C,)),
        ("reason", np.int8, (C,)),
        ("full", np.uint8, (C,)),
        ("spent", np.uint8, (C,)),
        ("free_from", np.int64, (M,)),
        ("last_until", np.int64, (M,)),
        ("place", np.int64, (M,)),
        ("effect_since", np.int64, (MOST_EFFECTS,)),
        ("effect_end", np.int64, (MOST_EFFECTS,)),
        ("effect_lift", np.float64, (MOST_EFFECTS,)),
        ("effect_pull", np.float64, (MOST_EFFECTS,)),
        ("effect_owed", np.float64, (MOST_EFFECTS,)),
        ("effect_category", np.int64, (MOST_EFFECTS,)),
    ],
    align=True,
)
