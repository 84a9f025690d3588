"""Gates: limits that stop a run, and what of the findings and scores breaks them."""

from __future__ import annotations

import operator
import re
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, get_args

from pydantic import Field, field_validator, model_validator

from crmlib.approvals import Breach, hash_seen
from crmlib.documents import Settings
from crmlib.engine import Engine, quote

Dimension = Literal["completeness", "validity", "uniqueness", "consistency", "timeliness", "contactability"]
DIMENSIONS: tuple[str, ...] = get_args(Dimension)
#: What of a finding, and what of a score, a gate may look at; and how it is written.
OF_CHECKS = {
    "share": ".1%",
    "failing": ",",
    "rows": ",",
    "change": "+.1%",
    "not_contactable": ",",
    "revenue_at_risk": ",.2f",
}
OF_DIMENSIONS = {"score": ".1%", "change": "+.1%"}
SIGNS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


class Limit(NamedTuple):
    """A measure, a sign and a number, as ``share > 0.02`` says."""

    measure: str
    sign: str
    number: float

    def breaks(self, value: Any) -> bool:
        """Whether a value is on the wrong side; nothing is known of what is missing."""
        return value is not None and bool(SIGNS[self.sign](float(value), self.number))


def read_expression(text: str) -> Limit:
    """Read a ``fail_if``.

    Parameters
    ----------
    text : str
        A measure, ``<``, ``<=``, ``>`` or ``>=``, and a number, which may end in %.

    Returns
    -------
    Limit

    Raises
    ------
    ValueError
        With a sentence, if it is none.
    """
    measures = list(dict.fromkeys((*OF_CHECKS, *OF_DIMENSIONS)))
    found = re.fullmatch(rf"\s*({'|'.join(measures)})\s*(<=|>=|<|>)\s*(-?\d+(?:\.\d+)?)\s*(%?)\s*", text)
    if found is None:
        raise ValueError(f"write a limit such as share > 0.02 or failing > 0; measures are {', '.join(measures)}")
    measure, sign, number, percent = found.groups()
    return Limit(measure, sign, float(number) / 100 if percent else float(number))


class Gate(Settings):
    """A limit that stops the run.

    Parameters
    ----------
    id : str
        By which it is told and approved.
    check : str, optional
        The check it looks at, as entity.field.check; or instead of it:
    dimension : str, optional
        The dimension whose score it looks at.
    source : str, optional
        Only this source; absent: any.
    fail_if : str
        Such as ``share > 0.02`` or ``score < 0.8``.
    """

    id: str = Field(pattern=r"^[a-z][a-z0-9_.]*$")
    check: str | None = None
    dimension: Dimension | None = None
    source: str | None = None
    fail_if: str

    @field_validator("fail_if")
    @classmethod
    def _is_a_limit(cls, value: str) -> str:
        read_expression(value)
        return value

    @model_validator(mode="after")
    def _looks_at_one_thing(self) -> Gate:
        if (self.check is None) == (self.dimension is None):
            raise ValueError("give one of check: and dimension:")
        measures = OF_CHECKS if self.check is not None else OF_DIMENSIONS
        if (measure := read_expression(self.fail_if).measure) not in measures:
            raise ValueError(f"'{measure}' is nothing that can be asked here; there are {', '.join(measures)}")
        return self


def find_breaches(engine: Engine, findings: str, scores: str, gates: Sequence[Gate]) -> list[Breach]:
    """Judge every gate.

    Parameters
    ----------
    engine : Engine
    findings, scores : str
        Tables with the columns of ``audit_findings`` and ``audit_scores``.
    gates : sequence of Gate

    Returns
    -------
    list of Breach
        One for each gate that does not hold, naming the sources.
    """
    found = engine.rows(f'SELECT * FROM {quote(findings)} ORDER BY source, entity, field, "check"')
    scored = engine.rows(f"SELECT * FROM {quote(scores)} ORDER BY source, dimension")
    breaches = []
    for gate in gates:
        limit = read_expression(gate.fail_if)
        rows = [row for row in (found if gate.check else scored) if _concerns(gate, row)]
        broken = [row for row in rows if limit.breaks(row[limit.measure])]
        if broken:
            written = (OF_CHECKS | OF_DIMENSIONS)[limit.measure]
            told = ", ".join(f"{row['source']} ({row[limit.measure]:{written}})" for row in broken)
            what = f"{gate.check or gate.dimension} has {limit.measure} {limit.sign} {limit.number:{written}} in {told}"
            seen = [
                (row["source"], *(_plain(row.get(name)) for name in ("rows", "failing", "score"))) for row in broken
            ]
            breaches.append(Breach(gate.id, f"{what}.", hash_seen([gate.model_dump(), seen])))
    return breaches


def _concerns(gate: Gate, row: dict[str, Any]) -> bool:
    if gate.source is not None and row["source"] != gate.source:
        return False
    if gate.dimension is not None:
        return bool(row["dimension"] == gate.dimension)
    entity, field, check = (gate.check or "").split(".")
    return row["check"] == check and entity in ("every", row["entity"]) and field in (row["field"], "row", "consent")


def _plain(value: Any) -> Any:
    return round(value, 9) if isinstance(value, float) else value
