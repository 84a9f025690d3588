from datetime import date
from xml.etree import ElementTree

import pandas as pd
import pytest

from crmlib.report import tables

FRAME = pd.DataFrame(
    {
        "source": ["shop", "<b>erp</b> & co", None],
        "rows": [12_000, 8_412, 0],
        "share": [0.914, None, 0.5],
        "delivered_on": [date(2026, 10, 31)] * 3,
    }
)


def parse(fragment) -> ElementTree.Element:
    return ElementTree.fromstring(fragment._repr_html_())


def texts(element, path) -> list[str]:
    return ["".join(found.itertext()) for found in element.findall(path)]


def test_a_table_has_caption_headings_and_formatted_cells():
    shown = parse(tables.show(FRAME, "Deliveries", formats={"share": "%"}, labels={"rows": "rows read"}))
    assert texts(shown, ".//caption") == ["Deliveries"]
    assert texts(shown, ".//thead//th") == ["source", "rows read", "share", "delivered on"]
    assert texts(shown, ".//tbody/tr[1]/*") == ["shop", "12,000", "91%", "2026-10-31"]
    assert texts(shown, ".//tbody/tr[2]/*") == ["<b>erp</b> & co", "8,412", "–", "2026-10-31"]


def test_headings_and_first_cells_say_what_they_head():
    shown = parse(tables.show(FRAME, "Deliveries"))
    assert {heading.get("scope") for heading in shown.findall(".//thead//th")} == {"col"}
    assert {heading.get("scope") for heading in shown.findall(".//tbody//th")} == {"row"}


def test_numbers_are_aligned_right_with_their_heading():
    shown = parse(tables.show(FRAME, "Deliveries"))
    numbers = [cell.get("class") == "crm-number" for cell in shown.findall(".//tbody/tr[1]/*")]
    headings = [cell.get("class") == "crm-number" for cell in shown.findall(".//thead//th")]
    assert numbers == headings == [False, True, True, False]


def test_the_box_that_scrolls_can_be_reached_and_is_named():
    box = parse(tables.show(FRAME, "Deliveries")).find(".//div[@role='region']")
    assert box is not None
    assert (box.get("tabindex"), box.get("aria-label")) == ("0", "Deliveries")


def test_rows_left_out_are_counted_and_the_frame_is_unchanged():
    before = FRAME.copy()
    shown = tables.show(FRAME, "Deliveries", max_rows=1, note="As delivered.")
    assert "As delivered. 2 more rows are in the table itself." in "".join(parse(shown).itertext())
    assert len(parse(shown).findall(".//tbody/tr")) == 1
    pd.testing.assert_frame_equal(FRAME, before)


def test_bars_are_relative_to_the_largest_value():
    shown = parse(tables.show(FRAME, "Deliveries", bars=["rows"]))
    styles = [bar.get("style") for bar in shown.findall(".//span[@class='crm-bar']")]
    assert styles == ["--share:100.0%", "--share:70.1%", "--share:0.0%"]


def test_an_empty_frame_is_a_table_that_says_so():
    shown = parse(tables.show(FRAME.head(0), "Unmapped values", note="As of today."))
    assert shown.findall(".//tbody/tr") == []
    assert texts(shown, "p") == ["Nothing to show here. As of today."]


def test_a_sentence_escapes_its_words_and_its_figures():
    said = tables.say("<i>{n:,}</i> & {name}", n=2873, name="<script>")
    assert "".join(parse(said).itertext()) == "<i>2,873</i> & <script>"
    assert said.plain == "<i>2,873</i> & <script>"


def test_a_sentence_marks_its_figures():
    assert texts(parse(tables.say("Of {n:,}, {share:.1%}.", n=2873, share=0.4321)), "span") == ["2,873", "43.2%"]


@pytest.mark.parametrize("tone", ["neutral", "good", "attention", "bad"])
def test_a_finding_says_its_tone_in_words_and_what_to_do(tone):
    found = parse(tables.finding("{n} left.", tone=tone, action="Call the {n}.", n=7))
    assert tables.TONE_WORDS[tone] in "".join(found.itertext())
    assert "What to do: Call the 7." in "".join(found.itertext())


def test_a_finding_writes_money_as_tables_do():
    found = tables.finding(
        "{cost:money} spent.", action="Ask for {back:money.2}.", cost=-1234.4, back=3, currency="EUR"
    )
    assert texts(parse(found), ".//span") == ["\N{MINUS SIGN}€1,234", "€3.00"]
    assert found.plain == "Finding: \N{MINUS SIGN}€1,234 spent.\nWhat to do: Ask for €3.00."


def test_a_finding_of_another_tone_is_refused():
    with pytest.raises(ValueError, match="neutral, good, attention, bad"):
        tables.finding("x", tone="purple")


def test_what_is_shown_has_words_for_those_who_see_no_html():
    bundle = tables.show(FRAME, "Deliveries")._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}
    assert bundle["text/plain"].startswith("Deliveries\nsource | rows | share | delivered on\nshop | 12,000")


def test_rounded_counts_stand_like_numbers():
    counts = ["1,230", "<10", "\N{MIDDLE DOT}"]
    frame = pd.DataFrame({"island": ["A", "B", "C"], "customers": counts, "code": ["007", "12", "5"]})
    first = parse(tables.show(frame, "Islands")).find(".//tbody/tr")
    assert [cell.get("class") for cell in first] == ["crm-short", "crm-number", "crm-short"]


def test_a_folded_table_is_opened_by_its_caption():
    shown = parse(tables.show(FRAME, "Deliveries", folded=True))
    assert shown.tag == "details"
    assert texts(shown, "summary") == ["Deliveries"]
    assert len(shown.findall(".//tbody/tr")) == len(FRAME)
