"""Stage 1: how numbers, times, prices and signs are spoken."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgpa_core.spoken import spoken_form


@pytest.mark.parametrize(
    ("token", "spoken"),
    [
        ("What", "what"),
        ("it's", "it's"),
        ("it’s", "it's"),
        ("O'Brien's", "o'brien's"),
        ("'quoted'", "quoted"),
        ("well-known", "well known"),
        ("20-year-old", "twenty year old"),
        ("COVID-19", "covid nineteen"),
        ("Zoë's", "zoë's"),
        ("7:30", "seven thirty"),
        ("7:05", "seven oh five"),
        ("7:00", "seven o'clock"),
        ("7:30pm", "seven thirty p m"),
        ("7pm", "seven pm"),
        ("1st", "first"),
        ("22nd", "twenty second"),
        ("1999", "nineteen ninety nine"),
        ("2024", "twenty twenty four"),
        ("2000", "two thousand"),
        ("1990s", "nineteen nineties"),
        ("80s", "eighties"),
        ("10,000", "ten thousand"),
        ("1,234.5", "one thousand two hundred and thirty four point five"),
        ("15", "fifteen"),
        ("007", "zero zero seven"),
        ("3.14", "three point one four"),
        ("-5", "minus five"),
        ("1/2", "one half"),
        ("3/4", "three quarters"),
        ("24/7", "twenty four seven"),
        ("25%", "twenty five percent"),
        ("$5", "five dollars"),
        ("$1", "one dollar"),
        ("$3.50", "three dollars fifty"),
        ("£1,000", "one thousand pounds"),
        ("€20", "twenty euros"),
        ("5€", "five euros"),
        ("&", "and"),
        ("C++", "c plus plus"),
        ("#1", "number one"),
        ("Dr.", "doctor"),
        ("５", "five"),
        ("٣", "three"),
        ("...", ""),
        ("—", ""),
        ("¿?", ""),
        ("*", ""),
    ],
)
def test_spoken_forms(token, spoken):
    assert spoken_form(token) == spoken


@given(st.integers(0, 10**15))
def test_every_number_can_be_said(number):
    for form in (
        str(number),
        f"{number:,}",
        f"${number}",
        f"{number}%",
        f"{number}th",
        f"-{number}",
    ):
        assert re.fullmatch("[a-z ']+", spoken_form(form))


@pytest.mark.parametrize(
    ("token", "spoken"),
    [
        ("2½", "two and one half"),
        ("10²", "ten squared"),
        ("10⁻³", "ten minus three"),
        ("-$5", "minus five dollars"),
    ],
)
def test_fractions_powers_and_debts_are_no_digits_of_the_number(token, spoken):
    assert spoken_form(token) == spoken
