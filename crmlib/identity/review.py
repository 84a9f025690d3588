"""The pairs worth a person's time, laid side by side, and what the person says of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from crmlib.engine import Engine, Step
from crmlib.errors import InputError
from crmlib.identity.constraints import hash_records
from crmlib.identity.explaining import explain_pair
from crmlib.identity.model import LinkageModel
from crmlib.identity.rulings import PairRuling, append_ruling, read_rulings
from crmlib.identity.thresholds import Calibration
from crmlib.params import IdentityCosts

#: Questions that a room keeps ready.
MOST_QUESTIONS = 200
#: What of a record is shown, and the comparisons it answers to.
SHOWN = {
    "Name": ("concat_ws(' ', full_name, given_name, surnames, surname_1, surname_2)", "given_name surname_1 surname_2"),
    "Company": ("company", ""),
    "National id": ("national_id", "national_id"),
    "Date of birth": ("strftime(birth_date, '%Y-%m-%d')", "birth_date"),
    "E-mail": ("email", "email"),
    "Phone": ("phone", "phone"),
    "Address": ("concat_ws(' ', address_line, street_type, street, house_number, unit)", "address"),
    "Place": ("concat_ws(' ', postcode, municipality)", "place"),
    "Source": ("source", ""),
    "Last changed": ("strftime(updated_at, '%Y-%m-%d')", ""),
}
WORDS = {"same": "one person", "different": "two people", "unsure": "not sure"}

QUESTIONS = Step(
    "questions",
    """
    WITH judged AS (
        SELECT p.record_no_l, p.record_no_r, p.match_weight,
               CASE WHEN p.decided_by = 'model' AND NOT p.contradicted
                    THEN 1 / (1 + 2.0 ** -($shift + $slope * p.match_weight))
                    ELSE p.match_probability END AS probability,
               p.match_probability >= $threshold AND NOT p.contradicted AS links,
               l.cluster = r.cluster AS together,
               least(l.cluster, r.cluster) AS one, greatest(l.cluster, r.cluster) AS other,
               coalesce(s.state = 'lapsed', false) AS lapsed
        FROM decided_pairs p
        JOIN clusters l ON l.record_no = p.record_no_l
        JOIN clusters r ON r.record_no = p.record_no_r
        LEFT JOIN pair_states s ON s.record_no_l = p.record_no_l AND s.record_no_r = p.record_no_r
        WHERE p.decided_by <> 'reviewer' AND coalesce(s.state, 'none') <> 'current'
    ),
    priced AS (
        SELECT *,
               CASE WHEN together THEN (1 - probability) * $wrong_merge
                    ELSE probability * $missed_merge END AS at_stake,
               CASE WHEN lapsed THEN 'asked before, and a record has changed since'
                    WHEN together THEN 'joined, and in doubt'
                    WHEN links THEN 'alike, and kept apart by others'
                    ELSE 'kept apart, and in doubt' END AS why
        FROM judged
        WHERE links OR NOT together OR lapsed
    )
    SELECT record_no_l, record_no_r, match_weight, probability, together, at_stake, why, lapsed
    FROM priced
    WHERE at_stake > $review OR lapsed
    QUALIFY row_number() OVER (
        PARTITION BY one, other ORDER BY lapsed DESC, at_stake DESC, record_no_l, record_no_r
    ) = 1
    """,
)


def choose_questions(
    engine: Engine, match_threshold: float, costs: IdentityCosts, calibration: Calibration
) -> pd.DataFrame:
    """Choose the pairs at which more is at stake than a person's look costs.

    Parameters
    ----------
    engine : Engine
        Holds ``decided_pairs``, ``clusters`` and ``pair_states``; gets ``questions``.
    match_threshold : float
    costs : IdentityCosts
    calibration : Calibration

    Returns
    -------
    pandas.DataFrame
        why, pairs, mistakes (expected among them), at_stake (what these are expected to cost).

    Notes
    -----
    At stake is what the decision as it stands is expected to cost: of a pair joined, the probability of two people
    times the cost of a wrong merge; of one kept apart, that of one person times the cost of a missed one. Of the
    pairs between the same two customers one is asked, the dearest. A pair that somebody ruled on is asked again only
    when a record has changed.
    """
    engine.run(
        QUESTIONS,
        threshold=match_threshold,
        shift=calibration.shift,
        slope=calibration.slope,
        **costs.model_dump(),
    )
    return engine.frame(
        "SELECT why, count(*) AS pairs, sum(CASE WHEN together THEN 1 - probability ELSE probability END) AS mistakes, "
        "sum(at_stake) AS at_stake FROM questions GROUP BY why ORDER BY at_stake DESC, why"
    )


class Side(NamedTuple):
    """A line of two records side by side: what it is, both values, and how they agree with its weight (log2)."""

    field: str
    left: str
    right: str
    agreement: str
    weight: float | None


class Question(NamedTuple):
    """A pair to be judged: why it is asked, how probable one person is, and both records' lines."""

    why: str
    probability: float
    sides: tuple[Side, ...]


