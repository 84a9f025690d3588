"""The panel "who is it, and why": one customer after another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Protocol

import ipywidgets  # type: ignore[import-untyped]  # ships no types

from crmlib.report.widgets.panel import Panel


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


class ExplorerPanel(Panel):
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
