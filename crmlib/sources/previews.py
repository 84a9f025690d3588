"""Previews: where sources deliver, and what can be known of it without fetching or reading it whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crmlib.engine import Engine
from crmlib.errors import InputError
from crmlib.origins import Access
from crmlib.params import EntitySource, Params, TruthSource
from crmlib.sources import mapping
from crmlib.sources.archives import open_members
from crmlib.sources.databases import Database
from crmlib.sources.forms import find_form
from crmlib.sources.landing import ask, is_on_server
from crmlib.sources.presets import apply_preset, own_cells
from crmlib.sources.readers import find_files, peek_columns
from crmlib.sources.servers import open_server, path_on_server
from crmlib.sources.submissions import apply_form
from crmlib.sources.unfolding import list_unfolded


def list_entries(params: Params) -> Iterator[tuple[str, str, str, EntitySource]]:
    """Every place where a source delivers: source, entity, its key in the params, and what they say of it."""
    for source, described in params.sources.items():
        for entity, entries in described.entities.items():
            for index, given in enumerate(entries, start=1):
                where = f"sources.{source}.{entity}"
                yield source, entity, f"{where}[{index}]" if len(entries) > 1 else where, given


def check_sources(params: Params, params_file: Path) -> list[str]:
    """Every problem of the sources that can be seen without reading them whole, as sentences."""
    problems: list[str] = []
    engine = Engine(threads=1, memory_limit="1GB")
    for _, entity, where, given in list_entries(params):
        with _gathering(problems, params_file):
            for name, columns in _peek(engine, params_file, given, where):
                shown = list_unfolded(columns, own_cells(given, where))
                submitted = apply_form(find_form(given, params_file), given, shown)
                mapped = apply_preset(submitted, entity, shown, name, where)
                mapping.check_columns(mapped.fields, mapped.keep, shown, name, where)
    for name, truth in params.truth.items():
        with _gathering(problems, params_file):
            for file, columns in _peek(engine, params_file, truth, f"truth.{name}"):
                mapping.check_columns(truth.fields, [], columns, file, f"truth.{name}")
    engine.close()
    return problems


@contextmanager
def _gathering(problems: list[str], params_file: Path) -> Iterator[None]:
    try:
        yield
    except InputError as error:
        problems += [f"{params_file}: {line}" for line in str(error).splitlines()]


def _peek(
    engine: Engine, params_file: Path, given: EntitySource | TruthSource, where: str
) -> Iterator[tuple[str, list[str]]]:
    """Name and columns of what is delivered, as far as they can be known without fetching or reading it whole."""
    mapping.check_patterns(engine, given.fields, given.dialect.date, where)
    if isinstance(given, EntitySource) and given.path is None:
        asker = ask(given, params_file, where)
        if isinstance(asker, Database):
            yield "the query's answer", asker.peek()
        else:
            asker.peek()
        return
    if isinstance(given, EntitySource) and is_on_server(str(given.path)):
        with open_server(str(given.path), given.access or Access(), params_file, where) as server:
            server.find(path_on_server(str(given.path)))
        return
    member = given.member if isinstance(given, EntitySource) else None
    for path in find_files(params_file, str(given.path), where):
        with open_members(path, member, where) as files:
            for file in files.values():
                yield file.name, peek_columns(engine, file, given.format, given.dialect, where)
