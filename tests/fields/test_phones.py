import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmlib.fields.phones import normalise_phone


@pytest.mark.parametrize(
    ("written", "e164", "kind"),
    [
        ("922 12 34 56", "+34922123456", "landline"),
        ("+34 600-123-123", "+34600123123", "mobile"),
        ("0034612345678", "+34612345678", "mobile"),
        ("612345678 / 922123456", "+34612345678", "mobile"),
        ("tel. 612.345.678 y 922 00", "+34612345678", "mobile"),
        ("600 123 123 ext 4", "+34600123123", "mobile"),
        ("(+44) 20 7946 0958", "+442079460958", "landline"),
        ("900 123 456", "+34900123456", "other"),
    ],
)
def test_valid_numbers(written, e164, kind):
    assert normalise_phone(written, "ES") == (e164, kind, True)


@pytest.mark.parametrize("filler", ["666666666", "600000000", "999999999", "123456789", "612345", "no tiene", "", None])
def test_numbers_nobody_answers(filler):
    assert normalise_phone(filler, "ES").valid is False


def test_the_region_tells_what_needs_no_prefix():
    assert normalise_phone("(02) 9374 4000", "AU").e164 == "+61293744000"
    assert normalise_phone("(02) 9374 4000", "ES").valid is False


@pytest.mark.parametrize("region", ["ES", "BR", "PL", "IT", "AU", "US", "DE"])
@pytest.mark.parametrize("kind", [phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE])
def test_the_library_s_own_examples_are_valid(region, kind):
    example = phonenumbers.example_number_for_type(region, kind)
    written = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    phone = normalise_phone(written, "FR")
    expected = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
    assert phone.e164 == expected


@given(st.one_of(st.text("0123456789 +-/()", max_size=20), st.text(max_size=20)), st.sampled_from(["ES", "PL", "US"]))
def test_normalising_twice_is_normalising_once(text, region):
    once = normalise_phone(text, region)
    assert normalise_phone(once.e164, region) == once
