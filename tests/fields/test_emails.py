import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given
from hypothesis import strategies as st

from crmlib.fields.emails import normalise_email


@pytest.mark.parametrize(
    ("written", "address", "mailbox", "kind"),
    [
        ("Ana.Perez+shop@GMAIL.com", "ana.perez+shop@gmail.com", "anaperez@gmail.com", "personal"),
        ("ana.perez@googlemail.com", "ana.perez@googlemail.com", "anaperez@gmail.com", "personal"),
        ("ana.perez@gmial.com", "ana.perez@gmial.com", "anaperez@gmail.com", "personal"),
        ("ana.perez@correo.example", "ana.perez@correo.example", "ana.perez@correo.example", "personal"),
        ("<info@tienda.example>", "info@tienda.example", "info@tienda.example", "role"),
        ("mailto:JOSE@correo.example", "jose@correo.example", "jose@correo.example", "personal"),
        (" ana@correo.example. ", "ana@correo.example", "ana@correo.example", "personal"),
    ],
)
def test_valid_addresses(written, address, mailbox, kind):
    assert normalise_email(written) == (address, mailbox, kind, True)


@pytest.mark.parametrize(
    "written", ["ana", "ana@", "@correo.es", "ana@correo", "a na@correo.es", "ana@correo..es", "a" * 300]
)
def test_what_is_no_address(written):
    email = normalise_email(written)
    assert (email.mailbox, email.valid) == (None, False)
    assert email.address == written[:254]


def test_junk_and_nothing():
    assert normalise_email("xxx@gmail.com") == ("xxx@gmail.com", "xxx@gmail.com", "junk", False)
    assert normalise_email("  ") == normalise_email(None) == (None, None, None, False)


@given(st.one_of(st.emails(), st.text(max_size=30), st.text("ab.+@ g", max_size=12)))
def test_normalising_twice_is_normalising_once(text):
    once = normalise_email(text)
    assert normalise_email(once.address) == once


@given(st.emails())
def test_validity_is_the_libraries(address):
    try:
        validate_email(address.lower(), check_deliverability=False)
        expected = True
    except EmailNotValidError:
        expected = False
    email = normalise_email(address)
    assert email.valid is (expected and email.kind != "junk") or address.strip(".,;:\"'<> ") != address


@given(
    st.text("abz09._+-é @", min_size=1, max_size=8),
    st.sampled_from(["gmail.com", "x.y", "-a.com", "a..b.com", "localhost", "test.test", "münchen.de", "a.b.es"]),
)
def test_plain_addresses_are_read_as_the_library_reads_them(local, domain):
    text = f"{local}@{domain}".strip().strip(" <>.,;:\"'").lower()
    read = normalise_email(text)
    try:
        expected = validate_email(text, check_deliverability=False).normalized.lower()
    except EmailNotValidError:
        assert read.mailbox is None
    else:
        assert (read.address, read.mailbox is None) == (expected, False)
