"""Pairs worth a person's time: which, how they are laid side by side, and what is kept of the answer."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pytest

from crmlib.errors import InputError
from crmlib.identity.clusters import cluster_records
from crmlib.identity.constraints import hold_rulings
from crmlib.identity.decisions import decide_pairs, estimate_pair_shares, weigh_relatives
from crmlib.identity.evaluation import evaluate_labels
from crmlib.identity.explaining import LEAST_NEAR, explain_customer, explain_examples, explain_pair
from crmlib.identity.review import ReviewDesk, choose_questions
from crmlib.identity.rulings import Rulings, read_rulings
from crmlib.identity.suspicions import summarise_suspicions
from crmlib.identity.thresholds import (
    Calibration,
    calibrate_weights,
    choose_threshold,
    price_thresholds,
    weigh_mistakes,
)
from crmlib.params import IdentityCosts, IdentitySettings

AT = datetime(2026, 11, 2, tzinfo=UTC)
DAY = date(2026, 11, 1)
COSTS = IdentityCosts(wrong_merge=10.0, missed_merge=1.0, review=0.05)
THRESHOLD = 0.9


def judge(linked, rulings=()):
    engine, model, _ = linked
    weigh_relatives(engine, model)
    decide_pairs(engine, model, estimate_pair_shares(engine, model))
    hold_rulings(engine, Rulings(tuple(rulings)))
    cluster_records(engine, THRESHOLD)
    asked = choose_questions(engine, THRESHOLD, COSTS, Calibration())
    return engine, model, asked


@pytest.fixture
def judged(linked):
    return judge(linked)


@pytest.fixture
def desk(judged, tmp_path):
    engine, model, _ = judged
    return ReviewDesk(engine, model, tmp_path / "rulings.jsonl", DAY, lambda: AT)


def test_a_pair_is_asked_where_more_is_at_stake_than_a_look_costs(judged):
    engine, _, asked = judged
    rows = engine.rows("FROM questions JOIN decided_pairs USING (record_no_l, record_no_r)")
    assert len(rows) == asked["pairs"].sum() > 5
    for row in rows:
        mistake = 1 - row["match_probability"] if row["together"] else row["match_probability"]
        cost = COSTS.wrong_merge if row["together"] else COSTS.missed_merge
        assert row["at_stake"] == pytest.approx(mistake * cost)
        assert row["at_stake"] > COSTS.review
        assert row["decided_by"] == "model"
    assert asked["at_stake"].sum() == pytest.approx(sum(row["at_stake"] for row in rows))


def test_between_two_customers_one_pair_is_asked(judged):
    engine, *_ = judged
    asked = engine.rows(
        "SELECT count(*) AS n FROM questions q JOIN clusters l ON l.record_no = q.record_no_l "
        "JOIN clusters r ON r.record_no = q.record_no_r GROUP BY l.cluster, r.cluster"
    )
    assert {row["n"] for row in asked} == {1}


def test_a_dear_look_asks_less(judged):
    engine, *_ = judged
    cheap = choose_questions(engine, THRESHOLD, COSTS, Calibration())["pairs"].sum()
    dear = choose_questions(engine, THRESHOLD, COSTS.model_copy(update={"review": 0.4}), Calibration())["pairs"].sum()
    assert dear < cheap
    assert choose_questions(engine, THRESHOLD, weigh_mistakes(THRESHOLD), Calibration())["pairs"].sum() > 0


def test_the_records_lie_side_by_side_with_their_reasons(desk, judged):
    engine, *_ = judged
    assert len(desk) > 5
    asked = engine.rows("SELECT * FROM questions ORDER BY lapsed DESC, at_stake DESC, record_no_l, record_no_r")[0]
    question = desk.show(0)
    assert question.probability == asked["probability"]
    sides = {side.field: side for side in question.sides}
    names = engine.rows(
        "SELECT record_no, concat_ws(' ', s.given_name, s.surnames) AS name FROM source_records s "
        "JOIN (SELECT record_no, source, source_record_id FROM linkage_records) USING (source, source_record_id) "
        f"WHERE record_no IN ({asked['record_no_l']}, {asked['record_no_r']}) ORDER BY record_no"
    )
    assert [sides["Name"].left, sides["Name"].right] == [row["name"] for row in names]
    assert "First surname: " in sides["Name"].agreement
    assert "Company" not in sides, "what neither record has is not shown"


def test_the_steps_of_a_pair_add_up_to_its_weight(judged):
    engine, model, _ = judged
    for pair in engine.rows("FROM decided_pairs ORDER BY hash(record_no_l, record_no_r) LIMIT 40"):
        steps = explain_pair(engine, model, pair["record_no_l"], pair["record_no_r"])
        assert steps["weight"].sum() == pytest.approx(pair["match_weight"], abs=0.2)
        compared = {name.removeprefix("gamma_") for name, level in pair.items() if name[:6] == "gamma_" and level >= 0}
        assert compared == set(steps["comparison"]) - {"prior", "rarity", "relatives", "contradiction"}
    assert explain_pair(engine, model, 1, 1).empty


def test_examples_stand_around_the_threshold(judged):
    engine, model, _ = judged
    found = explain_examples(engine, model, THRESHOLD).groupby("example", sort=False)["weight"].sum()
    assert list(found.index) == ["A pair just not joined", "A pair just joined", "A pair joined like most"]
    assert found.iloc[0] < found.iloc[1] <= found.iloc[2]


def test_a_customers_merges_are_told_pair_by_pair_and_so_are_the_nearest_others(judged):
    engine, model, _ = judged
    engine.execute(
        "CREATE OR REPLACE TABLE told_identities AS SELECT source, source_record_id, 'c' || cluster AS customer_id "
        "FROM clusters JOIN linkage_records USING (record_no)"
    )
    larger = "SELECT cluster FROM clusters GROUP BY cluster ORDER BY count(*) DESC, cluster LIMIT 1"
    near = (
        "SELECT least(l.cluster, r.cluster) AS cluster FROM decided_pairs p "
        "JOIN clusters l ON l.record_no = p.record_no_l JOIN clusters r ON r.record_no = p.record_no_r "
        f"WHERE l.cluster <> r.cluster AND p.match_probability >= {LEAST_NEAR} ORDER BY ALL LIMIT 1"
    )
    for chosen in (larger, near):
        cluster = engine.row(chosen)["cluster"]
        told = explain_customer(engine, model, "told_identities", f"c{cluster}", THRESHOLD)
        members = engine.rows(
            "SELECT source || ' ' || source_record_id AS name FROM told_identities WHERE customer_id = $customer",
            customer=f"c{cluster}",
        )
        names = {row["name"] for row in members}
        own = told[told["one"].isin(names) & told["other"].isin(names)]
        assert len(own) == len(names) * (len(names) - 1) / 2
        assert own["decision"].str.startswith("one person").all()
        others = told.drop(own.index)
        assert (others["decision"] == "kept apart").all()
        assert ((others["match_probability"] < THRESHOLD) | (others["speaks_against"] != "")).all()
        assert len(others) > 0 or chosen == larger
        assert told["speaks_for"].str.contains(r"\(\+\d").all()
    assert explain_customer(engine, model, "told_identities", "nobody", THRESHOLD).empty


def test_an_answer_is_kept_without_a_value_and_counts_in_the_next_run(desk, linked, tmp_path):
    engine, *_ = judge(linked)
    asked = engine.rows("SELECT * FROM questions ORDER BY lapsed DESC, at_stake DESC, record_no_l, record_no_r")[:2]
    answer = "different" if asked[0]["together"] else "same"
    assert desk.answer(0, answer, " Xenia ") == f"Kept: {'two people' if asked[0]['together'] else 'one person'}."
    desk.answer(1, "unsure", "Xenia")
    path = tmp_path / "rulings.jsonl"
    line = json.loads(path.read_text().splitlines()[0])
    assert (line["reviewer"], line["decided_at"], line["as_of_date"]) == ("Xenia", "2026-11-02T00:00:00Z", "2026-11-01")
    people = engine.rows(
        "SELECT given_name, surnames, email, phone FROM source_records WHERE source_record_id IN "
        f"('{line['records'][0][1]}', '{line['records'][1][1]}')"
    )
    assert not any(str(value) in path.read_text() for row in people for value in row.values() if value)

    judge(linked, read_rulings(path).pairs)
    pair = asked[0]["record_no_l"], asked[0]["record_no_r"]
    together = engine.row(f"SELECT count(DISTINCT cluster) = 1 AS yes FROM clusters WHERE record_no IN {pair}")["yes"]
    assert together == (answer == "same")
    again = {(row["record_no_l"], row["record_no_r"]) for row in engine.rows("FROM questions")}
    assert not again & {(row["record_no_l"], row["record_no_r"]) for row in asked}
    judged = evaluate_labels(engine, THRESHOLD).set_index("metric")
    assert judged.loc["label_agreement", ["value", "n"]].tolist() == [0.0, 1.0]


def test_what_changed_since_is_asked_again_first(desk, linked, tmp_path):
    engine, *_ = judge(linked)
    last = len(desk) - 1
    asked = engine.rows("SELECT * FROM questions ORDER BY lapsed DESC, at_stake DESC, record_no_l, record_no_r")[last]
    desk.answer(last, "same", "Xenia")
    ruling = read_rulings(tmp_path / "rulings.jsonl").pairs[0]
    judge(linked, [ruling.model_copy(update={"seen": ("----", ruling.seen[1])})])
    first = engine.rows("SELECT * FROM questions ORDER BY lapsed DESC, at_stake DESC")[0]
    assert first["why"] == "asked before, and a record has changed since"
    assert (first["record_no_l"], first["record_no_r"]) == (asked["record_no_l"], asked["record_no_r"])


def test_reviewers_who_contradict_each_other_are_told(desk):
    desk.answer(0, "same", "Xenia")
    assert "contradict" not in desk.answer(0, "same", "Bea")
    told = desk.answer(0, "different", "Carla")
    assert "Bea said one person: you contradict each other, and the later counts." in told


def test_an_answer_must_be_signed_and_needs_a_file(desk, judged, tmp_path):
    with pytest.raises(InputError, match="Write your name"):
        desk.answer(0, "same", "  ")
    engine, model, _ = judged
    with pytest.raises(InputError, match="params name no file"):
        ReviewDesk(engine, model, None, DAY, lambda: AT).answer(0, "same", "Xenia")
    assert not (tmp_path / "rulings.jsonl").exists()


def test_a_threshold_is_where_both_mistakes_cost_the_same(judged):
    engine, *_ = judged
    costs = IdentityCosts(wrong_merge=7.0, missed_merge=1.0)
    assert choose_threshold(IdentitySettings(costs=costs), Calibration()) == pytest.approx(7 / 8)
    assert choose_threshold(IdentitySettings(), Calibration()) == pytest.approx(0.5)
    assert choose_threshold(IdentitySettings(match_threshold=0.8), Calibration()) == pytest.approx(0.8)
    assert choose_threshold(IdentitySettings(costs=costs), Calibration(), 0.7) == 0.7
    priced = price_thresholds(engine, costs, Calibration())
    cheapest = priced.loc[priced["cost"].idxmin(), "match_weight"]
    assert 2.0**cheapest == pytest.approx(7.0, rel=2.0)
    assert priced["wrong_merges"].is_monotonic_decreasing
    assert priced["missed_merges"].is_monotonic_increasing
    total = engine.row(
        "SELECT sum(match_probability) AS matches FROM decided_pairs WHERE decided_by = 'model' AND NOT contradicted"
    )["matches"]
    assert priced["missed_merges"].iloc[-1] == pytest.approx(total, rel=0.05)


@pytest.mark.parametrize(("shift", "slope"), [(-4.0, 1.0), (3.0, 1.0), (0.0, 0.6)])
def test_labels_move_the_threshold_to_where_people_are_in_doubt(engine, shift, slope):
    """Pairs ruled as a model that is off by a known amount would have it: the weights come out set right."""
    engine.execute(
        f"""
        CREATE OR REPLACE TABLE model_pairs AS
        SELECT weight AS match_weight, 'model' AS decided_by, false AS contradicted,
               CASE WHEN place + 0.5 < 1000 / (1 + 2.0 ** -({shift} + {slope} * weight))
                    THEN 'same' ELSE 'different' END AS decision
        FROM range(-10, 16) w(weight), range(1000) p(place)
        """
    )
    found = calibrate_weights(engine)
    assert found.labels == 26_000
    assert found.shift == pytest.approx(shift, abs=0.3)
    assert found.slope == pytest.approx(slope, abs=0.06)
    threshold = choose_threshold(IdentitySettings(match_threshold=0.5), found)
    assert threshold == pytest.approx(1 / (1 + 2.0 ** (shift / slope)), abs=0.08)


def test_few_labels_move_little_and_none_nothing(engine):
    engine.execute(
        "CREATE OR REPLACE TABLE model_pairs AS SELECT 5.0 AS match_weight, 'model' AS decided_by, "
        "false AS contradicted, 'different' AS decision"
    )
    one = calibrate_weights(engine)
    assert -3 < one.shift < 0
    engine.execute("DELETE FROM model_pairs")
    assert calibrate_weights(engine) == Calibration(0.0, 1.0, 0)


def test_suspicions_are_counted(judged):
    engine, *_ = judged
    found = summarise_suspicions(engine, THRESHOLD).set_index("suspicion")
    weak = engine.row(
        f"SELECT count(DISTINCT cluster) AS n FROM clusters WHERE match_probability < {(1 + THRESHOLD) / 2}"
    )
    assert found.loc["held together by a link in doubt", "customers"] == weak["n"] > 0
    assert found.loc["several valid ids", "customers"] == 0
    assert (found["records"] >= found["customers"]).all()
