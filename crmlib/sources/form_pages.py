"""What is published of a web form: a page of plain HTML that needs no script, and the JSON Schema of a submission."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from crmlib.errors import InputError
from crmlib.sources.forms import SHAPES, Form, FormField, read_form

#: Kind of field -> type of the input.
INPUTS = {"text": "text", "email": "email", "phone": "tel", "date": "date"}


def write_form(definition: Path, folder: Path) -> list[Path]:
    """Write a form's page and the schema of its submissions.

    Parameters
    ----------
    definition : Path
        The YAML file.
    folder : Path
        Made if it is not there.

    Returns
    -------
    list of Path
        The files, named after the form.

    Raises
    ------
    InputError
        If the definition is wrong, or the folder cannot be written to.
    """
    form = read_form(definition)
    page, schema = folder / f"{form.form}.html", folder / f"{form.form}.schema.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        page.write_text(draw_form(form), encoding="utf-8")
        schema.write_text(json.dumps(describe_submission(form), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"{folder}: the form cannot be written there ({error.strerror}).") from None
    return [page, schema]


def draw_form(form: Form) -> str:
    """The form as a page of HTML."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    text = files(__package__).joinpath("form.html.j2").read_text(encoding="utf-8")
    return environment.from_string(text).render(form=form, inputs=INPUTS, patterns={"phone": SHAPES["phone"][0]}) + "\n"


def describe_submission(form: Form) -> dict[str, Any]:
    """The JSON Schema of a submission of the form's present version."""
    consents = {
        name: _only(
            {
                "granted": {"const": True} if consent.required else {"type": "boolean"},
                "wording_version": {"const": consent.version},
            },
            ["granted", "wording_version"],
        )
        for name, consent in form.consents.items()
    }
    time = {"type": "string", "format": "date-time"}
    properties = {
        "submitted_at": time,
        "form": {"const": form.form},
        "version": {"const": form.version},
        "fields": _only(
            {name: _describe_field(field) for name, field in form.fields.items()},
            [name for name, field in form.fields.items() if field.required],
        ),
        "consents": _only(consents, [name for name, consent in form.consents.items() if consent.required]),
        "ip": {"type": "string"},
        "confirmed_at": time,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"{form.title} ({form.form} {form.version})",
        **_only(properties, ["submitted_at", "form", "version", "fields", *(["consents"] if form.consents else [])]),
    }


def _only(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _describe_field(field: FormField) -> dict[str, Any]:
    """A text as a browser sends it: one that need not be told may be empty."""
    described: dict[str, Any] = {"type": "string", "description": field.label, "maxLength": field.longest}
    pattern = SHAPES[field.kind][0] if field.kind in SHAPES else field.pattern
    if field.kind == "date" and field.required:
        described["format"] = "date"
    if field.choices:
        described["enum"] = [*field.choices, *([] if field.required else [""])]
    elif pattern is not None:
        described["pattern"] = f"^(?:{pattern})$" if field.required else f"^(?:{pattern})?$"
    elif field.required:
        described["pattern"] = r"\S"
    return described
