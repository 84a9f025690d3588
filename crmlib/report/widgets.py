"""Panels that answer while one asks, in JupyterLab: the only place that knows ipywidgets.

What a panel shows lives in the browser's session alone: nothing of it is written into the notebook.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from html import escape
from typing import Any, Protocol

import ipywidgets  # type: ignore[import-untyped]  # ships no types

from crmlib.errors import InputError
from crmlib.report.formats import format_value

#: What stands in the place of a panel where none can be drawn.
STAND_IN = "A panel to ask by yourself opens here in JupyterLab."
LINES = 6

Count = Callable[[Mapping[str, Sequence[str]], str, str], Mapping[str, float]]


class CounterPanel(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """The panel "how many customers who …, contactable by …"; it counts again at every change.

    Parameters
    ----------
    choices : mapping of str to sequence of str
        Dimension -> values to choose from.
    count : callable
        ``count(selection, channel, purpose)`` gives customers, contactable and sales of a selection.
    labels : mapping of str to str
        Dimension -> its name for a reader.
    channels, purposes : sequence of str
    currency : str

    Attributes
    ----------
    lists : dict of str to ipywidgets.SelectMultiple
    channel, purpose : ipywidgets.Dropdown
    answer : ipywidgets.HTML
    """

    def __init__(
        self,
        choices: Mapping[str, Sequence[str]],
        count: Count,
        *,
        labels: Mapping[str, str],
        channels: Sequence[str],
        purposes: Sequence[str] = ("marketing", "profiling"),
        currency: str = "EUR",
    ) -> None:
        self.lists = {
            name: ipywidgets.SelectMultiple(
                options=list(values),
                description=labels.get(name, name),
                rows=min(LINES, len(values)),
                style={"description_width": "14em"},
                layout={"width": "36em"},
            )
            for name, values in choices.items()
        }
        self.channel = ipywidgets.Dropdown(options=list(channels), description="By channel")
        self.purpose = ipywidgets.Dropdown(options=list(purposes), description="For")
        self.answer = ipywidgets.HTML()
        self._count, self._currency = count, currency
        hint = ipywidgets.HTML("<p>Nothing chosen means everybody; hold Ctrl to choose several.</p>")
        asked = ipywidgets.HBox([self.channel, self.purpose])
        super().__init__([self.answer, asked, hint, *self.lists.values()])
        for widget in (*self.lists.values(), self.channel, self.purpose):
            widget.observe(self._refresh, names="value")
        self._refresh()

    def __repr__(self) -> str:
        return STAND_IN

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        bundle: dict[str, Any] = super()._repr_mimebundle_(**kwargs)
        return bundle | {"text/plain": STAND_IN, "text/html": f'<p class="crm-note">{escape(STAND_IN)}</p>'}

    def _refresh(self, _change: Any = None) -> None:
        selection = {name: widget.value for name, widget in self.lists.items() if widget.value}
        found = self._count(selection, self.channel.value, self.purpose.value)
        self.answer.value = _tell(found, self.channel.value, self.purpose.value, self._currency)


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


class ReviewPanel(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
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

    @property
    def sentence(self) -> str:
        """What stands where no panel can be drawn."""
        if not len(self._desk):
            return "No pair is worth a person's time: nothing is in doubt that would cost more than a look."
        return (
            f"The {len(self._desk):,} pairs at which most is at stake can be judged side by side when this notebook is "
            "opened in JupyterLab."
        )

    def __repr__(self) -> str:
        return self.sentence

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        bundle: dict[str, Any] = super()._repr_mimebundle_(**kwargs)
        return bundle | {"text/plain": self.sentence, "text/html": f'<p class="crm-note">{escape(self.sentence)}</p>'}

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
            self.said.value = f'<p role="alert"><b>{escape(str(error))}</b></p>'
            return
        self.said.value = f'<p role="status">{escape(sentence)}</p>'
        self._go(self._number + 1)


class PinCandidate(Protocol):
    """A value of a customer's record; rule: by which it is the golden one, empty if it is not."""

    field: str
    value: str
    source: str
    changed_on: date
    rule: str


