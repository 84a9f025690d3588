import numpy as np
import pandas as pd
import pytest

from crmlib.identity.comparisons import Comparison, Level
from crmlib.identity.mixture import learn_mixture

RECORDS = 3_000
ALL_PAIRS = RECORDS * (RECORDS - 1) / 2


def compare(name, relatives):
    return Comparison(name, name, relatives, "false", (name,), (Level("same", "", 0.8), Level("other", "ELSE", 0.2)))


FIELDS = (compare("given", 0.02), compare("birth", 0.02), compare("surname", 0.8), compare("home", 0.95))
TRUE_M = {"given": 0.9, "birth": 0.85, "surname": 0.95, "home": 0.7}
TRUE_U = {"given": 0.01, "birth": 0.001, "surname": 0.01, "home": 0.002}


def draw(rng, pairs, shares):
    return pd.DataFrame({f"gamma_{name}": (rng.random(pairs) < share).astype(int) for name, share in shares.items()})


def learn(matches, relatives, seed=1):
    """Learn from drawn pairs of the three kinds; of the strangers only those are candidates that agree somewhere."""
    rng = np.random.default_rng(seed)
    kin = {
        field.name: field.relatives * TRUE_M[field.name] + (1 - field.relatives) * TRUE_U[field.name]
        for field in FIELDS
    }
    strangers = draw(rng, int(ALL_PAIRS) - matches - relatives, TRUE_U)
    everything = pd.concat([draw(rng, matches, TRUE_M), draw(rng, relatives, kin), strangers])
    patterns = everything.value_counts().rename("pairs").reset_index()
    candidates = patterns[patterns.drop(columns="pairs").sum(axis=1) > 0]
    observed = {
        (name, place): float(everything[f"gamma_{name}"].eq(1 - place).mean()) for name in TRUE_M for place in (0, 1)
    }
    return learn_mixture(candidates, FIELDS, observed, ALL_PAIRS, 1e-4)


@pytest.mark.parametrize(("matches", "relatives"), [(900, 0), (900, 1_500), (300, 3_000)])
def test_planted_shares_are_found(matches, relatives):
    found = learn(matches, relatives)
    assert found.matches * ALL_PAIRS == pytest.approx(matches, rel=0.08)
    # one pair of relatives in twelve agrees nowhere: it is no candidate, and lowers what the others are taken for
    assert found.relatives * ALL_PAIRS == pytest.approx(relatives * (11 / 12) ** 2, rel=0.08, abs=15)
    for name, share in TRUE_M.items():
        assert found.m[name, 0] == pytest.approx(share, abs=0.05)


def test_one_mistake_a_record_is_no_hindrance():
    """Matches that differ in exactly one field each, as in a register where a clerk errs once."""
    patterns = pd.DataFrame(
        [{f"gamma_{name}": int(name != wrong) for name in TRUE_M} | {"pairs": 250} for wrong in TRUE_M]
        + [{f"gamma_{name}": int(name == right) for name in TRUE_M} | {"pairs": 4_000} for right in TRUE_M]
    )
    observed = {
        (name, place): (TRUE_U[name] if place == 0 else 1 - TRUE_U[name]) for name in TRUE_M for place in (0, 1)
    }
    found = learn_mixture(patterns, FIELDS, observed, ALL_PAIRS, 1e-4)
    assert all(found.m[name, 0] == pytest.approx(0.75, abs=0.06) for name in ("given", "birth"))


def test_nothing_to_learn_from_leaves_the_usual_shares():
    empty = pd.DataFrame({f"gamma_{name}": [] for name in TRUE_M} | {"pairs": []}, dtype="int64")
    observed = {(name, place): 0.5 for name in TRUE_M for place in (0, 1)}
    found = learn_mixture(empty, FIELDS, observed, 1.0, 1e-4)
    assert found.m["given", 0] == pytest.approx(0.8)
    assert found.matches < 1e-6
