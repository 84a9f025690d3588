"""The panel "how many customers who …, contactable by …"."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

import ipywidgets  # type: ignore[import-untyped]  # ships no types

from crmlib.report.formats import format_value
from crmlib.report.widgets.panel import Panel

LINES = 6


Count = Callable[[Mapping[str, Sequence[str]], str, str], Mapping[str, float]]


class CounterPanel(Panel):
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

    def _refresh(self, _change: Any = None) -> None:
        selection = {name: widget.value for name, widget in self.lists.items() if widget.value}
        found = self._count(selection, self.channel.value, self.purpose.value)
        self.answer.value = _tell(found, self.channel.value, self.purpose.value, self._currency)


def _tell(found: Mapping[str, float], channel: str, purpose: str, currency: str) -> str:
    customers, contactable = int(found["customers"]), int(found["contactable"])
    share = format_value(contactable / customers if customers else 0.0, "%")
    sales = escape(format_value(found["sales"], currency))
    return (
        f"<p><b>{customers:,} customers</b>; {contactable:,} of them ({share}) contactable by {escape(channel)} for "
        f"{escape(purpose)}. They bought for {sales} in the last year.</p>"
    )
