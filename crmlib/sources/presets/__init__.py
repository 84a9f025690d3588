"""Known layouts of other tools' exports, a YAML file each; the file's name is the preset's.

A preset calls each column by one name; where a tool translates its headings, or lets its users choose them, it lists
what else the column may be called, or that it is `labelled` by them: then the label is understood as `crm init` would.
A generation is known by its `headings`; what else a field is made of is taken where the file has it.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Literal

import yaml
from pydantic import Field

from crmlib.documents import Settings
from crmlib.errors import InputError
from crmlib.params import EntitySource, FieldFrom, FieldMap, Unfold
from crmlib.sources.guessing.headings import score_fields
from crmlib.sources.mapping import columns_of, rename_columns

#: How near a label must be to what a field is called.
LIKE_LABEL = 0.6


class Generation(Settings):
    """One generation of a layout.

    Parameters
    ----------
    name : str
    headings : list of str
        The columns by which it is known.
    fields, values : dict
        As in params, beside those of the preset.
    """

    name: str
    headings: list[str]
    fields: dict[str, FieldMap] = Field(default_factory=dict)
    values: dict[str, dict[str, str | bool | None]] = Field(default_factory=dict)


class Preset(Settings):
    """A known layout in all its generations, the newest first.

    Parameters
    ----------
    entity, about : str
    also_called : dict of str to list of str
        Column -> what else it may be called.
    labelled : list of str
        Columns whose headings the tool's users choose.
    rows_with : str or dict of str to list of str, optional
    unfold : Unfold, optional
        As in params; `fields` and `headings` name the columns there are then.
    date, decimal : str, optional
        As in a dialect.
    fields, values : dict
        What all generations have in common.
    generations : list of Generation
    """

    entity: str
    about: str
    also_called: dict[str, list[str]] = Field(default_factory=dict)
    labelled: list[str] = Field(default_factory=list)
    rows_with: str | dict[str, list[str]] | None = None
    unfold: Unfold | None = None
    date: str | None = None
    decimal: Literal[".", ","] | None = None
    fields: dict[str, FieldMap] = Field(default_factory=dict)
    values: dict[str, dict[str, str | bool | None]] = Field(default_factory=dict)
    generations: list[Generation]


def list_presets() -> list[str]:
    """Names of the presets there are."""
    return sorted(file.name.removesuffix(".yaml") for file in files(__name__).iterdir() if file.name.endswith(".yaml"))


@cache
def read_preset(name: str, where: str) -> Preset:
    """Read a preset.

    Raises
    ------
    InputError
        If there is none of this name.
    """
    if name not in list_presets():
        raise InputError(f"{where}: there is no preset '{name}'; there are: {', '.join(list_presets())}.")
    text = files(__name__).joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    return Preset.model_validate(yaml.safe_load(text))


def own_rows(delivery: EntitySource, where: str) -> str | dict[str, list[str]] | None:
    """Which rows of a file are the entity's own, as the params say, or else the preset."""
    if delivery.rows_with is not None or delivery.preset is None:
        return delivery.rows_with
    return read_preset(delivery.preset, where).rows_with


def own_cells(delivery: EntitySource, where: str) -> Unfold | None:
    """Which cells of a file are rows of their own, as the params say, or else the preset."""
    if delivery.unfold is not None or delivery.preset is None:
        return delivery.unfold
    return read_preset(delivery.preset, where).unfold


def describe_preset(name: str) -> str:
    """A preset's text, to know when it changes; empty if there is none of this name."""
    file = files(__name__).joinpath(f"{name}.yaml")
    return file.read_text(encoding="utf-8") if name in list_presets() else ""


