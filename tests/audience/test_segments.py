"""Segments: ranks of recency, frequency and amount, and the names of their regions."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from crmlib.audience import segments
from crmlib.audience.segments import SEGMENTS, assign_segments, cross_scores, summarise_segments
from tests.made_tables import at, make_tables

AS_OF = date(2026, 11, 1)


def prepare(engine, purchases, prospects=()):
    """Purchases: customer -> list of (days ago, amount)."""
    people = [*purchases, *prospects]
    tickets = [
        {
            "source": "pos",
            "ticket_id": f"{person} {place}",
            "record_source": "crm",
            "source_record_id": person,
            "bought_on": AS_OF - timedelta(days),
            "bought_at": at("2026-11-01") - timedelta(days),
            "amount": amount,
        }
        for person, bought in purchases.items()
        for place, (days, amount) in enumerate(bought)
    ]
    whose = [{"source": "crm", "source_record_id": person, "customer_id": person} for person in people]
    make_tables(engine, "permissions", identities=whose, tickets=tickets)
    return {row["customer_id"]: row for row in engine.rows(f"FROM {assign_segments(engine, AS_OF)}")}


def ladder(people):
    """The first bought last, most and for most."""
    return {f"p{place:03d}": [(place * 3 + gap, 50) for gap in range(people - place)] for place in range(people)}


def test_the_ends_of_the_ladder(engine):
    found = prepare(engine, ladder(50), prospects=["nobody"])
    assert (found["p000"]["rfm_cell"], found["p000"]["segment"]) == ("555", "champions")
    assert (found["p049"]["rfm_cell"], found["p049"]["segment"]) == ("111", "lost")
    assert (found["nobody"]["rfm_cell"], found["nobody"]["segment"]) == (None, "prospects")


def test_scores_are_fifths(engine):
    found = prepare(engine, ladder(50))
    recency = [row["rfm_cell"][0] for _, row in sorted(found.items())]
    assert recency == [score for score in "54321" for _ in range(10)]


def test_equals_share_a_score(engine):
    found = prepare(engine, {f"p{place}": [(30, 10)] for place in range(7)})
    assert {row["rfm_cell"] for row in found.values()} == {"111"}


def test_what_is_long_past_counts_for_recency_alone(engine):
    purchases = {f"p{place}": [(10 + place, 10), (40, 10)] for place in range(9)}
    found = prepare(engine, purchases | {"gone": [(900, 10_000), (901, 10_000)]})
    assert (found["gone"]["rfm_cell"], found["gone"]["segment"]) == ("111", "lost")


def test_a_return_is_no_purchase_and_lowers_the_amount(engine):
    prepare(engine, {"p1": [(100, 60), (5, -60)], "p2": [(50, 60)]})
    (one, two) = engine.rows("FROM rfm_scores ORDER BY customer_id")
    assert (one["days_since_last_purchase"], one["purchase_days"], one["sales"]) == (100, 1, 0)
    assert (two["days_since_last_purchase"], two["purchase_days"], two["sales"]) == (50, 1, 60)


def test_sales_are_of_one_year_and_purchase_days_of_two(engine):
    prepare(engine, {"p1": [(10, 5), (364, 7), (365, 11), (729, 13), (730, 17)]})
    row = engine.row("FROM rfm_scores")
    assert (row["sales"], row["amount"], row["purchase_days"]) == (12, 36, 4)


def test_purchases_without_amounts_are_ranked_by_their_number(engine):
    found = prepare(engine, {person: [(days, None) for days, _ in bought] for person, bought in ladder(25).items()})
    assert found["p000"]["rfm_cell"] == "555"


def test_every_cell_has_a_segment_and_every_segment_a_meaning(engine):
    engine.execute(
        "CREATE TABLE rfm_scores AS SELECT r || '' || f || '' || m AS customer_id, r AS recency_score, "
        "f AS frequency_score, m AS amount_score "
        "FROM range(1, 6) AS a(r), range(1, 6) AS b(f), range(1, 6) AS c(m)"
    )
    engine.execute("CREATE TABLE identities AS SELECT customer_id FROM rfm_scores")
    engine.execute("CREATE TABLE profiling_objectors AS SELECT 'objects' AS customer_id")
    engine.run(segments.SEGMENTED)
    found = {row["rfm_cell"]: row["segment"] for row in engine.rows("FROM segments_made")}
    assert found.pop(None) == "not profiled"
    assert len(found) == 125
    assert set(found.values()) == set(SEGMENTS) - {"prospects", "not profiled"}
    expected = {"545": "champions", "355": "loyal", "533": "potential loyalists", "511": "recent", "411": "promising",
                "333": "needs attention", "311": "about to sleep", "155": "cannot lose", "244": "at risk",
                "211": "hibernating", "111": "lost"}  # fmt: skip
    assert {cell: found[cell] for cell in expected} == expected


def test_segments_are_described_and_small_ones_are_not(engine):
    prepare(engine, ladder(50), prospects=["nobody"])
    told = summarise_segments(engine).set_index("segment")
    assert told["customers"].sum() == 51
    assert told.loc["champions", "sales_share"] == pytest.approx(
        engine.row(
            "SELECT CAST(sum(sales) FILTER (WHERE segment = 'champions') / sum(sales) AS DOUBLE) AS share "
            "FROM rfm_scores JOIN segments_made USING (customer_id)"
        )["share"]
    )
    small = told[told["customers"] < 10]
    assert len(small)
    assert small[["sales_share", "sales_per_customer", "purchase_days"]].isna().all(axis=None)
    assert [name for name in SEGMENTS if name in told.index] == told.index.tolist()


def test_scores_are_crossed_with_the_latest_on_top(engine):
    prepare(engine, ladder(50))
    table = cross_scores(engine)
    assert table.index.tolist() == [5, 4, 3, 2, 1]
    assert (np.diag(table.to_numpy()[::-1]) == 10).all()
    assert table.to_numpy().sum() == 50


@pytest.mark.parametrize(
    "step", [segments.RECENT_PURCHASES, segments.RFM_SCORES, segments.SEGMENTED], ids=lambda step: step.name
)
def test_a_step_can_be_written_for_spark(step):
    assert step.spark.startswith(("WITH", "SELECT"))
