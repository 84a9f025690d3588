"""One person's permissions, event by event."""

from __future__ import annotations

from html import escape
from typing import Any, Protocol

import ipywidgets  # type: ignore[import-untyped]  # ships no types

from crmlib.errors import InputError
from crmlib.report.widgets.panel import Panel, alert


class Trails(Protocol):
    """What can show one person's trail."""

    def show(self, asked: str) -> Any:
        """A frame with a row per event; an `InputError` says why there is none."""


class TrailPanel(Panel):
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

    def _look(self) -> None:
        try:
            trail = self._trails.show(self.customer.value)
        except InputError as error:
            self.said.value = alert(error)
            return
        head = "".join(f'<th scope="col">{escape(name.replace("_", " "))}</th>' for name in trail.columns)
        rows = "".join(
            "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in trail.to_numpy()
        )
        self.said.value = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
