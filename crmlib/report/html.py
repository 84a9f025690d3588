"""From an executed notebook to a page that stands by itself: no code, no script, no other address."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crmlib.report import theme
from crmlib.report.context import GovernanceContext, IndexContext, PageContext, RunContext, Source
from crmlib.report.headlines import describe_change, format_card, format_headline, name_unit
from crmlib.report.offline import check_offline

if TYPE_CHECKING:
    from jinja2 import Environment

    from crmlib.tables import Contract

TEMPLATES = Path(__file__).parent / "templates"
#: What of an output is shown, the first that is there.
SHOWN = ["text/html", "image/svg+xml", "text/markdown", "text/plain"]


def render_page(notebook_path: Path, page: PageContext) -> str:
    """Render an executed notebook as a room's page.

    Parameters
    ----------
    notebook_path : Path
        The executed notebook; its first markdown cell is the page's title and lead.
    page : PageContext
        What the page says of its run; a skipped room's page shows its sentence instead of results.

    Returns
    -------
    str
        The page, the same for the same input.

    Raises
    ------
    GateError
        If the page would reach another address.
    """
    import nbformat

    notebook = nbformat.read(notebook_path, as_version=4)
    cells = [cell for cell in notebook.cells if not _is_papermill_error(cell)]
    begin = next((place for place, cell in enumerate(cells) if cell.cell_type == "markdown"), None)
    lead = _render_cells(notebook, [] if begin is None else [cells[begin]])
    if "<h1" not in lead:
        lead = f"<h1>{_environment().filters['escape'](page.room.title)}</h1>\n{lead}"
    rest = cells if begin is None else cells[:begin] + cells[begin + 1 :]
    body, questions = _number_questions("" if page.room.skipped else _render_cells(notebook, rest))
    rooms = page.run.rooms
    place = next((place for place, room in enumerate(rooms) if room.key == page.room.key), None)
    return _render(
        "room.html.j2",
        page.run,
        here=page.room.key,
        title=page.room.title,
        room=page.room,
        lead=_safe(lead),
        body=_safe(body),
        questions=questions,
        headlines=page.headlines,
        previous=rooms[place - 1] if place else None,
        next=rooms[place + 1] if place is not None and place + 1 < len(rooms) else None,
    )


def render_index(index: IndexContext) -> str:
    """Render the overview of a run: each room's headline figures, then the run's facts.

    Raises
    ------
    GateError
        If the page would reach another address.
    """
    import pandas as pd

    from crmlib.report.tables import show

    run = index.run
    ran = [room for room in run.rooms if not room.skipped]
    findings = {path.stem: _safe(_first_finding(path)) for path in index.notebooks}
    changes = [(line, describe_change(line)) for line in index.headlines]
    leading = {line.room for line in index.headlines if line.leading}
    told = {
        room: (room, findings.get(room.key, ""), [line for line in index.headlines if line.room == room.key])
        for room in ran
    }
    groups = {
        "What the data say": [told[room] for room in ran if room.key in leading],
        "What stands behind it": [told[room] for room in ran if room.key not in leading],
    }
    sources = pd.DataFrame(
        [(source.name, source.owner, source.delivered_on, _age(source, run), source.rows) for source in run.sources],
        columns=["source", "owner", "delivered_on", "age_days", "rows"],
    ).dropna(axis=1, how="all")
    tables = pd.DataFrame(
        [(table.name, table.meaning, table.rows) for table in index.tables], columns=["table", "one_row_is", "rows"]
    )
    labels = {"delivered_on": "last delivery", "age_days": "age (days)", "rows": "rows", "one_row_is": "what a row is"}
    return _render(
        "index.html.j2",
        run,
        here="index",
        title="Overview",
        summary=_summarise_run(run, len(ran)),
        groups=[(heading, rooms) for heading, rooms in groups.items() if rooms],
        leading=[line for line in index.headlines if line.leading],
        better=[line for line, change in changes if change and change.tone == "good"],
        worse=[line for line, change in changes if change and change.tone == "bad"],
        skipped=[room for room in run.rooms if room.skipped],
        duration=_duration(index.duration_seconds),
        sources=_safe(show(sources, "What each source delivered", labels=labels).markup) if run.sources else "",
        tables=_safe(show(tables, "Tables of this run", labels=labels, max_rows=200, folded=True).markup)
        if index.tables
        else "",
    )


def render_data_dictionary(contracts: Iterable[Contract], run: RunContext) -> str:
    """Render what every table holds: a section per contract, a row per column."""
    import pandas as pd

    from crmlib.report.tables import show

    sections = []
    for contract in contracts:
        rows = [
            (
                column.name,
                column.meaning,
                column.kind,
                column.unit or ", ".join(column.values),
                "key" if column.key else "" if column.null else "never empty",
            )
            for column in contract.columns
        ]
        frame = pd.DataFrame(rows, columns=["column", "meaning", "type", "unit or values", "rule"])
        table = show(frame, f"Columns of {contract.name}", max_rows=len(rows))
        sections.append((contract, _safe(table.markup)))
    return _render("dictionary.html.j2", run, here="data_dictionary", title="Data dictionary", contracts=sections)


def render_governance(governance: GovernanceContext, run: RunContext) -> str:
    """Render who answers for what: duties and rules for those who decide, deliveries and rooms for those who run it.

    Raises
    ------
    GateError
        If the page would reach another address.
    """
    import pandas as pd

    from crmlib.report.tables import show

    duties = pd.DataFrame(
        [
            *((f"Source {source.name}", source.owner, "") for source in governance.sources),
            *((f"Room {notebook.name}", notebook.owner, notebook.serves) for notebook in governance.notebooks),
        ],
        columns=["of", "owner", "serves"],
    ).replace("", None)
    rules = pd.DataFrame(
        [
            (rule.says, rule.owner, f"{rule.value} ({rule.setting})" if rule.setting else "", rule.review_on)
            for rule in governance.rules
        ],
        columns=["says", "owner", "value", "review_on"],
    ).replace("", None)
    deliveries = pd.DataFrame(
        [
            (source.name, source.steward, source.delivered_on, source.age_days, source.every_days, source.state)
            for source in governance.sources
        ],
        columns=["source", "steward", "delivered_on", "age_days", "every_days", "state"],
    ).replace("", None)
    rooms = pd.DataFrame(
        [(notebook.name, notebook.owner, notebook.state, notebook.seconds) for notebook in governance.notebooks],
        columns=["notebook", "owner", "state", "seconds"],
    ).replace("", None)
    due = [rule for rule in governance.rules if rule.review_on is not None and rule.review_on <= run.as_of_date]
    return _render(
        "governance.html.j2",
        run,
        here="governance",
        title="Governance",
        unowned=governance.unowned,
        overdue=[source.name for source in governance.sources if source.state != "in time"],
        due=due,
        duties=_safe(
            show(
                duties,
                "Who answers for what",
                labels={"of": "Source or room", "owner": "Answers for it", "serves": "What is decided with it"},
                max_rows=len(duties),
            ).markup
        ),
        rules=_safe(
            show(
                rules,
                "Rules, and who decided them",
                labels={
                    "says": "Rule",
                    "owner": "Answers for it",
                    "value": "Value in this run",
                    "review_on": "Next review",
                },
                max_rows=len(rules),
            ).markup
        ),
        deliveries=_safe(
            show(
                deliveries,
                "Deliveries, and who mends them",
                labels={
                    "source": "Source",
                    "steward": "Mends it",
                    "delivered_on": "Last delivery",
                    "age_days": "Age (days)",
                    "every_days": "Due every (days)",
                    "state": "State",
                },
            ).markup
        ),
        rooms=_safe(
            show(
                rooms,
                "Rooms in this run",
                labels={"notebook": "Room", "owner": "Answers for it", "state": "State", "seconds": "Seconds"},
                formats={"seconds": "0"},
            ).markup
        ),
    )


def _render(template: str, run: RunContext, **values: Any) -> str:
    page = _environment().get_template(template).render(run=run, css=_safe(theme.read_css()), **values)
    page = re.sub(r"\n\s*\n+", "\n", page)
    check_offline(page, values["here"])
    return page


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= {
        "day": _day,
        "freshness": _freshness,
        "freshness_span": _freshness_span,
        "value": format_headline,
        "card": format_card,
        "unit": name_unit,
        "change": describe_change,
    }
    environment.globals["questions"] = ()
    return environment


def _render_cells(notebook: Any, cells: list[Any]) -> str:
    from nbconvert.exporters.templateexporter import TemplateExporter
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
    from nbformat import NotebookNode
    from traitlets.config import Config

    exporter = TemplateExporter(
        template_name="cells",
        template_file="index.html.j2",
        extra_template_basedirs=[str(TEMPLATES)],
        config=Config(NbConvertBase={"display_data_priority": SHOWN}),
    )
    renderer = IPythonRenderer(escape=False, exclude_anchor_links=True)
    exporter.register_filter("prose", MarkdownWithMath(renderer=renderer).render)
    part = NotebookNode({**notebook, "cells": cells})
    body, _ = exporter.from_notebook_node(part)
    return str(body).strip()


def _first_finding(notebook_path: Path) -> str:
    """The call-out to be repeated on the overview: the leading one, else the first."""
    import nbformat

    from crmlib.report.tables import LEADING

    notebook = nbformat.read(notebook_path, as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    shown = [str(output.get("data", {}).get("text/html", "")) for output in outputs]
    findings = [text for text in shown if text.startswith('<div class="crm-finding')]
    leading = [text for text in findings if LEADING in text.partition(">")[0]]
    return next(iter([*leading, *findings]), "")


def _is_papermill_error(cell: Any) -> bool:
    return any(str(tag).startswith("papermill-error") for tag in cell.metadata.get("tags", []))


def _number_questions(body: str) -> tuple[str, list[tuple[str, str]]]:
    """Give each second-level heading an anchor, for the menu."""
    questions: list[tuple[str, str]] = []

    def number(found: re.Match[str]) -> str:
        questions.append((f"q{len(questions) + 1}", re.sub(r"<[^>]+>", "", found[1])))
        return f'<h2 id="q{len(questions)}">{found[1]}</h2>'

    body = re.sub(r"<h2[^>]*>(.*?)</h2>", number, body, flags=re.DOTALL)
    return body, [(anchor, _safe(text)) for anchor, text in questions]


def _safe(markup: str) -> str:
    from markupsafe import Markup

    return Markup(markup)  # made here, of parts that are escaped already


def _day(value: Any) -> str:
    return f"{value.day} {value:%B %Y}"


def _freshness(source: Source) -> str:
    return _day(source.delivered_on) if source.delivered_on else "no delivery"


def _freshness_span(sources: tuple[Source, ...]) -> str:
    days = sorted(source.delivered_on for source in sources if source.delivered_on)
    if not days:
        return "no source delivered a date"
    count = f"{len(sources)} source" + ("s" if len(sources) > 1 else "")
    if days[0] == days[-1]:
        return f"{count}, delivered {_day(days[0])}"
    return f"{count}, delivered between {_day(days[0])} and {_day(days[-1])}"


def _age(source: Source, run: RunContext) -> int | None:
    return (run.as_of_date - source.delivered_on).days if source.delivered_on else None


def _summarise_run(run: RunContext, ran: int) -> str:
    skipped = len(run.rooms) - ran
    said = f"{ran} of {len(run.rooms)} rooms ran on data up to {_day(run.as_of_date)}"
    return f"{said}; {skipped} had no input." if skipped else f"{said}."


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
