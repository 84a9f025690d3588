"""What a web form's definition may say."""

from __future__ import annotations

import pytest

from crmlib.errors import ParamsError
from crmlib.sources.forms import read_form

GOOD = """form: club
version: "1"
title: The club
action: https://shop.example/club
key: email
fields:
  email: {label: E-mail, kind: email, required: true}
  code: {label: Postcode, pattern: "[0-9]{5}", fills: postcode}
consents:
  offers: {text: Offers, version: "1", purpose: marketing, channels: [email]}
"""


@pytest.fixture
def problem(tmp_path):
    def problem(old: str, new: str) -> str:
        assert GOOD.count(old) == 1
        path = tmp_path / "form.yaml"
        path.write_text(GOOD.replace(old, new))
        with pytest.raises(ParamsError) as caught:
            read_form(path)
        return str(caught.value).replace(str(path), "form.yaml")

    return problem


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            'version: "1"\ntitle',
            "version: 1\ntitle",
            "form.yaml:2: version: write a text, in quotes if it is a number.",
        ),
        ("key: email", "key: code", "form.yaml:5: key: name a field that is required."),
        ("https://shop.example/club", "http://shop.example/club", "form.yaml:4: action: "),
        ("fills: postcode", "fills: post", "form.yaml:8: fields.code: a record has no field 'post'; say fills:"),
        ("fills: postcode", "fills: email", "form.yaml:8: fields.code: another field fills 'email', too."),
        ("kind: email", "kind: choice", "form.yaml:7: fields.email: a choice needs choices:"),
        ('"[0-9]{5}"', '"[0-9"', "fields.code.pattern: this is not a regular expression"),
        ('"[0-9]{5}"', '"(?=a)b"', "fields.code.pattern: look-arounds"),
        ('"[0-9]{5}"', '"[0-9-]+"', "fields.code.pattern: in square brackets put a backslash"),
        ("channels: [email]", "channels: []", "form.yaml:10: consents.offers.channels: give at least one."),
        ("channels: [email]", "channels: [email, email]", "consents.offers: another consent is about the same"),
        ("purpose: marketing", "purpose: fun", "form.yaml:10: consents.offers.purpose: write "),
        ("title:", "titel:", "form.yaml:3: titel: this key is unknown. Did you mean 'title'?"),
    ],
)
def test_a_wrong_definition_is_told_with_file_line_and_key(problem, old, new, said):
    assert said in problem(old, new)


def test_the_worked_example_is_in_order(root):
    form = read_form(root / "params" / "forms" / "newsletter.yaml")
    assert (form.form, form.key, form.double_opt_in, len(form.consents)) == ("newsletter", "email", True, 3)