class ReviewDesk:
    """Questions one by one, and the file that keeps the answers.

    Parameters
    ----------
    engine : Engine
        Holds ``questions``, `source_records`, ``linkage_records`` and the pairs.
    model : LinkageModel
    path : Path, optional
        File of rulings; absent: nothing can be kept, and asking says so.
    as_of_date : datetime.date
    clock : callable
        Tells the time of a ruling.
    """

    def __init__(
        self, engine: Engine, model: LinkageModel, path: Path | None, as_of_date: date, clock: Callable[[], datetime]
    ) -> None:
        self._engine, self._model, self._path = engine, model, path
        self._as_of_date, self._clock = as_of_date, clock
        self._questions = engine.rows(
            "SELECT * FROM questions ORDER BY lapsed DESC, at_stake DESC, record_no_l, record_no_r LIMIT $most",
            most=MOST_QUESTIONS,
        )

    def __len__(self) -> int:
        return len(self._questions)

    def show(self, number: int) -> Question:
        """Lay the records of a question side by side."""
        asked = self._questions[number]
        pair = asked["record_no_l"], asked["record_no_r"]
        columns = ", ".join(f"{sql} AS {name}" for name, (sql, _) in zip(_NAMES, SHOWN.values(), strict=True))
        rows = self._engine.rows(
            f"SELECT record_no, {columns} FROM source_records JOIN "
            "(SELECT record_no, source, source_record_id FROM linkage_records WHERE record_no IN ($l, $r)) "
            "USING (source, source_record_id) ORDER BY record_no",
            l=pair[0],
            r=pair[1],
        )
        steps = explain_pair(self._engine, self._model, *pair)
        agreements = steps.set_index("comparison")
        sides = []
        for name, (field, (_, comparisons)) in zip(_NAMES, SHOWN.items(), strict=True):
            told = [comparison for comparison in comparisons.split() if comparison in agreements.index]
            sides.append(
                Side(
                    field,
                    rows[0][name] or "",
                    rows[1][name] or "",
                    "; ".join(_name_level(str(agreements.loc[comparison, "step"]), field) for comparison in told),
                    float(agreements.loc[told, "weight"].sum()) if told else None,
                )
            )
        shown = tuple(side for side in sides if side.left or side.right)
        return Question(asked["why"], asked["probability"], shown)

    def answer(self, number: int, decision: str, reviewer: str) -> str:
        """Keep what a reviewer says of a question.

        Parameters
        ----------
        number : int
        decision : {"same", "different", "unsure"}
        reviewer : str
            Who says so.

        Returns
        -------
        str
            A sentence: what was kept, and whether it contradicts an earlier reviewer.

        Raises
        ------
        InputError
            If nobody signs, or the params name no file for rulings.
        """
        if self._path is None:
            raise InputError(
                "The params name no file for rulings; write identity: {rulings: rulings.jsonl} and run again."
            )
        if not reviewer.strip():
            raise InputError("Write your name first: a ruling is signed.")
        asked = self._questions[number]
        hash_records(
            self._engine,
            f"(SELECT unnest([{asked['record_no_l']}, {asked['record_no_r']}]) AS record_no)",
        )
        left, right = self._engine.rows(
            "SELECT source, source_record_id, seen FROM records_seen JOIN linkage_records USING (record_no) "
            "ORDER BY record_no"
        )
        ruling = PairRuling.model_validate(
            {
                "records": [[side["source"], side["source_record_id"]] for side in (left, right)],
                "decision": decision,
                "seen": [left["seen"], right["seen"]],
                "reviewer": reviewer.strip(),
                "decided_at": self._clock(),
                "as_of_date": self._as_of_date,
            }
        )
        earlier = [other for other in read_rulings(self._path).pairs if other.pair == ruling.pair]
        append_ruling(self._path, ruling)
        sentence = f"Kept: {WORDS[decision]}."
        if earlier and {earlier[-1].decision, decision} == {"same", "different"}:
            before = earlier[-1]
            sentence += (
                f" On {before.decided_at:%Y-%m-%d} {before.reviewer} said {WORDS[before.decision]}: "
                "you contradict each other, and the later counts."
            )
        return sentence


_NAMES = tuple(name.lower().replace(" ", "_").replace("-", "_") for name in SHOWN)


def _name_level(step: str, field: str) -> str:
    """A level in words; the comparison is named only where the line's field does not say it."""
    comparison, _, level = step.partition(": ")
    return level if comparison == field else step
