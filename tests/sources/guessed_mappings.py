"""How often `crm init` is right: on the demo's files, and on every preset's fixtures with their headings renamed.

Headings are put into Spanish, Portuguese, Italian and Polish as a shop's people would write them; what a tool writes in
capitals in every language stays (Mailchimp). What is right is what the preset, or the demo's params, say. The same is
then told of synonyms: the words of the guesses were not chosen by them, though who wrote them had seen half of the
other headings. Run as
``python -m tests.sources.guessed_mappings``, with ``--demo DIR`` for the files that ``crm demo DIR`` wrote.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from crmlib.demo.retailer import write_retailer
from crmlib.engine import Engine
from crmlib.errors import InputError
from crmlib.params import Dialect, EntitySource, load_params
from crmlib.sources.archives import open_members
from crmlib.sources.guessing.contents import Contents
from crmlib.sources.guessing.files import guess_columns, look_at_columns
from crmlib.sources.hidden import drop_secrets
from crmlib.sources.mapping import columns_of
from crmlib.sources.presets import apply_preset, list_presets, read_preset
from crmlib.sources.readers import find_files, peek_columns, read_file
from crmlib.sources.reading import drop_read
from tests.sources.preset_fixtures import make_fixtures

LANGUAGES = ("es", "pt", "it", "pl")
HERE = Path(__file__).parent
ROOT = HERE.parent.parent


@dataclass(frozen=True)
class Truth:
    """A file, and what its columns mean: field -> the columns it may be made of."""

    name: str
    entity: str
    columns: dict[str, Contents]
    fields: dict[str, list[str]]
    preset: str | None


@dataclass(frozen=True)
class Verdict:
    """What became of one field of one file in one language."""

    file: str
    language: str
    field: str
    verdict: str
    level: str
    columns: tuple[str, ...]
    meant: tuple[str, ...] = ()


def read_headings(name: str) -> dict[str, dict[str, str]]:
    """Heading, or layout/heading where it means something else there -> language -> heading, where there is one."""
    with (HERE / name).open(encoding="utf-8") as lines:
        return {
            row["heading"]: {language: row[language] for language in LANGUAGES if row[language]}
            for row in csv.DictReader(lines)
        }


#: Headings as they are put into each language, and others that mean the same.
TRANSLATIONS = read_headings("heading_translations.csv")
SYNONYMS = read_headings("heading_synonyms.csv")


def rename(truth: Truth, language: str, synonyms: bool = False) -> tuple[Truth, frozenset[str]]:
    """The same file with its headings in a language, and which of them are synonyms.

    A heading that would stand twice keeps its own name.
    """
    said: dict[str, str] = {}
    others = SYNONYMS if synonyms else {}
    layout = next(
        (key.split("/")[0] for key in TRANSLATIONS if "/" in key and truth.name.startswith(key.split("/")[0])), ""
    )
    for heading in truth.columns:
        usual = TRANSLATIONS.get(f"{layout}/{heading}", TRANSLATIONS.get(heading, {})).get(language, heading)
        taken = {other.casefold() for other in said.values()}
        names = (others.get(heading, {}).get(language, usual), usual, heading)
        said[heading] = next(name for name in names if name.casefold() not in taken or name == heading)
    renamed = Truth(
        truth.name,
        truth.entity,
        {said[heading]: contents for heading, contents in truth.columns.items()},
        {field: [said[column] for column in columns] for field, columns in truth.fields.items()},
        truth.preset,
    )
    return renamed, frozenset(name for heading, name in said.items() if name == others.get(heading, {}).get(language))


def list_fixtures(engine: Engine, folder: Path) -> Iterator[Truth]:
    """Every fixture of every preset, told by its preset."""
    for name, content in make_fixtures():
        path = folder / name
        path.write_bytes(content)
        for member, file in _members(path, folder):
            for preset in list_presets():
                given = EntitySource(path="x", preset=preset)
                yield from _tell(engine, file, f"{name}{member}", given, read_preset(preset, "x").entity)


def list_demo(engine: Engine, folder: Path) -> Iterator[Truth]:
    """Every file of the demo retailer that its params map by hand, one of each kind."""
    text = (ROOT / "params" / "demo.yaml").read_text(encoding="utf-8")
    params_file = folder / "params.yaml"
    params_file.write_text(text.replace("../demo/", f"{folder}/"), encoding="utf-8")
    for source in load_params(params_file).sources.values():
        for entity, entries in source.entities.items():
            for given in entries:
                if given.preset is None:
                    path = find_files(params_file, str(given.path), "x")[-1]
                    yield from _tell(engine, path, path.name, given, entity)


def _members(path: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    if path.suffix != ".zip":
        yield "", path
        return
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            archive.extract(member, folder)
            yield f"/{member}", folder / member


def _tell(engine: Engine, path: Path, name: str, given: EntitySource, entity: str) -> Iterator[Truth]:
    with open_members(path, None, "x") as files:
        (file,) = files.values()
        headings = peek_columns(engine, file, None, Dialect(), "x")
        try:
            mapped = apply_preset(given, entity, headings, name, "x")
        except InputError:
            return  # it is no file of this layout
        read, _ = drop_secrets(engine, read_file(engine, file, None, Dialect(), "told_of", "x"))
        columns = look_at_columns(engine, read)
        drop_read(engine, read)
    fields = {field: columns_of(origin) for field, origin in mapped.fields.items()}
    yield Truth(name, entity, columns, {field: names for field, names in fields.items() if names}, given.preset)


def judge(truths: list[Truth], language: str) -> Iterator[Verdict]:
    """Judge what is guessed of one file, which may hold several entities.

    Each field that the truth has is right, wrong or missing; a guess of a field that it has not is wrong if its column
    means something else, or if the file holds no such entity, and else it is told as beyond the truth.
    """
    name, columns = truths[0].name, truths[0].columns
    found = list(guess_columns(Path(name), "", name, columns, (), {}))
    guessed = {one.entity: one.guesses for one in found if one.preset is None}
    for truth in truths:
        if any(one.preset is not None and one.preset == truth.preset for one in found):
            yield from (
                Verdict(name, language, f, "right", "sure", (), tuple(meant)) for f, meant in truth.fields.items()
            )
            continue
        guesses = guessed.get(truth.entity, {})
        for field, meant in truth.fields.items():
            guess = guesses.get(field)
            if guess is None or not guess.columns:
                yield Verdict(name, language, field, "missing", "", (), tuple(meant))
            else:
                right = set(guess.columns) <= set(meant)
                verdict = "right" if right else "wrong"
                yield Verdict(name, language, field, verdict, guess.level, guess.columns, tuple(meant))
    for entity, guesses in guessed.items():
        told = {field: meant for truth in truths if truth.entity == entity for field, meant in truth.fields.items()}
        known = any(truth.entity == entity for truth in truths)
        mapped = {column for meant in told.values() for column in meant}
        for field, guess in guesses.items():
            if guess.columns and field not in told:
                aside = known and not mapped & set(guess.columns)
                yield Verdict(name, language, field, "beyond" if aside else "wrong", guess.level, guess.columns)


def judge_all(truths: list[Truth], synonyms: bool = False) -> list[Verdict]:
    """Judge every file in every language; a file whose headings are another language's twin's is left out.

    Of synonyms those fields alone are told whose columns bear one.
    """
    plain = {key.split("/")[-1] for key in TRANSLATIONS}
    files: dict[str, list[Truth]] = {}
    for truth in truths:
        if all(column in plain for columns in truth.fields.values() for column in columns if column.isalpha()):
            files.setdefault(truth.name, []).append(truth)
    verdicts = []
    for language in LANGUAGES:
        for several in files.values():
            renamed, others = zip(*(rename(truth, language, synonyms) for truth in several), strict=True)
            told = judge(list(renamed), language)
            verdicts += [one for one in told if not synonyms or frozenset().union(*others) & {*one.columns, *one.meant}]
    return verdicts


def tell(verdicts: list[Verdict]) -> Iterator[str]:
    """The figures as lines."""
    for language in (*LANGUAGES, "all"):
        own = [one for one in verdicts if language in ("all", one.language)]
        right, missing = (sum(one.verdict == verdict for one in own) for verdict in ("right", "missing"))
        wrong = [one.level for one in own if one.verdict == "wrong"]
        fields = right + missing + len(wrong)
        yield (
            f"{language:4}{fields:6,} fields: {right / fields:6.1%} right, {missing / fields:5.1%} missing, "
            f"{len(wrong):3} wrong, {wrong.count('sure')} of them called sure; "
            f"{sum(one.verdict == 'beyond' for one in own)} beyond the truth"
        )


def main() -> None:
    """Print the figures."""
    reader = argparse.ArgumentParser(prog="python -m tests.sources.guessed_mappings")
    reader.add_argument("--demo", type=Path, help="folder that crm demo wrote; absent: a small one is made")
    reader.add_argument("--list", action="store_true", help="also every field that is not right")
    given = reader.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        demo = given.demo.resolve() if given.demo else folder / "demo"
        if given.demo is None:
            write_retailer(demo, people=400)
        engine = Engine(threads=1, memory_limit="1GB")
        (folder / "fixtures").mkdir()
        fixtures, files = list(list_fixtures(engine, folder / "fixtures")), list(list_demo(engine, demo))
        for title, verdicts in (
            ("Fixtures of every preset, headings renamed", judge_all(fixtures)),
            ("Files of the demo retailer, headings renamed", judge_all(files)),
            ("Both, by synonyms", judge_all([*fixtures, *files], synonyms=True)),
        ):
            print(title, *tell(verdicts), sep="\n", flush=True)
            for one in verdicts if given.list else ():
                if one.verdict != "right":
                    print(
                        "   ", one.file, one.language, one.verdict, one.field, one.level, *one.columns, "<-", *one.meant
                    )
        engine.close()


if __name__ == "__main__":
    main()
