"""Pairs of records worth a person's look, one after the other, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Protocol

import ipywidgets  # type: ignore[import-untyped]  # ships no types

from crmlib.errors import InputError
from crmlib.report.formats import format_value
from crmlib.report.widgets.panel import Panel, alert


class PairSide(Protocol):
    """A line of two records side by side; weight (log2) speaks for one person, or against."""

    field: str
    left: str
    right: str
    agreement: str
    weight: float | None


class PairQuestion(Protocol):
    """A pair to be judged: why it is asked, how probable one person is, and both records."""

    why: str
    probability: float
    sides: Sequence[PairSide]


class Desk(Protocol):
    """Questions by number, and what keeps the answers."""

    def __len__(self) -> int: ...

    def show(self, number: int) -> PairQuestion:
        """Lay a pair side by side."""

    def answer(self, number: int, decision: str, reviewer: str) -> str:
        """Keep a ruling, and say so in a sentence."""


class ReviewPanel(Panel):
    """Pairs of records side by side, to be ruled one person or two; shows nobody before it is asked to begin.

    Parameters
    ----------
    desk : Desk
        ``show(number)`` lays a pair side by side; ``answer(number, decision, reviewer)`` keeps a ruling and says so in
        a sentence.

    Attributes
    ----------
    reviewer : ipywidgets.Text
    begin : ipywidgets.Button
    answers : dict of str to ipywidgets.Button
        Decision (same, different, unsure) -> its button.
    skip, back : ipywidgets.Button
    pair, said : ipywidgets.HTML
        The records, and what became of the last answer.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk, self._number = desk, 0
        self.sentence = _invite(len(desk))
        self.reviewer = ipywidgets.Text(
            description="Your name", placeholder="a ruling is signed", style={"description_width": "initial"}
        )
        self.begin = ipywidgets.Button(description="Begin", button_style="primary", disabled=not len(desk))
        self.pair = ipywidgets.HTML()
        self.said = ipywidgets.HTML()
        self.answers = {
            decision: ipywidgets.Button(description=text, tooltip=why)
            for decision, text, why in (
                ("same", "One person", "Both records are one person: they are joined"),
                ("different", "Two people", "The records are of two people: they are kept apart"),
                ("unsure", "Not sure", "Leave it to the model, and do not ask again"),
            )
        }
        self.skip = ipywidgets.Button(description="Later", tooltip="Ask in the next run")
        self.back = ipywidgets.Button(
            description="Back", tooltip="To the pair before; a new ruling overrules the old one"
        )
        self._buttons = ipywidgets.HBox([*self.answers.values(), self.skip, self.back])
        self._buttons.layout.display = "none"
        self.begin.on_click(lambda _: self._go(0))
        self.skip.on_click(lambda _: self._go(self._number + 1))
        self.back.on_click(lambda _: self._go(max(0, self._number - 1)))
        for decision, button in self.answers.items():
            button.on_click(lambda _, decision=decision: self._answer(decision))
        hint = "The dearest pairs come first. Write your name and begin." if len(desk) else self.sentence
        intro = ipywidgets.HTML(f"<p>{escape(hint)}</p>")
        super().__init__([intro, ipywidgets.HBox([self.reviewer, self.begin]), self.said, self.pair, self._buttons])

    def _go(self, number: int) -> None:
        self._number = number
        over = number >= len(self._desk)
        self._buttons.layout.display = "none" if over else ""
        self.begin.description = "Begin again" if over else "From the first"
        self.pair.value = (
            "<p>That was the last pair. The rulings count from the next run on.</p>"
            if over
            else _lay_out(self._desk.show(number), number + 1, len(self._desk))
        )

    def _answer(self, decision: str) -> None:
        try:
            sentence = self._desk.answer(self._number, decision, self.reviewer.value)
        except InputError as error:
            self.said.value = alert(error)
            return
        self.said.value = f'<p role="status">{escape(sentence)}</p>'
        self._go(self._number + 1)


def _lay_out(question: PairQuestion, number: int, questions: int) -> str:
    """A pair as a table: what speaks for one person is marked ▲, what speaks against it ▼."""
    cell = 'style="padding:.2em .8em;text-align:left;vertical-align:top"'
    rows = "".join(
        f"<tr><th scope='row' {cell}>{escape(side.field)}</th><td {cell}>{escape(side.left) or '–'}</td>"
        f"<td {cell}>{escape(side.right) or '–'}</td><td {cell}>{escape(_weigh(side))}</td></tr>"
        for side in question.sides
    )
    heads = "".join(f"<th scope='col' {cell}>{head}</th>" for head in ("", "One record", "The other", "Agreement"))
    told = sorted((side for side in question.sides if side.weight), key=lambda side: -abs(side.weight or 0.0))
    reasons = {
        word: ", ".join(side.field.lower() for side in told if ((side.weight or 0.0) > 0) == positive)
        for word, positive in (("for", True), ("against", False))
    }
    return (
        f"<p><b>Pair {number:,} of {questions:,}</b>: {escape(question.why)}. By the model one person with a "
        f"probability of {question.probability:.1%}; for it {escape(reasons['for'] or 'nothing')}, against it "
        f"{escape(reasons['against'] or 'nothing')}.</p>"
        f"<table><caption>Two records side by side</caption><thead><tr>{heads}</tr></thead>"
        f"<tbody>{rows}</tbody></table>"
    )


def _weigh(side: PairSide) -> str:
    if side.weight is None:
        return ""
    mark = "▲" if side.weight > 0 else "▼"
    return f"{mark} {format_value(side.weight, '+0.0')}  {side.agreement}"


def _invite(pairs: int) -> str:
    if not pairs:
        return "No pair is worth a person's time: nothing is in doubt that would cost more than a look."
    return (
        f"The {pairs:,} pairs at which most is at stake can be judged side by side when this notebook is opened in "
        "JupyterLab."
    )
