"""Every layout of other tools' exports, each generation: what comes out of it, field by field."""

from __future__ import annotations

import csv
import io
import re
import zipfile

import pytest
import yaml

from crmlib.errors import InputError
from crmlib.params import EntitySource, needed_fields
from crmlib.sources.mapping import columns_of
from crmlib.sources.presets import find_generation, list_presets, read_preset
from crmlib.sources.unfolding import list_unfolded
from tests.sources.preset_fixtures import FILES, FOLDER, PRESTASHOP, PUSHED, make_fixtures

CASES = yaml.load((FOLDER / "expected.yaml").read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
#: Told elsewhere, or the same everywhere.
ASIDE = ("source", "record_source", "updated_at", "bought_on", "delivery", "delivery_row")
LAYOUTS = {
    "Mailchimp": ("mailchimp_audience", "mailchimp_cleaned", "mailchimp_campaign_reports"),
    "Google Contacts": ("google_contacts",),
    "Shopify": ("shopify_customers", "shopify_orders", "shopify_order_lines"),
    "WooCommerce": ("woocommerce_customers", "woocommerce_orders", "woocommerce_order_lines", "woocommerce_refunds"),
    "PrestaShop": ("prestashop_customers",),
    "Magento": ("magento_customers", "magento_addresses"),
    "dataLayer": ("datalayer_events",),
    "generic": (
        "generic_pos_tickets", "generic_pos_lines", "generic_erp_customers", "generic_purchases", "generic_events",
        "generic_users",
    ),
}  # fmt: skip
SECRETS = re.compile("password|token|hash|card_number", re.IGNORECASE)


def test_every_layout_has_its_preset_and_every_preset_its_layout():
    assert {name for names in LAYOUTS.values() for name in names} == set(list_presets())


def test_the_fixtures_are_what_their_script_writes():
    written = dict(make_fixtures())
    assert {path.name for path in FOLDER.iterdir()} == {*written, "expected.yaml"}
    for name, content in written.items():
        assert (FOLDER / name).read_bytes() == content, name


def test_every_fixture_is_expected_something_of():
    assert {case["file"] for case in CASES} == {name for name, _ in make_fixtures()}
    assert {case["preset"] for case in CASES} == set(list_presets())


def plain(row):
    """A row as `expected.yaml` writes it."""
    return {
        name: value if isinstance(value, (str, list)) else str(value).replace("+00:00", "")
        for name, value in row.items()
        if value is not None and value != [] and name not in ASIDE
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['preset']} of {case['file']}")
def test_a_layout_is_taken_in_whole(case, deliveries):
    deliveries.write(case["file"], (FOLDER / case["file"]).read_bytes())
    given = {name: case[name] for name in ("preset", "member") if name in case}
    entity = read_preset(case["preset"], "x").entity
    intake = deliveries.take_in({"s": {entity: {"path": case["file"], **given}}})
    assert deliveries.rejected() == []
    assert intake.unmapped.query("value != '(cannot be read)'").empty
    made = set(deliveries.base) - {"intake_ledger", "rejected_rows", "repeated_rows"}
    assert {table: [plain(row) for row in deliveries.rows(table)] for table in made} == case["tables"]


def headings_of(name, content):
    """The headings of a fixture, or of each file in it."""
    if name.endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return [next(csv.reader([archive.read(member).decode().splitlines()[0]])) for member in archive.namelist()]
    if name in PUSHED:
        return [list(dict.fromkeys(place for pushed in PUSHED[name] for place in pushed))]
    delimiter, encoding, *_ = FILES[name]
    return [next(csv.reader(io.StringIO(content.decode(encoding)), delimiter=delimiter))]


@pytest.mark.parametrize("name", sorted(set(list_presets()) - {"mailchimp_cleaned"}))
def test_every_generation_has_a_fixture(name):
    preset, delivery = read_preset(name, "x"), EntitySource(path="x", preset=name)
    files = {case["file"] for case in CASES if case["preset"] == name}
    taken = {
        find_generation(delivery, preset, list_unfolded(columns, preset.unfold), file, "x").name
        for file, content in make_fixtures()
        if file in files
        for columns in headings_of(file, content)
    }
    assert taken == {generation.name for generation in preset.generations}


@pytest.mark.parametrize("name", list_presets())
def test_what_a_row_cannot_do_without_identifies_the_layout(name):
    preset = read_preset(name, "x")
    for generation in preset.generations:
        fields = {**preset.fields, **generation.fields}
        for field in needed_fields(preset.entity):
            assert fields[field].value is not None or set(columns_of(fields[field])) & set(generation.headings), field


@pytest.mark.parametrize("name", list_presets())
def test_no_secret_is_mapped(name):
    preset = read_preset(name, "x")
    for fields in (preset.fields, *(generation.fields for generation in preset.generations)):
        assert not [column for field in fields.values() for column in columns_of(field) if SECRETS.search(column)]


@pytest.mark.parametrize("language", PRESTASHOP)
def test_every_language_of_a_shop_says_the_same(language):
    tables = {case["file"]: case["tables"] for case in CASES}
    assert tables[f"prestashop_customers_8_{language}.csv"] == tables["prestashop_customers_8_en.csv"]


def test_a_label_nobody_has_foreseen_is_named_and_can_be_mapped(deliveries):
    content = (FOLDER / "mailchimp_audience_spanish.csv").read_text(encoding="utf-8")
    deliveries.write("audience.csv", content.replace("Correo electrónico", "Buzón").replace("Nombre", "Cómo te llamas"))
    given = {"path": "audience.csv", "preset": "mailchimp_audience"}
    with pytest.raises(InputError, match=r"nearest is 'subscribed', which also has: Email Address\. .*instead: Buzón"):
        deliveries.take_in({"mail": {"customers": given}})
    fields = {"email": "Buzón", "given_name": "Cómo te llamas"}
    deliveries.take_in({"mail": {"customers": {**given, "fields": fields}}})
    (row,) = deliveries.rows("source_records", "email, given_name, surnames")
    assert row == {"email": "ana@mail.example", "given_name": "Ana", "surnames": "Gil Peña"}
