"""What a page is told about its run; the pipeline fills it from the manifest."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path


@dataclass(frozen=True)
class Source:
    """A source and how fresh it is.

    Parameters
    ----------
    name : str
        The source as the params name it.
    delivered_on : date, optional
        Date of its last delivery not after the as-of date.
    rows : int, optional
        Rows read from it in this run.
    owner : str
        Who answers for it.
    """

    name: str
    delivered_on: date | None = None
    rows: int | None = None
    owner: str = ""


@dataclass(frozen=True)
class Room:
    """A room's page.

    Parameters
    ----------
    key : str
        The notebook's name without its ending, such as ``05_purchase_patterns``.
    title : str
        A short title for menus, such as "Purchase patterns".
    question : str
        The question it answers.
    skipped : str
        The sentence that says why it had nothing to do; empty when it ran.
    """

    key: str
    title: str
    question: str = ""
    skipped: str = ""

    @property
    def number(self) -> str:
        """The room's number, as written before its name."""
        return self.key.partition("_")[0]

    @property
    def file(self) -> str:
        """Name of its page."""
        return f"{self.key}.html"


@dataclass(frozen=True)
class Headline:
    """A headline figure of a room.

    Parameters
    ----------
    room : str
        Key of the room.
    key : str
        Its name, the same in every run.
    value : float or int or str or None
        The figure; a share lies between 0 and 1.
    label : str
        What it counts, in words.
    unit : str
        ``%`` for a share, a currency's code for money, another word for itself; empty: a plain number.
    better : {"up", "down", ""}
        Which way is good; empty where neither is.
    base_value : float or int or None
        The same figure in the base run.
    leading : bool
        Whether it stands at the head of the overview.
    """

    room: str
    key: str
    value: float | int | str | None
    label: str
    unit: str = ""
    better: str = ""
    base_value: float | int | str | None = None
    leading: bool = False


@dataclass(frozen=True)
class TableRows:
    """A table of the run: its name, what one row is, and how many there are."""

    name: str
    rows: int
    meaning: str = ""
    room: str = ""


#: What the workbench checks before it publishes a page; the sentence ends "… : <these>."
CHECKS = (
    "no e-mail address, and no phone, national id, full name or numbered address of this run's tables, stands in "
    "this page",
    "this page asks nothing of any other address",
)


@dataclass(frozen=True)
class RunContext:
    """What every page says of its run.

    Parameters
    ----------
    run_id : str
        The run's id.
    name : str
        The run's name, for people.
    as_of_date : date
        Nothing later is used.
    base : str
        Id of the run it is compared with; empty: none.
    language : str
        Language code of the pages.
    draft : bool
        Whether it is a draft, which cannot be published.
    sources : tuple of Source
        In the order of the params.
    rooms : tuple of Room
        Rooms of the run, in their order.
    governed : bool
        Whether the run has a governance page.
    notices : tuple of str
        Texts to repeat word for word on every page (a data set's licence).
    checks : tuple of str
        What was checked before publishing, in words.
    unfinished : str
        Why there is more to come, for the head of every page; empty where all is done.
    """

    run_id: str
    name: str
    as_of_date: date
    base: str = ""
    language: str = "en"
    draft: bool = False
    sources: tuple[Source, ...] = ()
    rooms: tuple[Room, ...] = ()
    governed: bool = False
    notices: tuple[str, ...] = ()
    checks: tuple[str, ...] = field(default=CHECKS)
    unfinished: str = ""


@dataclass(frozen=True)
class OwnedSource:
    """A source on the governance page: who answers for it, who mends it, and whether its delivery is overdue."""

    name: str
    owner: str
    steward: str
    delivered_on: date | None = None
    age_days: int | None = None
    every_days: int | None = None

    @property
    def state(self) -> str:
        """What is to be said of its last delivery."""
        if self.age_days is None:
            return "no delivery"
        return "overdue" if self.every_days is not None and self.age_days > self.every_days else "in time"


@dataclass(frozen=True)
class OwnedNotebook:
    """A notebook on the governance page: who answers for its results, what they serve, and how its run ended."""

    name: str
    owner: str
    serves: str
    state: str
    seconds: float | None = None


@dataclass(frozen=True)
class OwnedRule:
    """A rule on the governance page: who decided it, the setting that holds it with its value, and its next review."""

    says: str
    owner: str
    setting: str = ""
    value: str = ""
    decided_on: date | None = None
    review_on: date | None = None


@dataclass(frozen=True)
class GovernanceContext:
    """What the governance page is told; whatever has no owner comes with an empty one."""

    sources: tuple[OwnedSource, ...]
    notebooks: tuple[OwnedNotebook, ...]
    rules: tuple[OwnedRule, ...]

    @property
    def unowned(self) -> tuple[str, ...]:
        """Sources and notebooks of the run for which nobody answers."""
        sources = [source.name for source in self.sources if not source.owner]
        return (*sources, *(notebook.name for notebook in self.notebooks if not notebook.owner))


@dataclass(frozen=True)
class PageContext:
    """What a room's page is told: its run, which room it is, its headline figures."""

    run: RunContext
    room: Room
    headlines: tuple[Headline, ...] = ()


@dataclass(frozen=True)
class IndexContext:
    """What the overview is told.

    Parameters
    ----------
    run : RunContext
        What every page says of the run.
    headlines : tuple of Headline
        Of all rooms.
    notebooks : tuple of Path
        The executed notebooks; the first call-out of each is repeated beside its room's figures.
    tables : tuple of TableRows
        The run's tables.
    duration_seconds : float, optional
        How long the run took.
    """

    run: RunContext
    headlines: tuple[Headline, ...] = ()
    notebooks: tuple[Path, ...] = ()
    tables: tuple[TableRows, ...] = ()
    duration_seconds: float | None = None
