"""Web forms: a definition says what is asked, and which consents in which words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from crmlib.documents import Settings, Where, read_document
from crmlib.errors import ParamsError
from crmlib.params import EntitySource, resolve_path
from crmlib.tables import CONTRACTS

#: Kind of field -> the pattern of what it may hold, and the rule that is broken otherwise.
SHAPES = {
    "email": (r"[^@\s]+@[^@\s]+\.[^@\s.]{2,}", "not_an_email"),
    "phone": (r"\+?[0-9][0-9 \(\)\.\-]{4,18}[0-9]", "not_a_phone"),
    "date": (r"\d{4}-\d{2}-\d{2}", "not_a_date"),
}
#: Fields of a record that a form may fill.
FILLED = tuple(
    column.name
    for column in CONTRACTS["source_records"].columns
    if column.kind in ("text", "date", "texts") and column.name not in ("source", "source_record_id", "extra", "origin")
)
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class FormField(Settings):
    """What a form asks.

    Parameters
    ----------
    label, hint : str
    kind : {"text", "email", "phone", "date", "choice"}
    required : bool
    longest : int
        Characters it may have.
    pattern : str, optional
        Regular expression that the whole text must meet; `hint` says it in words.
    choices : dict of str to str
        Value -> its label.
    fills : str, optional
        Field of the record; the name of the form's when absent.
    autocomplete : str, optional
        What a browser may fill in by itself, as HTML names it.
    """

    label: str
    hint: str | None = None
    kind: Literal["text", "email", "phone", "date", "choice"] = "text"
    required: bool = False
    longest: int = Field(default=200, ge=1, le=2000)
    pattern: str | None = None
    choices: dict[str, str] = Field(default_factory=dict)
    fills: str | None = None
    autocomplete: str | None = None

    @field_validator("pattern")
    @classmethod
    def _is_known_everywhere(cls, value: str | None) -> str | None:
        if value is None:
            return value
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"this is not a regular expression ({error})") from None
        if re.search(r"\(\?[^:]|\\[1-9AZzbB]|[*+?}]\+", value):
            raise ValueError("look-arounds, back-references and possessive quantifiers are not known in every browser")
        if re.search(r"\[(?:[^\]\\]|\\.)*?[(){}/|]|\[\^?-|(?<!\\)-\]", value):
            raise ValueError("in square brackets put a backslash before ( ) { } / | and -, as browsers ask")
        return value

    @model_validator(mode="after")
    def _has_choices(self) -> FormField:
        if (self.kind == "choice") != bool(self.choices):
            raise ValueError("a choice needs choices:, and nothing else has them")
        if self.pattern is not None and self.kind != "text":
            raise ValueError("only a text has a pattern:; the other kinds have their own")
        return self


class FormConsent(Settings):
    """What a form asks to be allowed.

    Parameters
    ----------
    text : str
        Its wording, as the person reads it.
    version : str
        Version of the wording.
    earlier_versions : list of str
        Versions under which it was granted before.
    purpose : str
    channels : list of str
    required : bool
        Whether the form cannot be sent without it.
    """

    text: str
    version: str
    earlier_versions: list[str] = Field(default_factory=list)
    purpose: Literal["marketing", "profiling", "service", "third_party"]
    channels: list[Literal["email", "sms", "push", "postal", "call", "ads"]] = Field(min_length=1)
    required: bool = False


class Form(Settings):
    """A form.

    Parameters
    ----------
    form, version : str
        Its name and its version.
    earlier_versions : list of str
    title, intro, submit : str
        What stands above it, and on its button.
    language : str
        Of its texts.
    action : str
        Address that it is sent to.
    key : str
        The field by which a person is known again.
    fields : dict of str to FormField
    consents_title : str
        What stands above the consents.
    consents : dict of str to FormConsent
    double_opt_in : bool
        Whether a consent counts only once ``confirmed_at`` is told.
    withdraws : bool
        Whether an empty box takes a consent back, because the form shows what stands; else it says nothing.
    privacy : str, optional
        Address of what else must be told.
    """

    form: Name
    version: str
    earlier_versions: list[str] = Field(default_factory=list)
    title: str
    intro: str = ""
    submit: str = "Send"
    language: str = Field(default="en", pattern=r"^[a-z]{2}(-[A-Z]{2})?$")
    action: str = Field(pattern=r"^(https://|/)\S+$")
    key: str
    fields: dict[Name, FormField] = Field(min_length=1)
    consents_title: str = "What may we do?"
    consents: dict[Name, FormConsent] = Field(default_factory=dict)
    double_opt_in: bool = False
    withdraws: bool = False
    privacy: str | None = Field(default=None, pattern=r"^(https://|/)\S+$")


def read_form(path: Path) -> Form:
    """Read and check a form's definition.

    Raises
    ------
    ParamsError
        With every problem found, each naming file, line and key.
    """
    document = read_document(path, "form", "form:, fields: and consents:")
    problems = list(document.problems)
    try:
        form = Form.model_validate(document.data)
    except ValidationError as error:
        raise ParamsError(problems + [document.tell(dict(problem), Form) for problem in error.errors()]) from None
    problems += [document.at(where, sentence) for where, sentence in _find_contradictions(form)]
    if problems:
        raise ParamsError(problems)
    return form


def _find_contradictions(form: Form) -> Iterator[tuple[Where, str]]:
    """What no single key can know."""
    if form.key not in form.fields or not form.fields[form.key].required:
        yield ("key",), "name a field that is required."
    filled = [field.fills or name for name, field in form.fields.items()]
    for name, place in zip(form.fields, filled, strict=True):
        if place not in FILLED:
            yield ("fields", name), f"a record has no field '{place}'; say fills:, one of {', '.join(FILLED)}."
        elif filled.count(place) > 1:
            yield ("fields", name), f"another field fills '{place}', too."
    asked = [(channel, consent.purpose) for consent in form.consents.values() for channel in consent.channels]
    for name, consent in form.consents.items():
        if any(asked.count((channel, consent.purpose)) > 1 for channel in consent.channels):
            yield ("consents", name), "another consent is about the same purpose and channel."


def find_form(given: EntitySource, params_file: Path) -> Form | None:
    """The form whose submissions are delivered, if params name one.

    Raises
    ------
    ParamsError
        As `read_form`.
    """
    return None if given.form is None else read_form(Path(resolve_path(params_file, given.form)))
