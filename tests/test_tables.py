"""Contracts: every table there is, read from plain text."""

from __future__ import annotations

import re

import pyarrow as pa
import pytest

from crmlib.errors import ContractError
from crmlib.params import ENTITIES
from crmlib.tables import CONTRACTS, TYPES, Column, _read_contract, find_contract

#: The tables between the rooms, with their keys; of incoming ones the key ends with updated_at.
KEYS = {
    "source_records": "source source_record_id updated_at",
    "consent_events": "source source_record_id channel purpose happened_at updated_at",
    "tickets": "source ticket_id updated_at",
    "ticket_lines": "source ticket_id line updated_at",
    "products": "product_id updated_at",
    "stores": "store_id updated_at",
    "postcodes": "postcode updated_at",
    "campaigns": "campaign_id updated_at",
    "sends": "source send_id updated_at",
    "web_events": "source event_id updated_at",
    "service_cases": "source case_id updated_at",
    "suppressions": "source list key_kind key updated_at",
    "campaign_reports": "source report_id updated_at",
    "rejected_rows": "source entity delivery row",
    "repeated_rows": "source entity delivery row",
    "intake_ledger": "source entity load hash",
    "audit_findings": "source entity field check",
    "audit_scores": "source dimension",
    "audit_parts": "source entity field check part value",
    "audit_history": "as_of_date source dimension",
    "match_pairs": "source_l source_record_id_l source_r source_record_id_r",
    "identities": "source source_record_id",
    "identity_events": "customer_id as_of_date event",
    "customers": "customer_id",
    "provenance": "customer_id field",
    "permissions": "customer_id channel purpose",
    "purchase_summary": "customer_id",
    "lifecycle": "customer_id",
    "customer_value": "customer_id",
    "backtest": "model origin horizon segment",
    "cohort_misses": "origin cohort horizon",
    "forecast_ledger": "forecast_id",
    "segments": "customer_id",
    "counters": "segment place channel permission stage",
    "experiment_log": "contact_date communication_id customer_id",
    "candidate_counts": "contact_date communication_id reason",
    "campaign_results": "campaign_id outcome",
    "plan_forecast": "plan day category",
    "plan_comparison": "plan metric",
    "contact_decisions": "contact_date customer_id communication_id",
    "sync_changes": "target source_record_id",
    "model_parameters": "room model parameter",
    "linkage_model": "model",
    "season_index": "store_id day",
    "demand_forecast": "category store_id week",
    "plan_prices": "plan limit",
    "plan_visits": "plan store_id",
    "evaluation": "room metric",
}


@pytest.mark.parametrize("name", KEYS)
def test_every_table_has_its_contract_and_key(name):
    assert set(KEYS[name].split()) <= set(find_contract(name).key)


def test_there_is_no_table_that_nobody_designed():
    assert set(CONTRACTS) == set(KEYS)


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=lambda contract: contract.name)
def test_a_contract_is_whole(contract):
    names = [column.name for column in contract.columns]
    assert len(set(names)) == len(names)
    assert contract.key
    assert contract.meaning.endswith(".")
    assert all(re.fullmatch(r"\d\d", room) for room in contract.rooms)
    assert contract.rooms
    assert all(contract.column(name) for name in contract.happens)
    for column in contract.columns:
        assert column.kind in TYPES, column
        assert column.meaning, column
        assert not (column.key and column.null), column


def test_every_incoming_table_is_versioned_and_the_time_of_its_version_ends_the_key():
    for table in ENTITIES.values():
        contract = CONTRACTS[table]
        assert contract.versioned, table
        assert contract.key[-1] == "updated_at", table
        assert contract.columns[-1].name == "updated_at", table
        assert contract.rooms == ("01",), table
    made = set(CONTRACTS) - set(ENTITIES.values())
    assert not any(CONTRACTS[name].versioned for name in made)


def test_only_tables_of_several_rooms_are_shared_and_the_room_is_part_of_their_rows():
    shared = {contract.name for contract in CONTRACTS.values() if contract.shared}
    assert shared == {"evaluation", "model_parameters", "forecast_ledger"}
    assert all(CONTRACTS[name].column("room") for name in shared)


def test_an_interval_has_both_ends():
    for contract in CONTRACTS.values():
        names = {column.name for column in contract.columns}
        for name in names:
            if name.endswith("_low"):
                assert name.removesuffix("_low") + "_high" in names, (contract.name, name)


def test_an_unknown_table_is_a_contract_error():
    with pytest.raises(ContractError, match=r"no table 'ticket'.*tickets"):
        find_contract("ticket")


@pytest.mark.parametrize("kind", sorted(set(TYPES) - {"texts", "shares"}))
def test_the_types_in_sql_and_in_arrow_are_the_same(engine, kind):
    column = Column("a", kind, "")
    made = engine.arrow(f"SELECT CAST(NULL AS {column.sql_type}) AS a").schema.field("a").type
    assert str(made).removesuffix("[day]") == column.arrow_type


def test_the_nested_types_in_sql_and_in_arrow_are_the_same(engine):
    texts, shares = (
        engine.arrow(f"SELECT CAST(NULL AS {TYPES[kind][0]}) AS a").schema.field("a").type
        for kind in ("texts", "shares")
    )
    assert texts.value_type == pa.string()
    assert (shares.key_type, shares.item_type) == (pa.string(), pa.float64())


def test_one_line_covers_a_family_of_columns():
    contract = find_contract("customer_value")
    column = contract.column("p_buy_28d")
    assert column is not None
    assert column.name == "p_buy_<days>d"
    assert contract.column("p_buy_d") is None
    assert contract.column("xp_buy_28d") is None
    assert contract.column("churn_probability").name == "churn_probability"


def test_marks_of_a_line_are_read():
    contract = _read_contract(
        """
things  room 01  happens bought_on
  One row per thing.
  thing_id   text   key, of a/b     Its key
  price      money  set, EUR a kilo  Price
  bought_on  date   -               Day
  updated_at  time  key  Version
"""
    )
    thing, price, bought_on, _ = contract.columns
    assert contract.key == ("thing_id", "updated_at")
    assert contract.versioned
    assert contract.happens == ("bought_on",)
    assert (thing.values, thing.null) == (("a", "b"), False)
    assert (price.unit, price.null, price.key) == ("EUR a kilo", False, False)
    assert (bought_on.unit, bought_on.null) == ("", True)


def test_a_line_that_lacks_a_part_is_a_contract_error():
    with pytest.raises(ContractError, match="'things': a column's line needs"):
        _read_contract("things  room 01\n  One row per thing.\n  thing_id  text  key\n")
