"""Something to show: HTML for a page and for JupyterLab, plain text for everything else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Fragment:
    """A displayable piece of a page.

    Parameters
    ----------
    markup : str
        HTML, already escaped.
    plain : str
        The same in words, for a terminal or a screen without HTML.
    """

    markup: str
    plain: str

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/html": self.markup, "text/plain": self.plain}

    def _repr_html_(self) -> str:
        return self.markup

    def __repr__(self) -> str:
        return self.plain


class Shown(Protocol):
    """What a page can show: HTML, and the same in words as its text."""

    def _repr_html_(self) -> str: ...


def stack(pieces: Iterable[Shown]) -> Fragment:
    """Several pieces, one below the other."""
    shown = list(pieces)
    return Fragment("\n".join(piece._repr_html_() for piece in shown), "\n".join(str(piece) for piece in shown))