def apply_preset(delivery: EntitySource, entity: str, columns: list[str], file_name: str, where: str) -> EntitySource:
    """Put a preset's map in a delivery's place; what the params map themselves comes first.

    Parameters
    ----------
    delivery : EntitySource
    entity : str
        What the delivery is to fill.
    columns : list of str
        The file's headings.
    file_name, where : str
        For the error.

    Raises
    ------
    InputError
        If the preset is one of another entity, or if the headings fit no generation: names the nearest and the columns
        that differ.
    """
    if delivery.preset is None:
        return delivery
    preset = read_preset(delivery.preset, where)
    if preset.entity != entity:
        raise InputError(f"{where}: the preset {delivery.preset} is one of {preset.entity}, not of {entity}.")
    found = _find_columns(preset, columns)
    chosen = find_generation(delivery, preset, columns, file_name, where)
    own = {name: rename_columns(field, found) for name, field in {**preset.fields, **chosen.fields}.items()}
    dialect = {name: getattr(delivery.dialect, name) or getattr(preset, name) for name in ("date", "decimal")}
    return delivery.model_copy(
        update={
            "fields": {**{name: field for name, field in own.items() if field is not None}, **delivery.fields},
            "values": {**preset.values, **chosen.values, **delivery.values},
            "rows_with": own_rows(delivery, where),
            "unfold": own_cells(delivery, where),
            "dialect": delivery.dialect.model_copy(update=dialect),
        }
    )


def find_generation(
    delivery: EntitySource, preset: Preset, columns: list[str], file_name: str, where: str
) -> Generation:
    """The generation of a layout that a file is of.

    Parameters
    ----------
    delivery : EntitySource
        What the params map themselves need not be in the file.
    preset : Preset
    columns : list of str
        The file's headings.
    file_name, where : str
        For the error.

    Raises
    ------
    InputError
        If it is of none: names the nearest and the columns that differ.
    """
    found = _find_columns(preset, columns)
    missing = {
        generation.name: _list_missing(generation, {**preset.fields, **generation.fields}, delivery, found)
        for generation in preset.generations
    }
    for generation in preset.generations:
        if not missing[generation.name]:
            return generation
    nearest = min(preset.generations, key=lambda generation: len(missing[generation.name]))
    known = {*nearest.headings, *(found[name] for name in nearest.headings if name in found)}
    others = [column for column in columns if column not in known]
    raise InputError(
        f"{where}: the headings of {file_name} are those of no generation of preset {delivery.preset}; "
        f"nearest is '{nearest.name}', which also has: {', '.join(missing[nearest.name])}."
        + (f" The file has instead: {', '.join(others[:20])}." if others else "")
    )


def _find_columns(preset: Preset, columns: list[str]) -> dict[str, str]:
    """What the preset calls a column -> what the file calls it; small letters and capitals are one."""
    there = {column.strip().casefold(): column for column in columns}
    called = dict.fromkeys(heading for generation in preset.generations for heading in generation.headings)
    for fields in (preset.fields, *(generation.fields for generation in preset.generations)):
        called |= dict.fromkeys(column for field in fields.values() for column in columns_of(field))
    found: dict[str, str] = {}
    for name in called:
        names = [there.get(each.casefold()) for each in (name, *preset.also_called.get(name, ()))]
        found.update((name, each) for each in names[::-1] if each is not None)
    for name in preset.labelled:
        if name not in found and (label := _find_label(preset, name, [c for c in columns if c not in found.values()])):
            found[name] = label
    return found


def _find_label(preset: Preset, name: str, columns: list[str]) -> str | None:
    """The heading that says in any language what a column is: none is nearer, and it is nearest to no other field."""
    field = next(field for field, origin in preset.fields.items() if name in columns_of(origin))
    near = {}
    for column in columns:
        scores = score_fields(preset.entity, column)
        if scores.get(field, 0.0) >= max([LIKE_LABEL, *scores.values()]):
            near[column] = scores[field]
    return max(near, key=lambda column: near[column], default=None)


def _list_missing(
    generation: Generation, fields: dict[str, FieldFrom], delivery: EntitySource, found: dict[str, str]
) -> list[str]:
    """The headings that a file lacks; a column is not asked for if params map all that it would be good for."""
    mapped = {column for name, field in fields.items() if name in delivery.fields for column in columns_of(field)}
    needed = {column for name, field in fields.items() if name not in delivery.fields for column in columns_of(field)}
    return [name for name in generation.headings if name not in found and name not in mapped - needed]
