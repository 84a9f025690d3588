"""What is published of a web form."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from crmlib.cli import app
from crmlib.engine import Engine, quote
from crmlib.sources.form_pages import describe_submission, draw_form
from crmlib.sources.forms import read_form
from crmlib.sources.submissions import find_fault
from tests.conftest import ROOT

FORM = read_form(ROOT / "params" / "forms" / "newsletter.yaml")


class Page(HTMLParser):
    """Every element of a page: its tag, attributes, and the elements it stands in."""

    VOID = ("meta", "input", "link", "br", "img")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None], tuple[str, ...]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), tuple(self.open)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes nothing"

    def every(self, *tags):
        return [(attributes, above) for tag, attributes, above in self.elements if tag in tags]


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(draw_form(FORM))


def test_every_input_has_its_label_and_what_describes_it_is_there(page):
    ids = [attributes["id"] for _, attributes, _ in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    labelled = {attributes["for"] for attributes, _ in page.every("label")}
    asked = [attributes for attributes, _ in page.every("input", "select") if attributes.get("type") != "hidden"]
    assert {attributes["id"] for attributes in asked} == labelled
    assert {attributes["aria-describedby"] for attributes in asked if "aria-describedby" in attributes} <= set(ids)
    assert {attributes["href"][1:] for attributes, _ in page.every("a") if attributes["href"][0] == "#"} <= set(ids)


def test_consents_stand_in_a_fieldset_with_a_legend_and_none_is_ticked(page):
    boxes = [pair for pair in page.every("input") if pair[0]["type"] == "checkbox"]
    assert len(boxes) == len(FORM.consents)
    assert all("fieldset" in above and "checked" not in attributes for attributes, above in boxes)
    assert len(page.every("legend")) == 1


def test_the_page_needs_no_script_and_nothing_from_elsewhere(page):
    assert not page.every("script", "img", "link", "iframe")
    assert "url(" not in draw_form(FORM)
    assert page.every("html")[0][0]["lang"] == "en"
    assert page.every("form")[0][0] == {"method": "post", "action": FORM.action, "accept-charset": "utf-8"}


def test_every_field_that_can_be_wrong_is_in_the_summary_of_errors(page):
    listed = {attributes["class"] for attributes, above in page.every("li") if "div" in above}
    assert listed == {*FORM.fields, "consent-offers"}


def test_what_a_definition_says_is_text_and_no_markup():
    sneaky = FORM.model_copy(update={"title": "<script>x</script>", "intro": '"><b>'})
    assert not Page(draw_form(sneaky)).every("script", "b")


def test_the_inputs_send_what_the_schema_describes(page):
    schema = describe_submission(FORM)
    names = {attributes["name"] for attributes, _ in page.every("input", "select")}
    described = {"form", "version"} | {f"fields.{name}" for name in schema["properties"]["fields"]["properties"]}
    for name, consent in schema["properties"]["consents"]["properties"].items():
        described |= {f"consents.{name}.{part}" for part in consent["properties"]}
    assert names == described
    jsonschema.Draft202012Validator.check_schema(schema)


def test_patterns_are_ones_that_browsers_know(page):
    for attributes, _ in page.every("input"):
        pattern = attributes.get("pattern", "")
        for inside in re.findall(r"(?<!\\)\[((?:[^\]\\]|\\.)*)\]", pattern):
            assert not re.search(r"(?<!\\)[(){}/|]|(?<![\\\w])-|-$(?<!\\-)", inside), pattern


TEXTS = st.sampled_from(["", "35200", "3520", "Ana", "A" * 61, "ana@mail.example", "ana@mail", "T02", "2001-02-03",
                         "03/02/2001", "+34 600 00 00 01", "12", "(928) 00-00.00"])  # fmt: skip
SUBMISSIONS = st.fixed_dictionaries(
    {
        "submitted_at": st.just("2026-03-05T10:00:00Z"),
        "form": st.sampled_from(["newsletter", "newsletter", "newsletter", "other"]),
        "version": st.just("2026-03"),
        "fields": st.fixed_dictionaries(
            {"email": st.sampled_from(["ana@mail.example", "ana@mail.example", "ana"])},
            optional={name: TEXTS for name in [*FORM.fields, "comment"] if name not in ("email", "birth_date")},
        ),
        "consents": st.fixed_dictionaries(
            {},
            optional={
                name: st.fixed_dictionaries(
                    {
                        "granted": st.sampled_from([True, True, False]),
                        "wording_version": st.sampled_from(["2026-03", "2026-03", "1"]),
                    }
                )
                for name in FORM.consents
            },
        ),
    }
)


def places_of(value, above=()):
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield from places_of(inner, (*above, name))
        else:
            yield ".".join((*above, name)), "true" if inner is True else "false" if inner is False else inner


@settings(max_examples=150, deadline=None)
@given(SUBMISSIONS)
def test_intake_takes_what_the_schema_allows(sent):
    validator = jsonschema.Draft202012Validator(describe_submission(FORM))
    places = dict(places_of(sent))
    engine = Engine(threads=1, memory_limit="500MB")
    values = ", ".join(f"${index} AS {quote(place)}" for index, place in enumerate(places, start=1))
    fault = engine.connection.execute(
        f"SELECT {find_fault(FORM, places)} FROM (SELECT {values})", list(places.values())
    ).fetchone()[0]
    engine.close()
    wording_of_nothing = any(
        not consent["granted"] and consent["wording_version"] == "1" for consent in sent["consents"].values()
    )
    empty_of_nothing = sent["fields"].get("comment") == ""
    if not wording_of_nothing and not empty_of_nothing:
        assert (fault is None) == validator.is_valid(sent), fault


def test_the_command_writes_the_page_and_the_schema(tmp_path):
    definition = ROOT / "params" / "forms" / "newsletter.yaml"
    done = CliRunner().invoke(app, ["form", str(definition), str(tmp_path / "public")])
    assert done.exit_code == 0
    assert (tmp_path / "public" / "newsletter.html").read_text(encoding="utf-8") == draw_form(FORM)
    schema = json.loads((tmp_path / "public" / "newsletter.schema.json").read_text(encoding="utf-8"))
    assert schema == describe_submission(FORM)
