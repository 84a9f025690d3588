"""The panel "what if a cap, the budget or a date were another"."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

import ipywidgets  # type: ignore[import-untyped]  # ships no types

from crmlib.report.formats import format_value
from crmlib.report.widgets.panel import Panel

Ask = Callable[[Mapping[str, int], float | None, str, int], Mapping[str, float]]


class WhatIfPanel(Panel):
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
