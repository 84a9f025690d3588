"""YAML documents that remember the line of every key, so that a problem is told with file, line and key."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from crmlib.errors import ParamsError

Where = tuple[Any, ...]

_WORDS_READ_AS_BOOLEANS = "YAML reads an unquoted on, off, yes or no as true or false: put the key in quotes"


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
        """A sentence with file, line and key; an entry of a list is named by its ``id``."""
        line = self._line(where)
        key = ".".join(self._shown(where))
        return f"{self.path}{f':{line}' if line else ''}: {key}: {sentence}"

    def tell(self, problem: Mapping[str, Any], model: type[BaseModel]) -> str:
        """One of pydantic's problems with `model`, as a sentence with file, line and key."""
        where = tuple(part for part in problem["loc"] if part != "[key]")
        kind = problem["type"]
        if kind == "extra_forbidden":
            known = known_keys(model, where)
            near = difflib.get_close_matches(str(where[-1]), known, n=1)
            hint = f"Did you mean '{near[0]}'?" if near else f"Known here: {', '.join(known)}."
            return self.at(where, f"this key is unknown. {hint}")
        if kind == "invalid_key":
            return self.at(where[:-1], f"a key must be a word. {_WORDS_READ_AS_BOOLEANS}.")
        if kind == "missing":
            return self.at(where, "this key is missing.")
        if kind == "value_error":
            return self.at(where, f"{problem['ctx']['error']}.")
        message = str(problem["msg"])
        return self.at(where, f"{message[0].lower()}{message[1:]}.")

    def _line(self, where: Where) -> int | None:
        while where and where not in self.lines:
            where = where[:-1]
        return self.lines.get(where)

    def _shown(self, where: Where) -> Iterator[str]:
        here: Any = self.data
        for part in where:
            try:
                here = here[part]
            except (KeyError, IndexError, TypeError):
                here = None
            if not isinstance(part, int):
                yield str(part)
            elif isinstance(here, dict) and isinstance(here.get("id"), str):
                yield here["id"]


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
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ParamsError(f"{place}: this is not YAML ({getattr(error, 'problem', None) or 'unreadable'}).") from None
    if not isinstance(node, yaml.MappingNode):
        raise ParamsError(f"{path}: the file must hold sections such as {sections}.")
    lines: dict[Where, int] = {}
    problems = [f"{path}:{line}: the key '{key}' stands here a second time." for key, line in _walk(node, (), lines)]
    return Document(path, data, lines, problems)


def known_keys(model: type[BaseModel], where: Where) -> list[str]:
    """The keys that may stand where an unknown one does."""
    here: type[BaseModel] | None = model
    for part in where[:-1]:
        if here is None or isinstance(part, int):
            continue
        fields = {info.alias or name: info for name, info in here.model_fields.items()}
        if part in fields:
            here = next(_models(fields[part].annotation), None)
    return [info.alias or name for name, info in here.model_fields.items()] if here else []


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
            inner = (*where, key.value)
            if inner in lines:
                yield str(key.value), key.start_mark.line + 1
            yield from _walk(value, inner, lines)
            lines[inner] = key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _walk(value, (*where, index), lines)
