"""Counters: how many customers who …, contactable by …?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import pandas as pd

from crmlib.audience.disclosure import HIDDEN, SMALLEST_SHOWN, TOTAL, Protected, protect_counts
from crmlib.audience.segments import SEGMENTS
from crmlib.engine import Engine, Step
from crmlib.tables import CONTRACTS

#: What customers are counted by: dimension -> what a reader calls it.
DIMENSIONS = {
    "segment": "Segment",
    "stage": "Stage in the purchase cycle",
    "island": "Island",
    "store": "Home store",
    "value_decile": "Value decile",
    "category": "Bought from category",
    "interest": "Interested in",
    "birth_month": "Born in month",
}
#: The order of values that have one; others stand by name.
_STAGE = CONTRACTS["lifecycle"].column("stage")
ORDERS = {"segment": tuple(SEGMENTS), "stage": _STAGE.values if _STAGE else ()}
CHANNELS = ("email", "sms", "push", "postal", "call")
#: Levels of permission in the cube.
PROFILED, MARKETING, NO_PERMISSION = "marketing and profiling", "marketing", "none"
UNKNOWN = "unknown"

AUDIENCE = Step(
    "audience",
    """
    WITH allowed AS (
        SELECT customer_id,
               list(channel) FILTER (WHERE purpose = 'marketing') AS marketing,
               list(channel) FILTER (WHERE purpose = 'profiling') AS profiling
        FROM permissions
        WHERE allowed
        GROUP BY customer_id
    ),
    reached AS (
        SELECT customer_id,
               list(channel) FILTER (WHERE purpose = 'marketing') AS marketing,
               list(channel) FILTER (WHERE purpose = 'profiling') AS profiling
        FROM contactable
        GROUP BY customer_id
    )
    SELECT s.customer_id, s.segment,
           coalesce(l.stage, CASE WHEN s.rfm_cell IS NULL THEN 'prospect' ELSE $unknown END) AS stage,
           coalesce(c.island, t.island, $unknown) AS island,
           coalesce(t.name, h.store_id, $unknown) AS store,
           coalesce(CAST(v.value_decile AS VARCHAR), $unknown) AS value_decile,
           coalesce(map_keys(p.category_shares), []) AS category,
           coalesce(c.interests, []) AS interest,
           coalesce(strftime(c.birth_date, '%m'), $unknown) AS birth_month,
           coalesce(r.sales, 0) AS sales,
           coalesce(a.marketing, []) AS allowed_marketing, coalesce(a.profiling, []) AS allowed_profiling,
           coalesce(e.marketing, []) AS contactable_marketing, coalesce(e.profiling, []) AS contactable_profiling
    FROM segments_made s
    LEFT JOIN customers c ON c.customer_id = s.customer_id
    LEFT JOIN rfm_scores r ON r.customer_id = s.customer_id
    LEFT JOIN lifecycle l ON l.customer_id = s.customer_id
    LEFT JOIN customer_value v ON v.customer_id = s.customer_id
    LEFT JOIN purchase_summary p ON p.customer_id = s.customer_id
    LEFT JOIN (SELECT customer_id, home_store_id AS store_id FROM purchase_summary) h ON h.customer_id = s.customer_id
    LEFT JOIN stores t ON t.store_id = coalesce(h.store_id, c.home_store_id)
    LEFT JOIN allowed a ON a.customer_id = s.customer_id
    LEFT JOIN reached e ON e.customer_id = s.customer_id
    """,
)

COUNTERS = Step(
    "counters_made",
    """
    WITH channels AS (SELECT unnest($channels) AS channel),
    placed AS (
        SELECT a.segment, a.island AS place, k.channel, a.stage, a.sales,
               CASE
                   WHEN list_contains(a.allowed_profiling, k.channel) THEN $profiled
                   WHEN list_contains(a.allowed_marketing, k.channel) THEN $marketing
                   ELSE $none
               END AS permission,
               list_contains(a.contactable_marketing, k.channel) AS contactable
        FROM audience a
        CROSS JOIN channels k
    )
    SELECT segment, place, channel, permission, stage, count(*) AS customers,
           count(*) FILTER (WHERE contactable) AS contactable, sum(sales) AS sales
    FROM placed
    GROUP BY segment, place, channel, permission, stage
    """,
)

# An empty list asks for everybody.
COUNTED = """
    WITH asked AS (
        SELECT sales,
               CASE
                   WHEN $purpose = 'profiling' THEN list_contains(contactable_profiling, $channel)
                   ELSE list_contains(contactable_marketing, $channel)
               END AS contactable
        FROM audience
        WHERE (len($segment) = 0 OR list_contains($segment, segment))
          AND (len($stage) = 0 OR list_contains($stage, stage))
          AND (len($island) = 0 OR list_contains($island, island))
          AND (len($store) = 0 OR list_contains($store, store))
          AND (len($value_decile) = 0 OR list_contains($value_decile, value_decile))
          AND (len($category) = 0 OR list_has_any($category, category))
          AND (len($interest) = 0 OR list_has_any($interest, interest))
          AND (len($birth_month) = 0 OR list_contains($birth_month, birth_month))
    )
    SELECT count(*) AS customers, count(*) FILTER (WHERE contactable) AS contactable,
           CAST(coalesce(sum(sales), 0) AS DOUBLE) AS sales
    FROM asked
