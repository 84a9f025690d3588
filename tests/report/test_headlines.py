import pytest

from crmlib.report.context import Headline
from crmlib.report.headlines import describe_change, format_card, format_headline, name_unit


def headline(value, base=None, unit="", better="", label="a figure"):
    return Headline("01_intake", "key", value, label, unit, better, base)


@pytest.mark.parametrize(
    ("value", "base", "unit", "better", "text", "tone"),
    [
        (110, 100, "", "up", "▲ 10.0%, better", "good"),
        (90, 100, "", "up", "▼ 10.0%, worse", "bad"),
        (90, 100, "", "down", "▼ 10.0%, better", "good"),
        (110, 100, "", "", "▲ 10.0%", "neutral"),
        (0.123, 0.110, "%", "down", "▲ 1.3 points, worse", "bad"),
        (100, 100, "", "up", "unchanged", "neutral"),
        (100.01, 100, "", "up", "unchanged", "neutral"),
        (7, 0, "", "down", "▲ 7, worse", "bad"),
        (0, 0, "", "down", "unchanged", "neutral"),
        (-50, -100, "EUR", "up", "▲ 50.0%, better", "good"),
    ],
)
def test_a_change_has_size_direction_and_judgement(value, base, unit, better, text, tone):
    change = describe_change(headline(value, base, unit, better))
    assert change is not None
    assert (change.text, change.tone) == (text, tone)


@pytest.mark.parametrize(("value", "base"), [(1, None), (None, 1), ("late", "late"), ("a", 1)])
def test_there_is_no_change_without_two_numbers(value, base):
    assert describe_change(headline(value, base)) is None


@pytest.mark.parametrize(
    ("value", "unit", "label", "written", "named"),
    [
        (2873, "customers", "customers", "2,873", ""),
        (2873, "customers", "people known", "2,873", "customers"),
        (0.1234, "%", "share", "12.3%", ""),
        (412_345.2, "EUR", "value", "€412,345", ""),
        (17.4, "days", "gap", "17.4", "days"),
        ("two weeks", "", "rhythm", "two weeks", ""),
        (None, "days", "gap", "–", "days"),
    ],
)
def test_a_headline_is_written_with_its_unit_once(value, unit, label, written, named):
    line = headline(value, unit=unit, label=label)
    assert (format_headline(line), name_unit(line)) == (written, named)


@pytest.mark.parametrize(
    ("value", "unit", "written"),
    [
        (999_999, "EUR", "€999,999"),
        (1_683_020, "GBP", "£1.68\N{NO-BREAK SPACE}M"),
        (-48_312_900, "EUR", "\N{MINUS SIGN}€48.3\N{NO-BREAK SPACE}M"),
        (251_000_000, "PLN", "251\N{NO-BREAK SPACE}M zł"),
        (20_000_000, "rows", "20.0\N{NO-BREAK SPACE}M"),
        (2_000_000, "SEK", "2.00\N{NO-BREAK SPACE}M SEK"),
        ("never", "", "never"),
    ],
)
def test_a_card_writes_three_digits_of_millions(value, unit, written):
    assert format_card(headline(value, unit=unit)) == written
