"""The values of a customer, one of which may be pinned above all rules."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from html import escape
from typing import Any, Protocol

import ipywidgets  # type: ignore[import-untyped]  # ships no types

from crmlib.errors import InputError
from crmlib.report.widgets.panel import Panel, alert


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


class PinPanel(Panel):
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

    def _look(self) -> None:
        try:
            found = self._desk.list_candidates(self.customer.value)
        except InputError as error:
            self._choice.layout.display = "none"
            self.said.value = alert(error)
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
            self.said.value = alert(error)
            return
        self.said.value = f'<p role="status">{escape(sentence)} It counts from the next run on.</p>'


def _tell_value(one: PinCandidate) -> str:
    golden = f"; the golden one: {one.rule.replace('_', ' ')}" if one.rule else ""
    return f"{one.value}  ({one.source}, {one.changed_on:%Y-%m-%d}{golden})"
