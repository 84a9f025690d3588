"""The online shop's export of its orders, in Shopify's layout: a row a line, what is the order's on the first alone."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from crmlib.demo.baskets import Tickets
from crmlib.demo.chance import Choice, happens, stream
from crmlib.demo.columns import TEXT, Columns, Ints, Text, as_text, money_text, number_text
from crmlib.demo.moments import SECONDS_PER_DAY, is_summer_time, moment_text
from crmlib.demo.piece import Piece
from crmlib.demo.reach import Reach
from crmlib.demo.words import read_places, read_products

HEADINGS = (
    "Name,Email,Financial Status,Paid at,Fulfillment Status,Fulfilled at,Accepts Marketing,Currency,Subtotal,Shipping,"
    "Taxes,Total,Discount Code,Discount Amount,Shipping Method,Created at,Lineitem quantity,Lineitem name,"
    "Lineitem price,Lineitem compare at price,Lineitem sku,Lineitem requires shipping,Lineitem taxable,"
    "Lineitem fulfillment status,Billing Name,Billing Street,Billing Address1,Billing Address2,Billing Company,"
    "Billing City,Billing Zip,Billing Province,Billing Country,Billing Phone,Shipping Name,Shipping Street,"
    "Shipping Address1,Shipping Address2,Shipping Company,Shipping City,Shipping Zip,Shipping Province,"
    "Shipping Country,Shipping Phone,Notes,Note Attributes,Cancelled at,Payment Method,Payment Reference,"
    "Refunded Amount,Vendor,Outstanding Balance,Employee,Location,Device ID,Id,Tags,Risk Level,Source,"
    "Lineitem discount,Tax 1 Name,Tax 1 Value,Tax 2 Name,Tax 2 Value,Tax 3 Name,Tax 3 Value,Tax 4 Name,Tax 4 Value,"
    "Tax 5 Name,Tax 5 Value,Phone,Receipt Number,Duties,Billing Province Name,Shipping Province Name,Payment ID,"
    "Payment Terms Name,Next Payment Due At,Payment References"
)
#: Numbers of the first order and of its internal id.
FIRST_ORDER, FIRST_ID = 1001, 5_200_000_000_000
#: Below this sum, in cents, sending costs so much.
FREE_SHIPPING, SHIPPING = 4_000, 399
IGIC = 0.07
SHARE_REFUNDED = 0.02
FULFILLED_AFTER = 5 * 3600
PAYMENTS, PAYMENT_SHARES = as_text(["Shopify Payments", "PayPal", "Bizum"]), Choice.of([0.7, 0.2, 0.1])


def write_orders(
    piece: Piece, orders: Tickets, customers: Columns, reach: Reach, numbered: int
) -> tuple[Mapping[str, Text | str], Ints]:
    """The orders of one piece's people, in the order of time.

    Parameters
    ----------
    piece : Piece
    orders : Tickets
        What was bought online.
    customers : Columns
        The shop's export of them.
    reach : Reach
        Whose account each person has.
    numbered : int
        How many orders have a number already.

    Returns
    -------
    columns : mapping of str to Text or str
        A text that is the same in every row stands alone.
    totals : array of int
        What each order came to, in cents, in the order given.
    """
    rng, size = stream(piece.seed, "orders", piece.first), len(orders)
    order = np.argsort(orders.second, kind="stable")
    place = np.empty(size, dtype=np.int64)
    place[order] = np.arange(size)
    subtotal = orders.amount
    shipping = np.where(subtotal >= FREE_SHIPPING, 0, SHIPPING)
    refunded = np.where(happens(rng, size, SHARE_REFUNDED), subtotal // 2, 0)
    payment = PAYMENTS[PAYMENT_SHARES.draw(rng, size)]
    account = reach.account[orders.person]
    head = {
        "Email": customers["Email"][account],
        "Financial Status": np.where(refunded > 0, "partially_refunded", "paid").astype(TEXT),
        **_write_moments(piece, orders.second),
        "Accepts Marketing": customers["Accepts Email Marketing"][account],
        "Subtotal": money_text(subtotal),
        "Shipping": money_text(shipping),
        "Taxes": money_text(np.rint((subtotal + shipping) * IGIC / (1 + IGIC)).astype(np.int64)),
        "Total": money_text(subtotal + shipping),
        "Discount Amount": money_text(orders.lines.sums(orders.lines.discount, size)),
        **_write_addresses(piece, orders.person, customers, account),
        "Payment Method": payment,
        "Refunded Amount": money_text(refunded),
        "Id": number_text(FIRST_ID + 7 * (numbered + place)),
        "Tax 1 Value": money_text(np.rint((subtotal + shipping) * IGIC / (1 + IGIC)).astype(np.int64)),
    }
    constant = {
        "Currency": "EUR",
        "Shipping Method": "Envío a domicilio",
        "Outstanding Balance": "0.00",
        "Risk Level": "Low",
        "Source": "web",
        "Tax 1 Name": "IGIC 7%",
    }
    head |= {heading: np.full(size, text, dtype=TEXT) for heading, text in constant.items()}
    rows = np.lexsort((orders.lines.number, place[orders.lines.ticket]))
    ticket, first = orders.lines.ticket[rows], orders.lines.number[rows] == 1
    columns: dict[str, Text | str] = dict.fromkeys(HEADINGS.split(","), "")
    columns |= {heading: np.where(first, cells[ticket], "").astype(TEXT) for heading, cells in head.items()}
    columns["Name"] = "#" + number_text(FIRST_ORDER + numbered + place[ticket])
    return {**columns, **_write_lines(orders, rows)}, subtotal + shipping


def _write_moments(piece: Piece, second: Ints) -> dict[str, Text]:
    """Times of the shop's own clock with what it is ahead of UTC."""
    local = piece.season.local(second)
    zone = np.where(is_summer_time(local.astype("datetime64[D]")), " +0100", " +0000")
    fulfilled = second + FULFILLED_AFTER < piece.season.days * SECONDS_PER_DAY
    return {
        "Paid at": moment_text(local + 20) + zone,
        "Fulfillment Status": np.where(fulfilled, "fulfilled", "unfulfilled").astype(TEXT),
        "Fulfilled at": np.where(fulfilled, moment_text(local + FULFILLED_AFTER) + zone, "").astype(TEXT),
        "Created at": moment_text(local) + zone,
    }


