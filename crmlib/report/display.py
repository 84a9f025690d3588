"""Something to show: HTML for a page and for JupyterLab, plain text for everything else."""

from __future__ import annotations

from dataclasses import dataclass


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
