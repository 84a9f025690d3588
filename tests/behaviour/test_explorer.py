"""The cards of the explorer: the right customer, in words, without a number that is not one."""

from __future__ import annotations

import pandas as pd
import pytest

from crmlib.behaviour.explorer import Explorer
from crmlib.report.widgets import STAND_IN, ExplorerPanel

DAY = pd.Timestamp("2026-10-01")


@pytest.fixture
def explorer() -> Explorer:
    names = ["a", "b", "c"]
    summary = pd.DataFrame(
        {
            "customer_id": names, "frequency": [4, 0, 9], "first_purchase_date": DAY, "last_purchase_date": DAY,
            "median_gap": [12.0, None, 7.0], "regularity": [1.6, None, 3.2],
        }
    )  # fmt: skip
    lifecycle = pd.DataFrame(
        {
            "customer_id": [*names, "nobody"], "stage": ["late", "late", "due", "prospect"], "since": DAY,
            "previous_stage": ["due", None, "on_rhythm", None], "overdue_percentile": [0.85, 0.9, 0.6, None],
            "next_purchase_from": DAY, "next_purchase_median": [DAY, None, DAY, None],
            "next_purchase_to": [DAY, None, DAY, None],
        }
    )  # fmt: skip
    value = pd.DataFrame(
        {
            "customer_id": names, "p_alive": [0.9, 0.5, 1.0], "p_buy_7d": [0.2, 0.1, 0.5], "p_buy_28d": [0.6, 0.2, 0.9],
            "expected_purchases_7d": [0.2, 0.1, 0.6], "expected_purchases_28d": [0.9, 0.2, 2.4],
            "churn_probability": [0.4, 0.8, 0.1], "clv_12m": [120.0, 400.0, 900.0], "clv_12m_low": [20.0, 0.0, 500.0],
            "clv_12m_high": [300.0, 900.0, 1_400.0], "reason_codes": [["days since: 30; lower"], [], None],
        }
    )  # fmt: skip
    return Explorer(summary, lifecycle, value, "EUR")


def test_the_order_says_who_is_shown(explorer: Explorer) -> None:
    assert explorer.stages == {"late": 2, "due": 1}
    assert explorer.look("late", "the most valuable first", 0)["Customer"] == "b"
    assert explorer.look("late", "the most valuable first", 1)["Customer"] == "a"
    assert explorer.look("late", "the next due first", 0)["Customer"] == "a"


def test_a_card_is_in_words(explorer: Explorer) -> None:
    card = explorer.look("late", "the most valuable first", 1)
    assert card["Stage"] == "late since 2026-10-01, before that due"
    assert card["Purchases"].startswith("5 purchase days")
    assert card["Within 28 days"] == "buys with a chance of 60%; 0.9 purchase days expected"
    assert card["Twelve months"] == "120 EUR expected, four in five such customers 20 to 300"
    assert card["Why"] == "days since: 30; lower"
    unknown = explorer.look("late", "the most valuable first", 0)
    assert "beyond ten years" in unknown["Next purchase"]
    assert unknown["Why"] == "nothing stands out"
    assert "nan" not in " ".join([*card.values(), *unknown.values()]).lower()


def test_the_panel_shows_nobody_before_it_is_asked(explorer: Explorer) -> None:
    panel = ExplorerPanel(explorer)
    assert panel.card.value == ""
    assert panel.number.max == 2
    panel.show.click()
    assert ">b<" in panel.card.value
    panel.number.value = 2
    assert ">a<" in panel.card.value
    panel.stage.value = "due"
    assert (panel.card.value, panel.number.value, panel.number.max) == ("", 1, 1)
    assert panel._repr_mimebundle_()["text/plain"] == repr(panel) == STAND_IN


def test_a_base_without_buyers_has_an_idle_panel(explorer: Explorer) -> None:
    explorer._customers = explorer._customers.iloc[:0]
    assert ExplorerPanel(explorer).show.disabled
