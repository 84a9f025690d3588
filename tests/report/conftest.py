"""A sample run to render: an executed notebook of every kind of output, and what the pages say of it."""

from datetime import date

import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from crmlib.report import charts, html, tables
from crmlib.report.context import Headline, IndexContext, PageContext, Room, RunContext, Source, TableRows
from crmlib.tables import CONTRACTS

ROOMS = (
    Room("01_intake", "Intake", "What did each source deliver?"),
    Room("04_customers", "Customers", skipped="No source delivers consents, so nothing is decided."),
    Room("06_churn_and_value", "Churn and value", "Who leaves, who comes back, worth what?"),
)
SOURCES = (
    Source("shop", date(2026, 10, 31), 12_000, "e-commerce"),
    Source("erp", date(2026, 10, 12), 8_412, "IT"),
    Source("pos", None, None),
)
RUN = RunContext(
    "20261101-demo-3f9a",
    "Retailer & sons",
    date(2026, 11, 1),
    base="20261025-demo-91c2",
    sources=SOURCES,
    rooms=ROOMS,
    notices=("Notice of the data set, word for word, see http://data.example/licence.",),
)
HEADLINES = (
    Headline("01_intake", "rows", 465_412, "rows read", "rows", "up", 431_000),
    Headline("01_intake", "rejected", 0.0123, "rows rejected", "%", "down", 0.011),
    Headline("06_churn_and_value", "value", 412_345.2, "value of the next 12 months", "EUR", "up", 400_000),
    Headline("06_churn_and_value", "error", 0.31, "error in the holdout period", "purchases", "down"),
)


def shown(*things) -> nbformat.NotebookNode:
    """A cell whose code made these things be displayed."""
    outputs = [new_output("display_data", data=thing._repr_mimebundle_()) for thing in things]
    return new_code_cell("secret_code(run)", outputs=outputs)


def sample_charts() -> dict[str, charts.Figure]:
    """One of each chart."""
    days = pd.DataFrame({"day": ["Mon", "Tue", "Sat"], "tickets": [820, 700, 1650], "late": [3, None, 7]})
    weeks = pd.DataFrame({"week": pd.date_range("2026-01-04", periods=40, freq="7D")})
    weeks["actual"] = range(40)
    weeks["model"] = weeks["actual"] * 1.1
    groups = pd.DataFrame({"told": [0.1, 0.3, 0.6], "seen": [0.12, 0.28, 0.61], "n": [400, 90, 20]})
    weights = pd.DataFrame({"step": ["prior", "e-mail", "name"], "weight": [-8.2, 12.1, -1.4]})
    cells = pd.DataFrame(
        [(row, column, row_number + column_number / 10) for row_number, row in enumerate(["shop", "erp"])
         for column_number, column in enumerate(["e-mail", "phone", "address"])],
        columns=["source", "field", "share"],
    )  # fmt: skip
    band = ("actual", "model")
    return {
        "bar": charts.bar(days, "day", "tickets", title="Saturday is busiest", highlight=["Sat"]),
        "hbar": charts.hbar(weights, "step", "weight", title="An equal e-mail says most", reference=2.0),
        "stacked": charts.stacked(days, "day", ["tickets", "late"], title="Few are late", share=True),
        "waterfall": charts.waterfall(weights, "step", "weight", title="Why one person", total_label="sum"),
        "line": charts.line(weeks, "week", ["actual", "model"], title="As expected", band=band, mark=date(2026, 5, 3)),
        "curve": charts.curve(groups, "told", "seen", title="Recall costs precision", x_form="%", form="%"),
        "calibration": charts.calibration(groups, "told", "seen", title="Honest", size="n", band=("told", "seen")),
        "hist": charts.hist([1, 2, 2, 3, 9, None], title="Most are small", threshold=4.0, bins=5),
        "heatmap": charts.heatmap(cells, "source", "field", "share", title="Gaps", form="%"),
    }


def sample_notebook() -> nbformat.NotebookNode:
    """An executed notebook with every kind of cell and output."""
    frame = pd.DataFrame({"source": ["shop", "erp & co"], "rows": [12_000, 8_412], "share": [0.91, None]})
    raw = new_code_cell("frame")
    raw.outputs = [
        new_output("execute_result", data={"text/html": frame._repr_html_(), "text/plain": repr(frame)}),
        new_output("stream", name="stdout", text="12 rows <read>\n"),
        new_output("stream", name="stderr", text="a warning nobody should see"),
    ]
    parameters = new_code_cell('run_dir: str = ""', metadata={"tags": ["parameters"]})
    call_out = tables.finding("{n:,} customers are late.", tone="attention", action="Write to the {n:,}.", n=1412)
    table = tables.show(frame, "What each source delivered", formats={"share": "%"}, bars=["rows"])
    cells = [
        new_markdown_cell("# Who leaves, who comes back?\n\nDecides whom to win back."),
        parameters,
        shown(call_out),
        *(cell for name, chart in sample_charts().items()
          for cell in (new_markdown_cell(f"## Question of the {name}"), shown(chart))),
        new_markdown_cell("## What was delivered?"),
        shown(table, tables.say("Of {n:,} customers, {share:.0%} came back.", n=2873, share=0.43)),
        raw,
        new_markdown_cell("## Limits\n\n- Prices are not used; a price of $5 or $6 is a price."),
    ]  # fmt: skip
    return new_notebook(cells=cells)


@pytest.fixture(scope="session")
def notebook_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("notebooks") / "06_churn_and_value.ipynb"
    nbformat.write(sample_notebook(), path)
    return path


@pytest.fixture(scope="session")
def pages(notebook_path) -> dict[str, str]:
    """Every kind of page, by file name."""
    rows = (TableRows("tickets", 420_000, "one purchase"), TableRows("identities", 4_000, "one source record"))
    index = IndexContext(RUN, HEADLINES, (notebook_path,), rows, 83.4)
    return {
        "index.html": html.render_index(index),
        "06_churn_and_value.html": html.render_page(notebook_path, PageContext(RUN, ROOMS[2], HEADLINES[2:])),
        "04_customers.html": html.render_page(notebook_path, PageContext(RUN, ROOMS[1])),
        "01_intake.html": html.render_page(notebook_path, PageContext(RUN, ROOMS[0], HEADLINES[:2])),
        "data_dictionary.html": html.render_data_dictionary(CONTRACTS.values(), RUN),
    }
