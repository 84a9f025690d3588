"""What every panel has in common: nothing of it is written into the notebook but a sentence in its place."""

from __future__ import annotations

from html import escape
from typing import Any

import ipywidgets  # type: ignore[import-untyped]  # ships no types

from crmlib.errors import InputError

#: What stands in the place of a panel where none can be drawn.
STAND_IN = "A panel to ask by yourself opens here in JupyterLab."


class Panel(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """A panel that lives in the browser's session alone.

    Attributes
    ----------
    sentence : str
        What stands in its place on a page.
    """

    sentence = STAND_IN

    def __repr__(self) -> str:
        return self.sentence

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        bundle: dict[str, Any] = super()._repr_mimebundle_(**kwargs)
        return bundle | {"text/plain": self.sentence, "text/html": f'<p class="crm-note">{escape(self.sentence)}</p>'}


def alert(error: InputError) -> str:
    """A mistake of the person who asks, as HTML that a screen reader speaks at once."""
    return f'<p role="alert"><b>{escape(str(error))}</b></p>'
