"""The panel: it counts at every change, and leaves nothing of it behind."""

from __future__ import annotations

import pytest

from crmlib.report.widgets import STAND_IN, CounterPanel

CHOICES = {"segment": ["champions", "lost"], "island": ["Tenerife"]}


@pytest.fixture
def asked():
    return []


@pytest.fixture
def panel(asked):
    def count(selection, channel, purpose):
        asked.append((selection, channel, purpose))
        return {"customers": 40 - len(selection), "contactable": 10, "sales": 1234.5}

    return CounterPanel(CHOICES, count, labels={"segment": "Segment"}, channels=["email", "sms"], currency="EUR")


def test_it_answers_at_once_for_everybody(panel, asked):
    assert asked == [({}, "email", "marketing")]
    assert "40 customers" in panel.answer.value
    assert "10 of them (25%) contactable by email for marketing" in panel.answer.value
    assert "€1,234" in panel.answer.value


def test_it_counts_again_at_every_change(panel, asked):
    panel.lists["segment"].value = ("champions", "lost")
    panel.channel.value = "sms"
    panel.purpose.value = "profiling"
    assert asked[1:] == [
        ({"segment": ("champions", "lost")}, "email", "marketing"),
        ({"segment": ("champions", "lost")}, "sms", "marketing"),
        ({"segment": ("champions", "lost")}, "sms", "profiling"),
    ]
    assert "39 customers" in panel.answer.value


def test_it_names_its_lists(panel):
    assert panel.lists["segment"].description == "Segment"
    assert panel.lists["island"].description == "island"


def test_nobody_at_all_is_no_division_by_zero():
    panel = CounterPanel({}, lambda *_: {"customers": 0, "contactable": 0, "sales": 0}, labels={}, channels=["email"])
    assert "0 customers" in panel.answer.value


def test_a_notebook_that_is_read_holds_nothing_of_it(panel):
    panel.lists["segment"].value = ("champions",)
    bundle = panel._repr_mimebundle_()
    shown = {kind: content for kind, content in bundle.items() if kind != "application/vnd.jupyter.widget-view+json"}
    assert set(shown) == {"text/plain", "text/html"}
    assert bundle["text/plain"] == repr(panel) == STAND_IN
    assert not any(word in str(shown) for word in ("champions", "Tenerife", "customers"))
