"""What consolidation made of the records: counts, completeness, and one customer traced; never a value."""

from __future__ import annotations

import pandas as pd

from crmlib.engine import Engine

#: Fields in which customers and records are compared, and what a reader calls them.
COMPARED_FIELDS = {
    "given_name": "Given name",
    "surname_1": "First surname",
    "surname_2": "Second surname",
    "email": "E-mail address",
    "phone": "Phone",
    "national_id": "National id",
    "birth_date": "Date of birth",
    "gender": "Gender",
    "address_line": "Street address",
    "postcode": "Postcode",
    "home_store_id": "Home store",
    "loyalty_card": "Loyalty card",
}
#: What a rule is called on a page.
RULES = {
    "only": "the only value there is",
    "latest": "the latest",
    "address_of_latest_postcode": "the latest address",
    "source_order": "from the source trusted most",
    "most_frequent": "what most records say",
    "most_complete": "the most complete",
    "verified_first": "the one that was answered",
    "pinned": "pinned by a person",
}
#: Records of the customer that is traced.
MOST_TRACED = 5


def summarise_completeness(engine: Engine) -> pd.DataFrame:
    """Compare how complete records are with how complete customers are.

    Parameters
    ----------
    engine : Engine
        Holds `customers` and ``customer_records``.

    Returns
    -------
    DataFrame
        field (in words), records (share of records with a usable value), customers (share of the customers with
        a record who have one), gained (difference of the shares).
    """
    counts = ", ".join(f"count({field}) / nullif(count(*), 0) AS {field}" for field in COMPARED_FIELDS)
    records = engine.row(f"SELECT {counts} FROM customer_records")
    customers = engine.row(f"SELECT {counts} FROM customers WHERE records > 0")
    frame = pd.DataFrame(
        {
            "field": list(COMPARED_FIELDS.values()),
            "records": pd.Series(list(records.values()), dtype="float64"),
            "customers": pd.Series(list(customers.values()), dtype="float64"),
        }
    )
    return frame.assign(gained=frame["customers"] - frame["records"])


def summarise_provenance(engine: Engine) -> pd.DataFrame:
    """Tell which source the values of each field come from.

    Parameters
    ----------
    engine : Engine
        Holds `provenance`.

    Returns
    -------
    DataFrame
        field (in words), source, values, share (of the field's values).
    """
    found = engine.frame(
        """
        SELECT field, source, count(*) AS values, count(*) / sum(count(*)) OVER (PARTITION BY field) AS share
        FROM provenance
        GROUP BY field, source
        ORDER BY field, source
        """
    )
    found = found[found["field"].isin(list(COMPARED_FIELDS))]
    return found.assign(field=found["field"].map(COMPARED_FIELDS))


def summarise_consolidation(engine: Engine) -> dict[str, float]:
    """Count what consolidation made.

    Parameters
    ----------
    engine : Engine
        Holds `customers` and `provenance`.

    Returns
    -------
    dict
        customers, recorded (with at least one record), records, joined (customers of two records or more),
        chosen (values for which there was another), reachable (customers with an e-mail address or a phone).
    """
    return engine.row(
        """
        SELECT count(*) AS customers, count(*) FILTER (WHERE records > 0) AS recorded,
               coalesce(CAST(sum(records) AS BIGINT), 0) AS records, count(*) FILTER (WHERE records > 1) AS joined,
               count(*) FILTER (WHERE email IS NOT NULL OR phone IS NOT NULL) AS reachable,
               (SELECT count(*) FROM provenance WHERE alternatives > 0) AS chosen
        FROM customers
        """
    )


