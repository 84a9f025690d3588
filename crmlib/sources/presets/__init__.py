"""Known layouts of other tools' exports, a YAML file each; the file's name is the preset's."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import yaml
from pydantic import Field

from crmlib.documents import Settings
from crmlib.errors import InputError
from crmlib.params import EntitySource, FieldMap


class Generation(Settings):
    """One generation of a layout."""

    name: str
    headings: list[str]
    fields: dict[str, FieldMap]
    values: dict[str, dict[str, str | bool | None]] = Field(default_factory=dict)


class Preset(Settings):
    """A known layout in all its generations, the newest first."""

    entity: str
    about: str
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
    missing = {
        generation.name: [heading for heading in generation.headings if heading not in columns]
        for generation in preset.generations
    }
    fitting = [generation for generation in preset.generations if not missing[generation.name]]
    if not fitting:
        nearest = min(preset.generations, key=lambda generation: len(missing[generation.name]))
        others = [column for column in columns if column not in nearest.headings]
        raise InputError(
            f"{where}: the headings of {file_name} are those of no generation of preset {delivery.preset}; "
            f"nearest is '{nearest.name}', which also has: {', '.join(missing[nearest.name])}."
            + (f" The file has instead: {', '.join(others[:20])}." if others else "")
        )
    return delivery.model_copy(
        update={
            "fields": {**fitting[0].fields, **delivery.fields},
            "values": {**fitting[0].values, **delivery.values},
        }
    )
