"""Settings, and the YAML documents they come from: a problem is told with file, line and key."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict

from crmlib.errors import ParamsError

Where = tuple[Any, ...]

#: What to say of a value of another type than its key asks for.
SENTENCES = {
    "model_type": "this is a section; put its keys here",
    "dict_type": "this is a section; put its keys here",
    "list_type": "write a list, such as [a, b]",
    "string_type": "write a text, in quotes if it is a number",
    "int_type": "write a whole number",
    "int_parsing": "write a whole number",
    "int_from_float": "write a whole number",
    "float_type": "write a number",
    "float_parsing": "write a number",
    "bool_type": "write true or false",
    "bool_parsing": "write true or false",
    "date_from_datetime_parsing": "write a date such as 2026-11-01",
    "date_type": "write a date such as 2026-11-01",
    "too_short": "give at least one",
}


class Settings(BaseModel):
    """What all settings share: frozen, and no key that nobody knows."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # the faster one where there is one
    """YAML in which a key is the text that stands there, and so are yes, no, dates and numbers with leading zeros."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A section; its keys are texts."""
        self.flatten_mapping(node)
        return {key.value: self.construct_object(value, deep=True) for key, value in node.value}


READ_OTHERWISE = {f"tag:yaml.org,2002:{kind}" for kind in ("bool", "int", "timestamp")}
Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in READ_OTHERWISE]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$", re.IGNORECASE), list("tTfF"))
Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$"), list("-+0123456789"))


@dataclass(frozen=True)
class Document:
    """A YAML file as read.

    Parameters
    ----------
    path : Path
    data : dict
        Its content.
    lines : mapping of tuple to int
        Place of a key -> its line.
    problems : list of str
        Keys that stand twice.
    """

    path: Path
    data: dict[str, Any]
    lines: Mapping[Where, int]
    problems: list[str]

    def at(self, where: Where, sentence: str) -> str:
        """A sentence with file, line and key; an entry of a list is named by its ``id``, or its number."""
        line = self._line(where)
        return f"{self.path}{f':{line}' if line else ''}: {self._name(where)}: {sentence}"

    def tell(self, problem: Mapping[str, Any], model: type[BaseModel]) -> str:
        """One of pydantic's problems with `model`, as a sentence with file, line and key."""
        where = tuple(part for part in problem["loc"] if part not in ("[key]", "entities"))
        kind = problem["type"]
        if kind == "extra_forbidden":
            known = known_keys(model, tuple(problem["loc"]))
            near = difflib.get_close_matches(str(where[-1]), known, n=1)
            hint = f"Did you mean '{near[0]}'?" if near else f"Known here: {', '.join(known)}."
            return self.at(where, f"this key is unknown. {hint}")
        if kind == "missing":
            return self.at(where, "this key is missing.")
        if kind == "value_error":
            return self.at(where, f"{problem['ctx']['error']}.")
        if kind == "literal_error":
            return self.at(where, f"write {problem['ctx']['expected']}.")
        message = SENTENCES.get(kind) or str(problem["msg"])
        return self.at(where, f"{message[0].lower()}{message[1:]}.")

    def _line(self, where: Where) -> int | None:
        """The line of a place; where the file has one entry in place of a list, its number is left out."""
        plain = tuple(part for part in where if not isinstance(part, int))
        return max((self._nearest(where), self._nearest(plain)), key=lambda found: found[0])[1]

    def _nearest(self, where: Where) -> tuple[int, int | None]:
        while where and where not in self.lines:
            where = where[:-1]
        return len(where), self.lines.get(where)

    def _name(self, where: Where) -> str:
        name = ""
        here: Any = self.data
        for depth, part in enumerate(where, start=1):
            try:
                here = here[part]
            except (KeyError, IndexError, TypeError):
                here = None
            if isinstance(part, int):
                if isinstance(here, dict) and isinstance(here.get("id"), str):
                    name += f".{here['id']}"
                elif where[:depth] in self.lines:
                    name += f"[{part + 1}]"
            else:
                name += f".{part}" if name else str(part)
        return name


def read_document(path: Path, what: str, sections: str) -> Document:
    """Read a YAML file that must hold sections.

    Parameters
    ----------
    path : Path
    what : str
        What it is (``contact plan``), for messages.
    sections : str
        What it must hold (``plan: and communications:``), for messages.

    Returns
    -------
    Document

    Raises
    ------
    ParamsError
        If there is no such file, or it is not YAML with sections.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ParamsError(f"{path}: there is no such {what}.") from None
    except (IsADirectoryError, UnicodeDecodeError):
        raise ParamsError(f"{path}: this is not a text file in UTF-8; a {what} is YAML.") from None
    lines: dict[Where, int] = {}
    try:
        loader = Loader(text)
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            raise ParamsError(f"{path}: the file must hold sections such as {sections}.")
        repeated = list(_walk(node, (), lines))
        data = loader.construct_document(node)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ParamsError(f"{place}: this is not YAML ({getattr(error, 'problem', None) or 'unreadable'}).") from None
    problems = [f"{path}:{line}: the key '{key}' stands here a second time." for key, line in repeated]
    return Document(path, data, lines, problems)


def known_keys(model: type[BaseModel], where: Where) -> list[str]:
    """The keys that may stand where an unknown one does; a model may name them itself, as ``KEYS``."""
    here: type[BaseModel] | None = model
    for part in where[:-1]:
        if here is None or isinstance(part, int):
            continue
        fields = {info.alias or name: info for name, info in here.model_fields.items()}
        if part in fields:
            here = next(_models(fields[part].annotation), None)
    if here is None:
        return []
    return list(getattr(here, "KEYS", ())) or [info.alias or name for name, info in here.model_fields.items()]


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from _models(argument)


def _walk(node: yaml.Node, where: Where, lines: dict[Where, int]) -> Iterator[tuple[str, int]]:
    """Note the line of every key; yield the keys that stand twice."""
    lines[where] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key must be one word", key.start_mark)
            inner = (*where, key.value)
            if inner in lines:
                yield str(key.value), key.start_mark.line + 1
                continue
            yield from _walk(value, inner, lines)
            lines[inner] = key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _walk(value, (*where, index), lines)