def summarise_sources(engine: Engine) -> pd.DataFrame:
    """Lay what each source holds beside the customers these are.

    Parameters
    ----------
    engine : Engine
        Holds ``customer_records``.

    Returns
    -------
    DataFrame
        source (and a last line for all), records, customers, only_here (customers that no other source knows), share
        (of all customers that the source knows).
    """
    return engine.frame(
        """
        WITH known AS (
            SELECT customer_id, source, count(*) AS records, count(*) OVER (PARTITION BY customer_id) AS sources
            FROM customer_records GROUP BY customer_id, source
        )
        SELECT CASE WHEN grouping(source) = 1 THEN 'all together' ELSE source END AS source,
               sum(records)::BIGINT AS records, count(DISTINCT customer_id) AS customers,
               count(*) FILTER (WHERE sources = 1) AS only_here,
               count(DISTINCT customer_id) / (SELECT count(DISTINCT customer_id) FROM known) AS share
        FROM known
        GROUP BY GROUPING SETS ((source), ())
        ORDER BY grouping(source), source
        """
    )


def summarise_rules(engine: Engine) -> pd.DataFrame:
    """Count the golden values by the rule that chose them: rule, values."""
    return engine.frame("SELECT rule, count(*) AS values FROM provenance GROUP BY rule ORDER BY values DESC, rule")


def trace_example(engine: Engine) -> pd.DataFrame:
    """Trace one customer's golden record to its records, without a value.

    Parameters
    ----------
    engine : Engine
        Holds ``customer_records``, ``chosen_values``, ``rated_values`` and ``record_values``.

    Returns
    -------
    pandas.DataFrame
        field (in words), a column per record (its source and month): A where it gives the golden value, B, C, … where
        it gives another, – where it gives none; rule. Of the customers of at most `MOST_TRACED` records, the one
        with most values to choose from; empty where nobody has two records.
    """
    chosen = engine.rows(
        """
        WITH sizes AS (
            SELECT customer_id, count(*) AS records, count(DISTINCT source) AS sources
            FROM customer_records GROUP BY customer_id HAVING count(*) BETWEEN 2 AND $most
        )
        SELECT s.customer_id
        FROM sizes s
        JOIN chosen_values c ON c.customer_id = s.customer_id
        GROUP BY s.customer_id, s.sources, s.records
        ORDER BY count(*) FILTER (WHERE alternatives > 0) DESC, s.sources DESC, s.records, s.customer_id
        LIMIT 1
        """,
        most=MOST_TRACED,
    )
    if not chosen:
        return pd.DataFrame({"field": [], "rule": []})
    told = engine.frame(
        """
        WITH customer AS (SELECT * FROM customer_records WHERE customer_id = $customer_id),
        given AS (
            SELECT v.recency, v.field, CASE WHEN v.value = c.value THEN 0 ELSE 1 END AS other, v.value, c.rule
            FROM record_values v
            JOIN chosen_values c ON c.customer_id = v.customer_id AND c.field = v.field
            WHERE v.customer_id = $customer_id
        )
        SELECT c.recency, c.source || ' ' || strftime(c.updated_at, '%Y-%m') AS record, g.field, g.rule,
               chr((64 + dense_rank() OVER (PARTITION BY g.field ORDER BY g.other, g.value))::INT) AS letter
        FROM customer c
        LEFT JOIN given g ON g.recency = c.recency
        ORDER BY c.recency
        """,
        customer_id=chosen[0]["customer_id"],
    )
    columns = told.drop_duplicates("recency").reset_index(drop=True)
    names = [
        f"{record} ({place + 1})" if (columns["record"] == record).sum() > 1 else record
        for place, record in enumerate(columns["record"])
    ]
    wide = told.pivot(index="field", columns="recency", values="letter").reindex(columns=columns["recency"])
    wide.columns = pd.Index(names)
    rules = told.drop_duplicates("field").set_index("field")["rule"]
    fields = [field for field in COMPARED_FIELDS if field in wide.index]
    traced = wide.loc[fields].fillna("–")
    traced["rule"] = rules.loc[fields]
    return traced.rename(index=COMPARED_FIELDS).rename_axis("field").reset_index()
