"""Pages: what is shown, what is not, and that each stands by itself."""

import dataclasses
import re
from html.parser import HTMLParser
from itertools import pairwise

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from crmlib.errors import GateError
from crmlib.report import html
from crmlib.report.context import IndexContext, PageContext, RunContext
from crmlib.report.offline import find_outside
from crmlib.tables import CONTRACTS
from tests.report.conftest import HEADLINES, ROOMS, RUN

PAGES = ["index.html", "06_churn_and_value.html", "04_customers.html", "01_intake.html", "data_dictionary.html"]
VOID = {"br", "hr", "img", "input", "link", "meta", "path", "rect", "use"}


class Outline(HTMLParser):
    """Reads a page's texts, elements and whether they close in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open, self.elements, self.texts, self.ids = [], [], [], []
        self.feed(page.replace("<wbr>", ""))  # a place to break a word does not part it
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id"]

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag, self.getpos()

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())

    def find(self, tag, **wanted):
        return [attrs for name, attrs in self.elements if name == tag and wanted.items() <= attrs.items()]


@pytest.fixture(scope="session")
def outlines(pages):
    return {name: Outline(page) for name, page in pages.items()}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_well_formed_in_one_language_with_one_title(outlines, name):
    outline = outlines[name]
    assert outline.open == []
    assert outline.find("html", lang="en")
    assert len(outline.find("h1")) == 1
    assert outline.find("meta", name="viewport", content="width=device-width, initial-scale=1")


@pytest.mark.parametrize("name", PAGES)
def test_ids_are_unique_and_links_lead_somewhere(outlines, pages, name):
    outline = outlines[name]
    assert len(outline.ids) == len(set(outline.ids))
    for link in outline.find("a"):
        page, _, anchor = link["href"].partition("#")
        assert not page or page in pages
        assert not anchor or anchor in outlines[page or name].ids


@pytest.mark.parametrize("name", PAGES)
def test_a_page_reaches_no_other_address(pages, name):
    assert find_outside(pages[name]) == []
    without_notice = pages[name].replace("http://data.example/licence", "")
    assert "://" not in without_notice
    assert not re.search(r"url\((?!#)|@import|<script|<link", without_notice)
    for word in ("require.js", "requirejs", "mathjax", "mermaid", "cdn", "unpkg"):
        assert word not in without_notice.casefold()


@pytest.mark.parametrize("name", PAGES)
def test_every_page_names_run_date_base_freshness_and_notice(outlines, name):
    text = outlines[name].text
    assert RUN.run_id in text
    assert "1 November 2026" in text
    assert RUN.base in text
    assert "shop (e-commerce): 31 October 2026" in text
    assert "erp (IT): 12 October 2026" in text
    assert "pos: no delivery" in text
    assert RUN.notices[0] in text
    assert "What was checked: " in text
    assert "conform" not in text


@pytest.mark.parametrize("name", PAGES)
def test_headings_skip_no_level_and_the_content_can_be_reached_first(outlines, name):
    outline = outlines[name]
    levels = [int(tag[1]) for tag, _ in outline.elements if re.fullmatch("h[1-6]", tag)]
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))
    first_link = outline.find("a")[0]
    assert first_link["href"] == "#content"
    assert "content" in outline.ids


def test_a_page_shows_prose_and_results_and_no_code(outlines):
    text = outlines["06_churn_and_value.html"].text
    assert "Decides whom to win back." in text
    assert "1,412 customers are late." in text
    assert "What each source delivered" in text
    assert "12 rows <read>" in text
    assert "a price of $5 or $6 is a price" in text
    for hidden in ("secret_code", "run_dir", "a warning nobody should see"):
        assert hidden not in text


def test_a_room_shows_its_own_figures_with_their_change(outlines):
    text = outlines["06_churn_and_value.html"].text
    assert "€412,345 ▲ 3.1%, better" in text
    assert "rows rejected" not in text


def test_rooms_lead_to_their_neighbours_and_show_where_one_is(outlines):
    outline = outlines["04_customers.html"]
    assert outline.find("a", rel="prev", href="01_intake.html")
    assert outline.find("a", rel="next", href="06_churn_and_value.html")
    assert [link["href"] for link in outline.find("a", **{"aria-current": "page"})] == ["04_customers.html"]


def test_a_skipped_room_shows_its_sentence_and_nothing_of_the_notebook(outlines):
    outline = outlines["04_customers.html"]
    assert ROOMS[1].skipped in outline.text
    assert outline.find("figure") == []
    assert "1,412" not in outline.text


def test_the_overview_shows_figures_changes_findings_rooms_and_facts(outlines):
    text = outlines["index.html"].text
    assert "2 of 3 rooms ran on data up to 1 November 2026; 1 had no input." in text
    assert "Worse than in the run before rows rejected 1.2% ▲ 0.1 points" in text
    assert "Better than in the run before rows read 465,412 ▲ 8.0%" in text
    assert "1,412 customers are late." in text
    assert "04 Customers : No source delivers consents" in text
    assert "1 min 23 s" in text
    assert "erp IT 2026-10-12 20 8,412" in text
    assert "tickets one purchase 420,000" in text


def test_the_overview_of_a_first_run_promises_no_comparison():
    run = RunContext("r1", "first", RUN.as_of_date)
    text = Outline(html.render_index(IndexContext(run))).text
    assert "no earlier run" in text
    assert "than in the run before" not in text


def test_the_data_dictionary_holds_every_column_of_every_contract(outlines):
    outline = outlines["data_dictionary.html"]
    for name, contract in CONTRACTS.items():
        assert name in outline.ids
        assert contract.meaning in outline.text
        assert all(column.name in outline.text and column.meaning in outline.text for column in contract.columns)


def test_the_same_run_gives_the_same_page(notebook_path, pages):
    page = PageContext(RUN, ROOMS[2], HEADLINES[2:])
    assert html.render_page(notebook_path, page) == pages["06_churn_and_value.html"]


def test_names_of_the_run_are_escaped(notebook_path):
    run = dataclasses.replace(RUN, name="<b>x</b>", notices=("<i>n</i>",))
    page = html.render_page(notebook_path, PageContext(run, ROOMS[2]))
    assert "<b>x</b>" not in page
    assert "<i>n</i>" not in page


def write(tmp_path, *cells):
    path = tmp_path / "06_churn_and_value.ipynb"
    nbformat.write(new_notebook(cells=list(cells)), path)
    return path


def test_a_notebook_that_reaches_outside_is_refused(tmp_path):
    path = write(tmp_path, new_markdown_cell("# Q\n\n[more](https://elsewhere.example)"))
    with pytest.raises(GateError, match="Page '06_churn_and_value', line"):
        html.render_page(path, PageContext(RUN, ROOMS[2]))


def test_a_notebook_without_prose_has_the_rooms_title(tmp_path):
    page = html.render_page(write(tmp_path, new_code_cell("1")), PageContext(RUN, ROOMS[2]))
    assert "<h1>Churn and value</h1>" in page


def test_a_failed_cell_shows_class_and_sentence_without_traceback(tmp_path):
    error = new_output("error", ename="InputError", evalue="The file is empty.", traceback=["secret traceback"])
    marker = new_markdown_cell("An Exception was encountered", metadata={"tags": ["papermill-error-cell-tag"]})
    path = write(tmp_path, marker, new_markdown_cell("# Q"), new_code_cell("1", outputs=[error]))
    text = Outline(html.render_page(path, PageContext(RUN, ROOMS[2]))).text
    assert "InputError: The file is empty." in text
    assert "secret" not in text
    assert "Exception was encountered" not in text


def test_repeated_questions_get_anchors_of_their_own(tmp_path):
    path = write(
        tmp_path, new_markdown_cell("# Q"), new_markdown_cell("## Same & more"), new_markdown_cell("## Same & more")
    )
    outline = Outline(html.render_page(path, PageContext(RUN, ROOMS[2])))
    assert {"q1", "q2"} <= set(outline.ids)
    assert outline.text.count("Same & more") == 4
