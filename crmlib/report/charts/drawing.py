"""From a drawing function to inline SVG: drawn twice, for wide and for narrow screens."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from io import StringIO
from typing import TYPE_CHECKING

from crmlib.report import theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Widths of the two drawings, in CSS pixels.
WIDE, NARROW = 704, 336


@dataclass(frozen=True)
class Figure:
    """A chart, displayed in a page and in JupyterLab.

    Parameters
    ----------
    title : str
        What it shows, as a finding; its caption.
    alt : str
        The same figures in words, for those who cannot see them.
    wide, narrow : str
        The drawing as SVG, for a wide screen and for a phone.
    note : str
        A line below, such as a source or how to read it.
    """

    title: str
    alt: str
    wide: str
    narrow: str
    note: str = ""

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/html": self._repr_html_(), "text/plain": repr(self)}

    def _repr_html_(self) -> str:
        note = f'<p class="crm-note">{escape(self.note)}</p>' if self.note else ""
        return (
            f'<figure class="crm-chart"><figcaption>{escape(self.title)}</figcaption>\n'
            f'<div class="crm-wide">{self.wide}</div>\n'
            f'<div class="crm-narrow" style="display:none">{self.narrow}</div>{note}</figure>'
        )

    def __repr__(self) -> str:
        return f"{self.title}\n{self.alt}"


def draw_figure(
    draw: Callable[[Axes, bool], None],
    *,
    title: str,
    alt: str,
    note: str = "",
    height: float = 300,
    narrow_height: float | None = None,
) -> Figure:
    """Draw a chart for both widths.

    Parameters
    ----------
    draw : callable
        Draws on the axes it is given; its second argument says whether they are narrow.
    title, alt, note : str
        See `Figure`.
    height, narrow_height : float
        In CSS pixels.

    Returns
    -------
    Figure
        The same text for the same data, on any machine.
    """
    alt = " ".join(alt.split())
    return Figure(
        title,
        alt,
        _draw_svg(draw, WIDE, height, False, title, alt),
        _draw_svg(draw, NARROW, narrow_height or height, True, title, alt),
        note,
    )


def _draw_svg(
    draw: Callable[[Axes, bool], None], width: float, height: float, narrow: bool, title: str, alt: str
) -> str:
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure as Canvas

    salt = hashlib.sha256(f"{title}\n{alt}\n{width}".encode()).hexdigest()[:16]
    with mpl.rc_context(theme.chart_style(salt)):
        canvas = Canvas(figsize=(width / 72, height / 72), layout="constrained")
        canvas.get_layout_engine().set(w_pad=0.03, h_pad=0.05)  # type: ignore[union-attr, call-arg]  # constrained
        FigureCanvasSVG(canvas)
        draw(canvas.add_subplot(), narrow)
        written = StringIO()
        canvas.savefig(written, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return _clean(written.getvalue(), width, height, title, alt)


def _clean(svg: str, width: float, height: float, title: str, alt: str) -> str:
    """Keep what a page needs of matplotlib's file: no prolog, no addresses, no idle ids, the pages' fonts."""
    body = svg[svg.index(">", svg.index("<svg")) + 1 : svg.rindex("</svg>")]
    body = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->|<defs>\s*<style.*?</defs>", "", body, flags=re.DOTALL)
    body = body.replace("xlink:href", "href")
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', body))
    body = re.sub(r"<[^>]*>", lambda tag: _clean_tag(tag[0], used), body)
    body = re.sub(r"\s*\n\s*", "\n", body).strip()
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" role="img" '
        f'style="max-width:100%;height:auto;font-family:{_css_fonts()};stroke-linejoin:round" '
        f'aria-label="{escape(alt)}">\n'
        f"<title>{escape(title)}</title>\n<desc>{escape(alt)}</desc>\n{body}\n</svg>"
    )


def _clean_tag(tag: str, used_ids: set[str]) -> str:
    tag = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in used_ids else "", tag)
    tag = re.sub(r"font-family: [^;\"]*;? ?| transform=\"rotate\(-0 [^)]*\)\"", "", tag)
    return re.sub(
        r"-?\d+\.\d{3,}",
        lambda found: f"{float(found[0]):.2f}".rstrip("0").rstrip("."),
        " ".join(tag.split()),
    )


def _css_fonts() -> str:
    return theme.FONTS.replace('"', "'")