def _write_addresses(piece: Piece, person: Ints, customers: Columns, account: Ints) -> dict[str, Text]:
    people, places = piece.people, read_places()
    street = people.street.now[person]
    line = places.street_type[street] + " " + places.street[street] + " "
    line = line + number_text(people.house_number.now[person])
    place = people.place.now[person]
    province = np.where(places.province[place] == "Las Palmas", "GC", "TF").astype(TEXT)
    name = customers["First Name"][account] + " " + customers["Last Name"][account]
    parts = {
        "Name": name,
        "Street": line,
        "Address1": line,
        "Address2": people.unit.now[person],
        "City": places.municipality[place],
        "Zip": "'" + places.postcode[place],
        "Province": province,
        "Country": np.full(len(person), "ES", dtype=TEXT),
        "Phone": customers["Phone"][account],
        "Province Name": places.province[place],
    }
    return {f"{which} {part}": cells for which in ("Billing", "Shipping") for part, cells in parts.items()}


def _write_lines(orders: Tickets, rows: Ints) -> dict[str, Text | str]:
    lines, products = orders.lines, read_products()
    gross = lines.amount[rows] + lines.discount[rows]
    return {
        "Lineitem quantity": number_text(lines.quantity[rows]),
        "Lineitem name": products.name[lines.product[rows]],
        "Lineitem price": money_text(gross // lines.quantity[rows]),
        "Lineitem sku": products.product_id[lines.product[rows]],
        "Lineitem requires shipping": "true",
        "Lineitem taxable": "true",
        "Lineitem fulfillment status": "fulfilled",
        "Vendor": products.brand[lines.product[rows]],
        "Lineitem discount": money_text(lines.discount[rows]),
    }
