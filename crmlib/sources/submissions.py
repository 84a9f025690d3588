"""Submissions of a web form: they become records and consents, or are set aside with the rule they break.

A submission is an object of JSON: ``submitted_at``, ``form``, ``version``, ``fields`` by name, ``consents`` by id
(whether it is granted, and the version of its wording), and ``ip`` and ``confirmed_at`` where they are known. One of an
earlier version of the form stays good: what that version required is not known any more, so nothing is missed in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from crmlib.engine import literal, quote
from crmlib.params import EntitySource, FieldFrom
from crmlib.sources.formats import NO
from crmlib.sources.forms import SHAPES, Form
from crmlib.sources.mapping import rename_columns


def map_form(form: Form) -> tuple[dict[str, FieldFrom], dict[str, dict[str, Any]]]:
    """What the places of a submission mean.

    Returns
    -------
    (dict of str to FieldFrom, dict of str to dict)
        Fields and values of ``customers``, as params write them.
    """
    told: dict[str, dict[str, Any] | str] = {
        "source_record_id": f"fields.{form.key}",
        **{field.fills or name: f"fields.{name}" for name, field in form.fields.items()},
        "origin": {"value": "online"},
        "updated_at": {"from": ["confirmed_at", "submitted_at"], "take": "first"},
    }
    values: dict[str, dict[str, Any]] = {}
    for name, consent in form.consents.items():
        for channel in consent.channels:
            about = f"consent.{channel}.{consent.purpose}"
            told[about] = f"consents.{name}.granted"
            told[f"{about}.wording_version"] = f"consents.{name}.wording_version"
            if not form.withdraws:
                values[about] = dict.fromkeys(NO)
    if form.consents:
        told |= {
            "consent.at": "submitted_at",
            "consent.form": {"from": ["form", "version"]},
            "consent.ip": "ip",
            "consent.confirmed_at": "confirmed_at",
            "consent.double_opt_in": {"value": form.double_opt_in},
            "consent.legal_basis": {"value": "consent"},
        }
    fields = {
        name: FieldFrom.model_validate({"from": said} if isinstance(said, str) else said) for name, said in told.items()
    }
    return fields, values


def apply_form(form: Form | None, delivery: EntitySource, columns: Iterable[str]) -> EntitySource:
    """Put a form's map in a delivery's place; what the params map themselves comes first.

    Parameters
    ----------
    form : Form or None
    delivery : EntitySource
    columns : iterable of str
        The places that the submissions fill: what none of them says is left out.
    """
    if form is None:
        return delivery
    there = {column: column for column in columns}
    fields, values = map_form(form)
    found = {name: rename_columns(field, there) for name, field in fields.items()}
    return delivery.model_copy(
        update={
            "fields": {**{name: field for name, field in found.items() if field is not None}, **delivery.fields},
            "values": {**values, **delivery.values},
        }
    )


def find_fault(form: Form | None, columns: Iterable[str]) -> str:
    """The expression for the first rule of the form that a submission breaks: its place and the rule, or nothing.

    Parameters
    ----------
    form : Form or None
        Without one nothing is wrong.
    columns : iterable of str
        The places that the submissions fill.
    """
    if form is None:
        return "CAST(NULL AS VARCHAR[])"
    there = dict.fromkeys(columns)
    texts = {place: f"nullif(trim(CAST({quote(place)} AS VARCHAR)), '')" for place in there}
    cases = [f"WHEN {broken} THEN [{literal(place)}, {literal(rule)}]" for broken, place, rule in _rules(form, texts)]
    return f"CASE {' '.join(cases)} END"


def _rules(form: Form, texts: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Condition of a submission that breaks a rule, the place that is wrong, and the rule."""

    def text(place: str) -> str:
        return texts.get(place, "CAST(NULL AS VARCHAR)")

    yield f"{text('form')} IS DISTINCT FROM {literal(form.form)}", "form", "other_form"
    yield _is_not_among(text("version"), [form.version, *form.earlier_versions]), "version", "other_version"
    yield f"{text('submitted_at')} IS NULL", "submitted_at", "missing"
    current = f"{text('version')} = {literal(form.version)}"
    for name, field in form.fields.items():
        place = f"fields.{name}"
        if field.required:
            yield f"{current} AND {text(place)} IS NULL", place, "missing"
        yield f"length({text(place)}) > {field.longest}", place, "too_long"
        pattern, rule = SHAPES.get(field.kind, (field.pattern, "wrong_pattern"))
        if pattern is not None:
            yield f"NOT regexp_full_match({text(place)}, {literal(pattern)})", place, rule
        if field.kind == "date":
            yield f"{text(place)} IS NOT NULL AND TRY_CAST({text(place)} AS DATE) IS NULL", place, "not_a_date"
        if field.choices:
            yield f"{text(place)} IS NOT NULL AND {_is_not_among(text(place), field.choices)}", place, "not_a_choice"
    for name, consent in form.consents.items():
        granted, wording = f"consents.{name}.granted", f"consents.{name}.wording_version"
        if consent.required:
            yield f"{current} AND coalesce({text(granted)}, '') <> 'true'", granted, "not_agreed"
        yield f"{text(granted)} NOT IN ('true', 'false')", granted, "not_yes_or_no"
        known = [consent.version, *consent.earlier_versions]
        yield f"{text(granted)} = 'true' AND {_is_not_among(text(wording), known)}", wording, "unknown_wording"
    asked = {f"fields.{name}" for name in form.fields} | {
        f"consents.{name}.{part}" for name in form.consents for part in ("granted", "wording_version")
    }
    for place in texts:
        if place.startswith(("fields.", "consents.")) and place not in asked:
            yield f"{text(place)} IS NOT NULL", place, "unknown_place"


def _is_not_among(text: str, values: Iterable[str]) -> str:
    return f"coalesce({text}, '') NOT IN ({', '.join(literal(value) for value in values)})"
