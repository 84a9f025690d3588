"""Which pairs of records are compared at all: rules as plain data, kept within a budget of comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from crmlib.engine import Engine, Step

#: Comparisons that are always affordable, and per record beyond that.
LEAST_BUDGET = 10_000_000
BUDGET_PER_RECORD = 20
#: A block of more records than this tells nothing: its value is common, not shared by one person.
LARGEST_BLOCK = 200


@dataclass(frozen=True)
class BlockingRule:
    """Records that agree in all of some keys are compared.

    Parameters
    ----------
    name : str
        In words.
    keys : tuple of str
        SQL expressions over ``linkage_records``; a record that lacks one is in no block.
    """

    name: str
    keys: tuple[str, ...]


#: Rules for persons, the most telling first.
RULES = (
    BlockingRule("national id", ("national_id",)),
    BlockingRule("e-mail", ("mailbox",)),
    BlockingRule("phone", ("phone",)),
    BlockingRule("all words of the name", ("name_key",)),
    BlockingRule("given name, date of birth", ("given_block", "birth_day")),
    BlockingRule("first surname, date of birth", ("surname_1_key", "birth_day")),
    BlockingRule("e-mail without provider", ("email_local",)),
    BlockingRule("given name, both surnames", ("given_block", "surname_1_key", "surname_2_key")),
    BlockingRule("initial, both surnames", ("left(given_key, 1)", "surname_1_key", "surname_2_key")),
    BlockingRule("given name, first surname, postcode", ("given_block", "surname_1_key", "postcode_key")),
    BlockingRule("given name, second surname, postcode", ("given_block", "surname_2_key", "postcode_key")),
    BlockingRule("given name, first surname, municipality", ("given_block", "surname_1_key", "municipality_key")),
    BlockingRule("first surname, street, number", ("surname_1_key", "street_key", "number_key")),
    BlockingRule("given name, street, number", ("given_block", "street_key", "number_key")),
    BlockingRule("street, number, postcode", ("street_key", "number_key", "postcode_key")),
    BlockingRule("given name, first surname", ("given_block", "surname_1_key")),
    BlockingRule("date of birth, postcode", ("birth_day", "postcode_key")),
    BlockingRule("date of birth", ("birth_day",)),
    BlockingRule(
        "beginnings of the names, year of birth",
        ("left(given_key, 3)", "left(surname_1_key, 4)", "left(birth_day, 4)"),
    ),
    BlockingRule("beginning of the surname, month of birth", ("left(surname_1_key, 4)", "left(birth_day, 6)")),
    BlockingRule("given name, year of birth, municipality", ("given_block", "left(birth_day, 4)", "municipality_key")),
    BlockingRule(
        "initial, beginning of the surname, municipality",
        ("left(given_key, 1)", "left(surname_1_key, 4)", "municipality_key"),
    ),
    BlockingRule("beginning of the street, postcode", ("left(street_key, 5)", "postcode_key")),
    BlockingRule("first surname, postcode", ("surname_1_key", "postcode_key")),
    BlockingRule("given name, postcode", ("given_block", "postcode_key")),
    BlockingRule("first surname, municipality", ("surname_1_key", "municipality_key")),
    BlockingRule("given name, municipality", ("given_block", "municipality_key")),
)


NO_PAIRS = Step(
    "found_pairs", "SELECT 0::BIGINT AS record_no_l, 0::BIGINT AS record_no_r, 0::INTEGER AS rule WHERE false"
)
BLOCKS = Step(
    "blocks",
    "SELECT block, count(*) AS records, count(*) FILTER (WHERE changed) AS changed FROM keyed_records "
    "GROUP BY block HAVING count(*) > 1",
)
#: How many blocks there are of each size, and how many pairs are to be compared in them.
BLOCK_SIZES = """
    SELECT records, count(*) AS blocks,
           sum(records * (records - 1) // 2 - (records - changed) * (records - changed - 1) // 2)::BIGINT AS pairs
    FROM blocks GROUP BY records ORDER BY records
"""
PAIRS_OF_RULE = """
    INSERT INTO found_pairs
    WITH kept AS (
        SELECT k.*
        FROM keyed_records k
        JOIN blocks b ON b.block = k.block
        WHERE b.records <= $cap
    )
    SELECT l.record_no, r.record_no, $rule
    FROM kept l
    JOIN kept r ON r.block = l.block AND l.record_no < r.record_no AND (l.changed OR r.changed)
"""
CANDIDATE_PAIRS = Step(
    "candidate_pairs",
    "SELECT record_no_l, record_no_r, min(rule) AS rule FROM found_pairs GROUP BY record_no_l, record_no_r",
)
REPORTED = ("rule", "pairs", "largest_block", "blocks_left_out", "records_left_out")


def block_pairs(
    engine: Engine,
    rules: tuple[BlockingRule, ...] = RULES,
    least_budget: int = LEAST_BUDGET,
    budget_per_record: int = BUDGET_PER_RECORD,
    largest_blocks: Sequence[int] | None = None,
) -> pd.DataFrame:
    """Find the pairs to compare, rule by rule, within a budget.

    Parameters
    ----------
    engine : Engine
        Holds ``linkage_records``; gets ``candidate_pairs``: record_no_l < record_no_r, rule (the first rule
        that found the pair).
    rules : tuple of BlockingRule
        In the order in which they may spend the budget.
    least_budget, budget_per_record : int
        The budget in comparisons is the greater of the first, and the second times the records.
    largest_blocks : sequence of int, optional
        Of each rule, the records that a block might have when all pairs were compared: now only those with a record of
        ``changed_records`` are.

    Returns
    -------
    pandas.DataFrame
        One row per rule: rule, pairs (it finds), new_pairs (no rule before found), largest_block (records a
        block may have; 0 if the rule was left out), blocks_left_out (larger than that), records_left_out.
    """
    records = engine.row("SELECT count(*) AS n FROM linkage_records")["n"]
    left = max(least_budget, budget_per_record * records)
    engine.run(NO_PAIRS)
    found = []
    most = [LARGEST_BLOCK] * len(rules) if largest_blocks is None else largest_blocks
    for number, (rule, most_records) in enumerate(zip(rules, most, strict=True)):
        if most_records == 0:
            found.append(dict.fromkeys(REPORTED, 0) | {"rule": rule.name})
            continue
        engine.run(_key_records(rule, changed_only=largest_blocks is not None))
        engine.run(BLOCKS)
        sizes = engine.frame(BLOCK_SIZES)
        cap, pairs = _fit_block_size(sizes, left, most_records)
        larger = sizes[sizes["records"] > cap]
        left_out = int(larger["blocks"].sum()), int((larger["records"] * larger["blocks"]).sum())
        found.append(dict(zip(REPORTED, (rule.name, pairs, cap, *left_out), strict=True)))
        left -= pairs
        if pairs:
            engine.execute(PAIRS_OF_RULE, rule=number, cap=cap)
    engine.run(CANDIDATE_PAIRS)
    engine.execute("DROP TABLE found_pairs")
    new = engine.rows("SELECT rule, count(*) AS n FROM candidate_pairs GROUP BY rule")
    by_rule = {row["rule"]: row["n"] for row in new}
    report = pd.DataFrame(found)
    report.insert(2, "new_pairs", [by_rule.get(number, 0) for number in range(len(rules))])
    return report


def _key_records(rule: BlockingRule, changed_only: bool) -> Step:
    """Each record's block, as a number: two blocks with the same one would only be compared besides."""
    known = " AND ".join(f"({key}) IS NOT NULL" for key in rule.keys)
    block = f"hash({', '.join(rule.keys)})"
    if not changed_only:
        keyed = f"SELECT record_no, {block} AS block, true AS changed FROM linkage_records WHERE {known}"
        return Step("keyed_records", keyed)
    return Step(
        "keyed_records",
        f"""
        WITH keyed AS (SELECT record_no, {block} AS block FROM linkage_records WHERE {known}),
        touched AS (
            SELECT {block} AS block FROM linkage_records SEMI JOIN changed_records USING (record_no) WHERE {known}
        )
        SELECT k.record_no, k.block, c.record_no IS NOT NULL AS changed
        FROM keyed k
        SEMI JOIN touched t ON t.block = k.block
        LEFT JOIN changed_records c ON c.record_no = k.record_no
        """,
    )


def _fit_block_size(sizes: pd.DataFrame, budget: float, most_records: int) -> tuple[int, int]:
    """The largest block that keeps a rule within a budget, and the rule's pairs then."""
    cap = most_records
    while cap >= 2:
        pairs = int(sizes.loc[sizes["records"] <= cap, "pairs"].sum())
        if pairs <= budget:
            return cap, pairs
        cap //= 2
    return 0, 0