class PinDesk(Protocol):
    """The values of a customer, and what keeps those that are pinned."""

    def list_candidates(self, customer_id: str) -> Sequence[Any]:
        """The values of a customer by field, as `PinCandidate`."""

    def keep(self, candidate: Any, decision: Any, reviewer: str) -> str:
        """Keep a ruling, and say so in a sentence."""


class PinPanel(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """The values of a customer by field, one of which may be pinned; shows nobody before a customer is asked for.

    Parameters
    ----------
    desk : PinDesk
        ``list_candidates(customer_id)`` gives the values; ``keep(candidate, decision, reviewer)`` keeps a ruling and
        says so in a sentence.
    customer_id : str
        Stands in the field from the start.

    Attributes
    ----------
    reviewer, customer : ipywidgets.Text
    look, pin, unpin : ipywidgets.Button
    fields : ipywidgets.Dropdown
    values : ipywidgets.RadioButtons
    said : ipywidgets.HTML
    """

    sentence = "What is right of a customer can be pinned, above all rules, when this notebook is opened in JupyterLab."

    def __init__(self, desk: PinDesk, customer_id: str = "") -> None:
        self._desk: PinDesk = desk
        self._found: dict[str, list[PinCandidate]] = {}
        named = {"style": {"description_width": "initial"}}
        self.reviewer = ipywidgets.Text(description="Your name", placeholder="a pin is signed", **named)
        self.customer = ipywidgets.Text(value=customer_id, description="Customer", placeholder="customer_id", **named)
        self.look = ipywidgets.Button(description="Show its values", button_style="primary")
        self.fields = ipywidgets.Dropdown(description="Field", **named)
        self.values = ipywidgets.RadioButtons(description="Values", layout={"width": "max-content"})
        self.pin = ipywidgets.Button(description="Pin", tooltip="This value stays, whatever the rules say")
        self.unpin = ipywidgets.Button(description="Let the rules choose", tooltip="Take a pin back")
        self.said = ipywidgets.HTML()
        self._choice = ipywidgets.VBox([self.fields, self.values, ipywidgets.HBox([self.pin, self.unpin])])
        self._choice.layout.display = "none"
        self.look.on_click(lambda _: self._look())
        self.fields.observe(self._show_values, names="value")
        self.pin.on_click(lambda _: self._keep("pin"))
        self.unpin.on_click(lambda _: self._keep("unpin"))
        super().__init__([ipywidgets.HBox([self.reviewer, self.customer, self.look]), self.said, self._choice])

    def __repr__(self) -> str:
        return self.sentence

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        bundle: dict[str, Any] = super()._repr_mimebundle_(**kwargs)
        return bundle | {"text/plain": self.sentence, "text/html": f'<p class="crm-note">{escape(self.sentence)}</p>'}

    def _look(self) -> None:
        try:
            found = self._desk.list_candidates(self.customer.value)
        except InputError as error:
            self._choice.layout.display = "none"
            self.said.value = f'<p role="alert"><b>{escape(str(error))}</b></p>'
            return
        self._found = {field: [one for one in found if one.field == field] for field in {one.field for one in found}}
        self.said.value = ""
        self.fields.options = [(field.replace("_", " "), field) for field in sorted(self._found)]
        self._choice.layout.display = ""
        self.fields.value = min(self._found)
        self._show_values()

    def _show_values(self, _change: Any = None) -> None:
        listed = self._found.get(self.fields.value, [])
        self.values.options = [(_tell_value(one), place) for place, one in enumerate(listed)]
        self.values.index = 0 if listed else None

    def _keep(self, decision: str) -> None:
        candidate = self._found[self.fields.value][self.values.value]
        try:
            sentence = self._desk.keep(candidate, decision, self.reviewer.value)
        except InputError as error:
            self.said.value = f'<p role="alert"><b>{escape(str(error))}</b></p>'
            return
        self.said.value = f'<p role="status">{escape(sentence)} It counts from the next run on.</p>'


class Trails(Protocol):
    """What can show one person's trail."""

    def show(self, asked: str) -> Any:
        """A frame with a row per event; an `InputError` says why there is none."""


class TrailPanel(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """Every event about one person's permissions and what became of it; shows nobody before one is asked for.

    Parameters
    ----------
    trails : Trails
    asked : str
        Stands in the field from the start.

    Attributes
    ----------
    customer : ipywidgets.Text
    look : ipywidgets.Button
    said : ipywidgets.HTML
    """

    sentence = (
        "Why a customer may be contacted or not, event by event, is shown when this notebook is opened in JupyterLab."
    )

    def __init__(self, trails: Trails, asked: str = "") -> None:
        self._trails = trails
        named = {"style": {"description_width": "initial"}}
        self.customer = ipywidgets.Text(
            value=asked, description="Customer", placeholder="customer_id, or source:id", **named
        )
        self.look = ipywidgets.Button(description="Show the trail", button_style="primary")
        self.said = ipywidgets.HTML()
        self.look.on_click(lambda _: self._look())
        super().__init__([ipywidgets.HBox([self.customer, self.look]), self.said])

    def __repr__(self) -> str:
        return self.sentence

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        bundle: dict[str, Any] = super()._repr_mimebundle_(**kwargs)
        return bundle | {"text/plain": self.sentence, "text/html": f'<p class="crm-note">{escape(self.sentence)}</p>'}

    def _look(self) -> None:
        try:
            trail = self._trails.show(self.customer.value)
        except InputError as error:
            self.said.value = f'<p role="alert"><b>{escape(str(error))}</b></p>'
            return
        head = "".join(f'<th scope="col">{escape(name.replace("_", " "))}</th>' for name in trail.columns)
        rows = "".join(
            "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in trail.to_numpy()
        )
        self.said.value = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _tell_value(one: PinCandidate) -> str:
    golden = f"; the golden one: {one.rule.replace('_', ' ')}" if one.rule else ""
    return f"{one.value}  ({one.source}, {one.changed_on:%Y-%m-%d}{golden})"


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


def _tell(found: Mapping[str, float], channel: str, purpose: str, currency: str) -> str:
    customers, contactable = int(found["customers"]), int(found["contactable"])
    share = format_value(contactable / customers if customers else 0.0, "%")
    sales = escape(format_value(found["sales"], currency))
    return (
        f"<p><b>{customers:,} customers</b>; {contactable:,} of them ({share}) contactable by {escape(channel)} for "
        f"{escape(purpose)}. They bought for {sales} in the last year.</p>"
    )


Ask = Callable[[Mapping[str, int], float | None, str, int], Mapping[str, float]]


class WhatIfPanel(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """The panel "what if a cap, the budget or a date were another"; it simulates a sample again at every change.

    Parameters
    ----------
    ask : callable
        ``ask(caps, budget, communication, days)`` gives contacts, cost, incremental_margin, net_gain, unsubscribes.
    caps : mapping of str to int
        Cap in words -> contacts it allows now.
    budget : float or None
        In all, now; None: no limit.
    dated : sequence of str
        Communications whose dates may be moved.
    currency : str

    Attributes
    ----------
    caps : dict of str to ipywidgets.IntSlider
    limited : ipywidgets.Checkbox
    budget : ipywidgets.FloatText
    moved : ipywidgets.Dropdown
    days : ipywidgets.IntSlider
    answer : ipywidgets.HTML
    """

    def __init__(
        self, ask: Ask, *, caps: Mapping[str, int], budget: float | None, dated: Sequence[str], currency: str = "EUR"
    ) -> None:
        wide = {"style": {"description_width": "18em"}, "layout": {"width": "40em"}, "continuous_update": False}
        self.caps = {
            name: ipywidgets.IntSlider(value=most, min=0, max=max(2 * most, 5), description=f"Cap {name}", **wide)
            for name, most in caps.items()
        }
        self.limited = ipywidgets.Checkbox(value=budget is not None, description="A budget in all")
        self.budget = ipywidgets.BoundedFloatText(
            value=budget or 0.0, min=0.0, max=1e12, description=f"Budget ({currency})", continuous_update=False
        )
        self.moved = ipywidgets.Dropdown(options=["", *dated], description="Move")
        self.days = ipywidgets.IntSlider(value=0, min=-28, max=28, description="by days", continuous_update=False)
        self.answer = ipywidgets.HTML()
        self._ask, self._currency = ask, currency
        asked = [ipywidgets.HBox([self.limited, self.budget]), ipywidgets.HBox([self.moved, self.days])]
        super().__init__([self.answer, *self.caps.values(), *asked])
        self._first = self._simulate()
        self._tell(self._first)
        for widget in (*self.caps.values(), self.limited, self.budget, self.moved, self.days):
            widget.observe(self._refresh, names="value")

    def __repr__(self) -> str:
        return STAND_IN

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        bundle: dict[str, Any] = super()._repr_mimebundle_(**kwargs)
        return bundle | {"text/plain": STAND_IN, "text/html": f'<p class="crm-note">{escape(STAND_IN)}</p>'}

    def _simulate(self) -> Mapping[str, float]:
        caps = {name: widget.value for name, widget in self.caps.items()}
        return self._ask(caps, self.budget.value if self.limited.value else None, self.moved.value, self.days.value)

    def _refresh(self, _change: Any = None) -> None:
        self._tell(self._simulate())

    def _tell(self, found: Mapping[str, float]) -> None:
        gain = found["net_gain"] - self._first["net_gain"]
        told = ("cost", "incremental_margin", "net_gain")
        money = {name: escape(format_value(found[name], self._currency)) for name in told}
        self.answer.value = (
            f"<p><b>{money['net_gain']} beyond its cost</b> ({gain:+,.0f} against the plan as it is): "
            f"{found['contacts']:,.0f} contacts cost {money['cost']} and bring {money['incremental_margin']} of margin "
            f"that would not have been; {found['unsubscribes']:,.0f} unsubscriptions.</p>"
        )


class Cards(Protocol):
    """Customers by stage and order, each as a card."""

    @property
    def stages(self) -> Mapping[str, int]:
        """Stage -> customers in it."""

    @property
    def orders(self) -> Sequence[str]:
        """Orders in words."""

    def look(self, stage: str, order: str, number: int) -> Mapping[str, str]:
        """The card of the number-th (from 0) customer of a stage in an order."""


class ExplorerPanel(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """The panel "who is it, and why": one customer of a stage after another; shows nobody before it is asked to.

    Parameters
    ----------
    cards : Cards

    Attributes
    ----------
    stage, order : ipywidgets.Dropdown
    number : ipywidgets.BoundedIntText
        From 1.
    show : ipywidgets.Button
    card : ipywidgets.HTML
    """

    def __init__(self, cards: Cards) -> None:
        self._cards = cards
        options = [(f"{stage.replace('_', ' ')} ({count:,})", stage) for stage, count in cards.stages.items()]
        self.stage = ipywidgets.Dropdown(options=options, description="Stage")
        self.order = ipywidgets.Dropdown(options=list(cards.orders), description="Order", layout={"width": "26em"})
        self.number = ipywidgets.BoundedIntText(value=1, min=1, max=1, description="Number")
        self.show = ipywidgets.Button(description="Show", button_style="primary", disabled=not options)
        self.card = ipywidgets.HTML()
        super().__init__(
            [ipywidgets.HBox([self.stage, self.order]), ipywidgets.HBox([self.number, self.show]), self.card]
        )
        self.stage.observe(self._restart, names="value")
        self.order.observe(self._restart, names="value")
        self.number.observe(lambda _: self._draw(), names="value")
        self.show.on_click(lambda _: self._draw())
        self._restart()

    def __repr__(self) -> str:
        return STAND_IN

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        bundle: dict[str, Any] = super()._repr_mimebundle_(**kwargs)
        return bundle | {"text/plain": STAND_IN, "text/html": f'<p class="crm-note">{escape(STAND_IN)}</p>'}

    def _restart(self, _change: Any = None) -> None:
        self.card.value = ""
        self.number.max = max(self._cards.stages.get(self.stage.value, 1), 1)
        with self.number.hold_trait_notifications():
            self.number.value = 1
        self.card.value = ""

    def _draw(self) -> None:
        told = self._cards.look(self.stage.value, self.order.value, self.number.value - 1)
        cell = 'style="padding:.2em .8em;text-align:left;vertical-align:top"'
        rows = "".join(
            f"<tr><th scope='row' {cell}>{escape(name)}</th><td {cell}>{escape(text)}</td></tr>"
            for name, text in told.items()
        )
        self.card.value = f"<table><caption>A customer</caption><tbody>{rows}</tbody></table>"
