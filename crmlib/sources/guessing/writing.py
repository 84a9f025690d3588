"""A guessed mapping as a params file, with a comment beside each line that says how sure it is, and why."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from crmlib.engine import Engine
from crmlib.errors import InputError
from crmlib.params import needed_fields
from crmlib.sources.guessing.files import Guessed, guess_file
from crmlib.sources.guessing.guesses import Guess
from crmlib.sources.guessing.headings import split_heading

HEAD = """\
# A mapping guessed from headings and contents. Look at every line marked "likely" or "perhaps", and at the headings
# that are not used; then: crm check {name}, and crm run {name}.
run:
  name: {run}
  # title: what stands at the head of every page, such as the retailer's name
  as_of_date: today
  timezone: UTC          # where the shops are, such as Europe/Madrid
  currency: EUR
  country: ES            # whose phones and national ids need no prefix
  seed: 1

sources:
"""
#: Column at which comments begin.
COMMENT_AT = 56
#: Headings told of those that are not used.
MOST_UNUSED = 30
#: Of these, on the terminal.
MOST_TOLD = 6
#: The day in a file's name.
_DAY = re.compile(r"(?<!\d)20\d\d[-_.]?[01]\d[-_.]?[0-3]\d(?!\d)")


def write_params(directory: Path, files: list[Path]) -> tuple[Path, list[str]]:
    """Guess the mapping of some files, and write it as a params file.

    Parameters
    ----------
    directory : Path
        Where ``params.yaml`` is written.
    files : list of Path

    Returns
    -------
    (Path, list of str)
        The params file, and what was recognised, a line for each entity of each file.

    Raises
    ------
    InputError
        If there is such a file already, one of the files cannot be read, or nothing is recognised in any of them.
    """
    target = directory / "params.yaml"
    if target.exists():
        raise InputError(f"{target}: there is such a file already; name another folder, or put it aside.")
    for path in files:
        if not path.is_file():
            raise InputError(f"{path}: there is no such file.")
    engine = Engine(threads=1, memory_limit="1GB")
    found = [guessed for path in files for guessed in _join_members(list(guess_file(engine, path)))]
    engine.close()
    usable = [guessed for guessed in found if guessed.entity and not _list_lacking(guessed)]
    if not usable:
        names = ", ".join(dict.fromkeys(path.name for path in files))
        raise InputError(f"{names}: nothing was recognised; write fields: by hand, as the documentation shows.")
    directory.mkdir(parents=True, exist_ok=True)
    target.write_text(describe(found, directory), encoding="utf-8")
    return target, [_tell(guessed) for guessed in found]


def _join_members(found: list[Guessed]) -> list[Guessed]:
    """The members of an archive that are all of one known layout, as one."""
    members = {one.member for one in found}
    joined: dict[str, Guessed] = {}
    for one in found:
        alike = {other.member for other in found if other.preset == one.preset}
        whole = one.preset is not None and alike == members
        joined.setdefault(one.preset if whole and one.preset else f"{one.member}/{one.entity}/{one.preset}", one)
        if whole and one.preset:
            joined[one.preset] = replace(one, member="")
    return list(joined.values())


def describe(found: list[Guessed], directory: Path) -> str:
    """The params file as a text."""
    run = "_".join(split_heading(directory.resolve().name)) or "mine"
    text = HEAD.format(name="params.yaml", run=run if run[0].isalpha() else f"run_{run}")
    for source, entities in _sort_by_source(found).items():
        lines: list[str] = []
        for entity, blocks in entities.items():
            if not entity:
                continue
            several = len(blocks) > 1
            for number, block in enumerate(blocks):
                lines += _describe_entity(entity, block, directory, number if several else None)
        unrecognised = [f"    # nothing was recognised in {one.path.name}" for one in entities.get("", [])]
        if not any(line.strip() and not line.strip().startswith("#") for line in lines):
            text += "".join(f"  # {line.strip()}\n" for line in (f"{source}:", *unrecognised, *lines))
        else:
            text += "\n".join([f"  {source}:", "    # owner: who answers for it", *unrecognised, *lines]) + "\n"
    return text


def _sort_by_source(found: list[Guessed]) -> dict[str, dict[str, list[Guessed]]]:
    """Source -> entity -> its files; of one folder, but for a second layout of the same entity."""
    sources: dict[str, dict[str, list[Guessed]]] = {}
    seen: set[tuple[Path, str, str, str | None]] = set()
    for one in found:
        same = (_glob(one.path), re.sub(r"\d", "", one.member), one.entity, one.preset)
        if same in seen:
            continue
        seen.add(same)
        folder = "_".join(split_heading(one.path.resolve().parent.name)) or "files"
        source = folder if folder[0].isalpha() else f"files_{folder}"
        held = sources.get(source, {}).get(one.entity, [])
        if held and one.entity != "suppressions" and one.path != held[0].path:
            source = "_".join((source, *split_heading(_DAY.sub("", one.path.stem))))
        sources.setdefault(source, {}).setdefault(one.entity, []).append(one)
    return sources


def _glob(path: Path) -> Path:
    """A file of a day among others of its kind: the day in its name stands for any."""
    return path.with_name(_DAY.sub("*", path.name))


def _describe_entity(entity: str, one: Guessed, directory: Path, number: int | None) -> Iterator[str]:
    mark = "" if _list_lacking(one) == [] else "# "
    if number in (None, 0):
        yield f"    {mark}{entity}:"
    begin = "      " if number is None else "      - "
    path = os.path.relpath(_glob(one.path), directory)
    for line in _describe_origin(one, path):
        yield f"{begin[: len(begin)] if line.startswith('path') else ' ' * len(begin)}{mark}{line}"
    inner = f"{' ' * len(begin)}{mark}"
    if lacking := _list_lacking(one):
        yield f"{inner}# {entity} cannot do without {', '.join(lacking)}: map it, and take the marks away"
    if one.preset is None:
        yield f"{inner}fields:"
        for guess in one.guesses.values():
            yield _comment(f"{inner}  {_scalar(guess.field)}: {_describe_field(guess)}", f"{guess.level}: {guess.why}")
    yield from _describe_values(one, inner)
    for told, headings in (("not used", one.unused), ("never taken in: secret", one.secret)):
        if headings and one.preset is None:
            yield f"{inner}# {told}: {', '.join(headings[:MOST_UNUSED])}{', …' if len(headings) > MOST_UNUSED else ''}"
    if "source_record_id" in one.guesses and entity not in ("customers",) and "record_source" not in one.guesses:
        yield f"{inner}# record_source: the source whose customers are meant, if not this one"


def _describe_origin(one: Guessed, path: str) -> Iterator[str]:
    yield f"path: {_scalar(path)}"
    if one.member:
        yield f"member: {_scalar(_DAY.sub('*', one.member))}"
    if one.preset is not None:
        yield f"preset: {one.preset}"
    elif one.dialect:
        yield f"dialect: {_flow(one.dialect)}"
    if one.rows_with is not None:
        yield f"rows_with: {_scalar(one.rows_with)}"


def _describe_values(one: Guessed, inner: str) -> Iterator[str]:
    if one.values:
        yield f"{inner}values:"
        for field, words in one.values.items():
            yield f"{inner}  {_scalar(field)}: {_flow(words)}"
    for field, unknown in one.unknown.items():
        yield f"{inner}# {field}: {len(unknown)} words are mapped to nothing; room 01 lists them"


def _describe_field(guess: Guess) -> str:
    if "formula" in guess.made or "value" in guess.made:
        return _flow({name: guess.made[name] for name in ("formula", "value") if name in guess.made})
    if len(guess.columns) == 1 and not guess.made:
        return _scalar(guess.columns[0])
    origin: str | list[str] = guess.columns[0] if len(guess.columns) == 1 else list(guess.columns)
    return _flow({"from": origin, **guess.made})


def _list_lacking(one: Guessed) -> list[str]:
    if one.preset is not None or not one.entity:
        return []
    return [name for name in needed_fields(one.entity) if name not in one.guesses]


def _comment(line: str, comment: str) -> str:
    return f"{line:<{COMMENT_AT}}  # {comment}"


def _scalar(text: str) -> str:
    return yaml.safe_dump(text, allow_unicode=True, width=10_000).removesuffix("\n").removesuffix("\n...")


def _flow(value: Any) -> str:
    text = yaml.safe_dump(value, allow_unicode=True, width=10_000, default_flow_style=True, sort_keys=False)
    return text.removesuffix("\n")


def _tell(one: Guessed) -> str:
    name = f"{one.path.name}, {one.member}" if one.member else one.path.name
    if not one.entity:
        return f"{name}: nothing was recognised; map it by hand."
    if one.preset is not None:
        return f"{name}: {one.entity}, in the layout {one.preset}."
    levels = Counter(guess.level for guess in one.guesses.values())
    told = ", ".join(f"{levels[level]} {level}" for level in ("sure", "likely", "perhaps"))
    secret = f" Never taken in: {', '.join(one.secret)}." if one.secret else ""
    more = f" and {len(one.unused) - MOST_TOLD:,} more" if len(one.unused) > MOST_TOLD else ""
    unused = f" Not used: {', '.join(one.unused[:MOST_TOLD])}{more}." if one.unused else ""
    return f"{name}: {one.entity}, {len(one.guesses)} fields ({told}).{unused}{secret}"