"""


def gather_audience(engine: Engine) -> str:
    """Bring together what customers are counted by.

    Parameters
    ----------
    engine : Engine
        Holds ``segments_made`` and ``rfm_scores`` (made by `assign_segments`), ``contactable`` (made by
        `find_contactable`), `customers`, `permissions`, `lifecycle`, `customer_value`, `purchase_summary`, `stores`.

    Returns
    -------
    str
        ``audience``: a row per customer with the dimensions of `DIMENSIONS` (category and interest are lists; an
        island is the postcode's, else the home store's), sales of the last year, and lists of the channels allowed and
        contactable, by purpose.
    """
    return engine.run(AUDIENCE, unknown=UNKNOWN)


def summarise_counters(engine: Engine) -> str:
    """Make the cube behind the counters.

    Parameters
    ----------
    engine : Engine
        Holds ``audience``.

    Returns
    -------
    str
        ``counters_made``, with the columns of `counters`: every customer stands once in each channel; permission is
        what the customer allows there; contactable may be contacted there for marketing, and can be.
    """
    return engine.run(COUNTERS, channels=list(CHANNELS), profiled=PROFILED, marketing=MARKETING, none=NO_PERMISSION)


def count_customers(
    engine: Engine, selection: Mapping[str, Sequence[str]], channel: str = "email", purpose: str = "marketing"
) -> dict[str, float]:
    """Count the customers of a selection, exactly.

    Parameters
    ----------
    engine : Engine
        Holds ``audience``.
    selection : mapping of str to sequence of str
        Dimension of `DIMENSIONS` -> values; any of the values of every dimension named. What is absent or empty asks
        for everybody.
    channel, purpose : str
        By which and for what they are to be contactable.

    Returns
    -------
    dict
        customers, contactable, sales (of the last year).

    Raises
    ------
    KeyError
        If a dimension is unknown.
    """
    unknown = set(selection) - set(DIMENSIONS)
    if unknown:
        raise KeyError(f"Customers are not counted by {', '.join(sorted(unknown))}.")
    wanted = {name: list(selection.get(name, ())) for name in DIMENSIONS}
    return engine.row(COUNTED, channel=channel, purpose=purpose, **wanted)


def make_counter(engine: Engine) -> Callable[..., dict[str, float]]:
    """Make the function that counts in this engine: `count_customers` without its first argument."""
    return partial(count_customers, engine)


def list_choices(engine: Engine) -> dict[str, list[str]]:
    """List the values that customers can be counted by: dimension -> values that occur, without those only few have.

    Parameters
    ----------
    engine : Engine
        Holds ``audience``.

    Returns
    -------
    dict
        Values that ten customers or more have: an interest that one person wrote could name them.
    """
    found = {}
    for name in DIMENSIONS:
        value = f"unnest({name})" if name in ("category", "interest") else name
        rows = engine.rows(
            f"SELECT value FROM (SELECT {value} AS value FROM audience) GROUP BY value HAVING count(*) >= $smallest "
            "ORDER BY TRY_CAST(value AS INTEGER), value",
            smallest=SMALLEST_SHOWN,
        )
        if rows:
            found[name] = [row["value"] for row in rows]
    return found


def cross_count(
    engine: Engine, row: str, column: str, order: Mapping[str, Sequence[str]] | None = None
) -> pd.DataFrame:
    """Count customers by two dimensions, exactly; not for a page before `protect_counts`.

    Parameters
    ----------
    engine : Engine
        Holds ``audience``.
    row, column : str
        Dimensions with one value a customer; or ``contactable_<channel>``, with the values yes and no.

    Returns
    -------
    DataFrame
        Counts; index and columns are named for the dimensions and hold every value that occurs, what is unknown last.
    """
    counted = engine.frame(
        f"SELECT {_expression(row)} AS r, {_expression(column)} AS c, count(*) AS n "
        "FROM audience GROUP BY r, c ORDER BY r, c"
    )
    table = counted.pivot(index="r", columns="c", values="n").fillna(0).astype("int64")
    table = table.loc[_ordered(table.index, row), _ordered(table.columns, column)]
    return table.rename(index=_as_words, columns=_as_words).rename_axis(index=row, columns=column)


def protect_counters(engine: Engine, pairs: Sequence[tuple[str, str]], channels: Sequence[str]) -> Protected:
    """Count customers by two dimensions at once, and by each dimension and channel, as a page may show it.

    Parameters
    ----------
    engine : Engine
        Holds ``audience``.
    pairs : sequence of (str, str)
        Pairs of dimensions.
    channels : sequence of str
        Every dimension of the pairs is also counted by who may be contacted by these, and can be.

    Returns
    -------
    Protected
        Tables by ``<row> <column>`` and ``<dimension> contactable_<channel>``, protected together.
    """
    dimensions = dict.fromkeys(dimension for pair in pairs for dimension in pair)
    wanted = [*pairs, *((name, f"contactable_{channel}") for name in dimensions for channel in channels)]
    return protect_counts({f"{row} {column}": cross_count(engine, row, column) for row, column in wanted})


def list_contactable(protected: Protected, dimension: str, channels: Sequence[str]) -> pd.DataFrame:
    """Put who can be contacted by each channel beside who there is.

    Parameters
    ----------
    protected : Protected
        Of `protect_counters`.
    dimension : str
    channels : sequence of str

    Returns
    -------
    DataFrame
        The dimension's value, customers, and a column of texts per channel; the last row holds totals.
    """
    by_channel = {channel: protected.tables[f"{dimension} contactable_{channel}"] for channel in channels}
    first = next(iter(by_channel.values()))
    frame = first[[dimension, TOTAL]].rename(columns={TOTAL: "customers"})
    for channel, table in by_channel.items():
        frame[channel] = table.get("yes", HIDDEN)
    return frame


def find_channels(engine: Engine) -> list[str]:
    """Find the channels by which anybody can be contacted for marketing, in the usual order; e-mail if none."""
    rows = engine.rows("SELECT DISTINCT unnest(contactable_marketing) AS channel FROM audience")
    found = {row["channel"] for row in rows}
    return [channel for channel in CHANNELS if channel in found] or [CHANNELS[0]]


def summarise_deciles(engine: Engine) -> pd.DataFrame:
    """Describe the deciles of expected value.

    Parameters
    ----------
    engine : Engine
        Holds `customer_value`.

    Returns
    -------
    DataFrame
        value_decile (10 is the highest), expected (amount expected of the next twelve months, per customer), share
        (of all that is expected), churn (mean probability of leaving); only deciles of ten customers or more.
    """
    return engine.frame(
        """
        WITH deciles AS (
            SELECT value_decile, count(*) AS customers, avg(clv_12m) AS expected,
                   sum(clv_12m) / nullif(sum(sum(clv_12m)) OVER (), 0) AS share, avg(churn_probability) AS churn
            FROM customer_value
            WHERE value_decile IS NOT NULL
            GROUP BY value_decile
        )
        SELECT value_decile, expected, share, churn
        FROM deciles
        WHERE customers >= $smallest
        ORDER BY value_decile DESC
        """,
        smallest=SMALLEST_SHOWN,
    )


def _expression(dimension: str) -> str:
    channel = dimension.removeprefix("contactable_")
    if channel in CHANNELS and channel != dimension:
        return f"CASE WHEN list_contains(contactable_marketing, '{channel}') THEN 'yes' ELSE 'no' END"
    if dimension not in DIMENSIONS:
        raise KeyError(f"Customers are not counted by {dimension}.")
    return dimension


def _ordered(labels: pd.Index, dimension: str) -> list[str]:
    first = [label for label in ORDERS.get(dimension, ()) if label in labels]
    rest = [label for label in labels if label not in first]
    return first + sorted(rest, key=lambda label: (label == UNKNOWN, label))


def _as_words(label: str) -> str:
    return label.replace("_", " ")
