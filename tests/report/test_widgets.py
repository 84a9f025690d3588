"""The panel: it counts at every change, and leaves nothing of it behind."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace

import pandas as pd
import pytest

from crmlib.errors import InputError
from crmlib.report.widgets import STAND_IN, CounterPanel, PinPanel, ReviewPanel, TrailPanel

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


class Desk:
    """Two pairs; every answer is kept in a list, and nobody may answer without a name."""

    def __init__(self, pairs=2):
        self.pairs = pairs
        self.kept = []

    def __len__(self):
        return self.pairs

    def show(self, number):
        sides = (
            SimpleNamespace(field="Name", left=f"<Ana {number}>", right="Ana María", agreement="similar", weight=3.2),
            SimpleNamespace(field="Phone", left="600112233", right="", agreement="", weight=None),
            SimpleNamespace(field="Place", left="Telde", right="Arucas", agreement="different", weight=-2.0),
        )
        return SimpleNamespace(why="joined, and in doubt", probability=0.93, sides=sides)

    def answer(self, number, decision, reviewer):
        if not reviewer:
            raise InputError("Write your name first.")
        self.kept.append((number, decision, reviewer))
        return f"Kept: {decision}."


@pytest.fixture
def review():
    panel = ReviewPanel(Desk())
    panel.desk = panel._desk
    return panel


def test_nobody_is_shown_before_it_is_asked_for(review):
    assert (review.pair.value, review.said.value) == ("", "")
    assert review._buttons.layout.display == "none"
    review.begin.click()
    assert review._buttons.layout.display == ""
    for text in ("&lt;Ana 0&gt;", "Ana María", "▲ +3.2  similar", "▼ −2.0  different", "Pair 1 of 2", "93.0%"):
        assert text in review.pair.value
    assert "for it name, against it place" in review.pair.value


def test_rulings_are_kept_one_after_the_other(review):
    review.begin.click()
    review.answers["same"].click()
    assert 'role="alert"' in review.said.value
    assert "Pair 1 of 2" in review.pair.value
    review.reviewer.value = "Ana"
    review.answers["same"].click()
    assert "Kept: same." in review.said.value
    assert "Pair 2 of 2" in review.pair.value
    review.back.click()
    review.answers["different"].click()
    review.skip.click()
    assert "last pair" in review.pair.value
    assert review.desk.kept == [(0, "same", "Ana"), (0, "different", "Ana")]


def test_without_a_question_there_is_nothing_to_begin():
    panel = ReviewPanel(Desk(0))
    assert panel.begin.disabled
    assert "No pair is worth a person's time" in repr(panel)


def test_a_notebook_that_is_read_holds_one_sentence_of_the_review(review):
    review.begin.click()
    bundle = review._repr_mimebundle_()
    shown = {kind: content for kind, content in bundle.items() if kind != "application/vnd.jupyter.widget-view+json"}
    assert set(shown) == {"text/plain", "text/html"}
    assert shown["text/plain"] == review.sentence
    assert "The 2 pairs at which most is at stake" in review.sentence
    assert "Ana" not in str(shown)


class Values:
    """One customer's two e-mails and a phone; nobody may pin without a name."""

    def __init__(self):
        self.kept = []

    def list_candidates(self, customer_id):
        if customer_id != "c1":
            raise InputError("There is no customer <c9>.")
        return [
            SimpleNamespace(field=field, value=value, source="erp", changed_on=date(2026, 10, 1), rule=rule)
            for field, value, rule in (
                ("email", "new@x.example", "latest"),
                ("email", "old@x.example", ""),
                ("phone", "600", "only"),
            )
        ]

    def keep(self, candidate, decision, reviewer):
        if not reviewer:
            raise InputError("Write your name.")
        self.kept.append((candidate.value, decision, reviewer))
        return f"Kept: {decision}."


def test_a_value_is_pinned_in_the_lab():
    desk = Values()
    panel = PinPanel(desk, "c9")
    assert panel._choice.layout.display == "none"
    panel.look.click()
    assert "no customer &lt;c9&gt;" in panel.said.value
    panel.customer.value = "c1"
    panel.look.click()
    assert [text for text, _ in panel.values.options] == [
        "new@x.example  (erp, 2026-10-01; the golden one: latest)",
        "old@x.example  (erp, 2026-10-01)",
    ]
    panel.values.value = 1
    panel.pin.click()
    assert 'role="alert"' in panel.said.value
    panel.reviewer.value = "Ana"
    panel.pin.click()
    assert "It counts from the next run on" in panel.said.value
    panel.fields.value = "phone"
    panel.unpin.click()
    assert desk.kept == [("old@x.example", "pin", "Ana"), ("600", "unpin", "Ana")]


def test_a_notebook_that_is_read_holds_one_sentence_of_the_pins():
    panel = PinPanel(Values(), "c1")
    panel.look.click()
    bundle = panel._repr_mimebundle_()
    shown = {kind: content for kind, content in bundle.items() if kind != "application/vnd.jupyter.widget-view+json"}
    assert set(shown) == {"text/plain", "text/html"}
    assert shown["text/plain"] == repr(panel) == PinPanel.sentence
    assert "x.example" not in str(shown)


class Trails:
    def show(self, asked):
        if asked != "c1":
            raise InputError(f"Nobody is <{asked}>.")
        return pd.DataFrame({"happened_at": ["2026-01-01"], "event": ["consent crm <r1>"]})


def test_a_trail_is_shown_in_the_lab_to_whoever_asks_for_one_and_is_in_no_notebook():
    panel = TrailPanel(Trails(), "c9")
    assert panel.said.value == ""
    panel.look.click()
    assert "Nobody is &lt;c9&gt;" in panel.said.value
    panel.customer.value = "c1"
    panel.look.click()
    assert '<th scope="col">happened at</th>' in panel.said.value
    assert "<td>consent crm &lt;r1&gt;</td>" in panel.said.value
    bundle = panel._repr_mimebundle_()
    assert bundle["text/plain"] == repr(panel) == TrailPanel.sentence
    assert "r1" not in bundle["text/html"]
