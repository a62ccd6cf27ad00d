"""Stage 1: how numbers, times, prices and signs are spoken."""

import pathlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgpa_core import decompose
from sgpa_core.spoken import spoken_form

LIST = pathlib.Path(__file__).with_name("spoken_forms.tsv").read_text("utf-8").splitlines()[1:]


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
        ("7pm", "seven p m"),
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


def test_most_of_a_list_of_written_forms_is_spoken_as_a_reader_would():
    """Each line of the list: a written form, a tab, the forms that are right, between bars."""
    forms = [line.split("\t") for line in LIST]
    wrong = {}
    for written, right in forms:
        spoken = " ".join(word.spoken for word in decompose(written).words)
        if spoken not in right.split("|"):
            wrong[written] = spoken
    assert len(forms) >= 240
    assert len(wrong) <= 0.03 * len(forms), wrong


@pytest.mark.parametrize(
    ("token", "following", "before", "spoken"),
    [
        ("$1.5", "million", "lost", "one point five"),
        ("million", "last", "$1.5", "million dollars"),
        ("million", "people", "1.5", "million"),
        ("km", "away", "5", "kilometers"),
        ("km", "", "", "km"),
        ("pm", "", "7", "p m"),
        ("AM", "I", "where", "am"),
        ("15", "", "March", "fifteenth"),
        ("15", "people", "march", "fifteen"),
        ("VIII", "", "Henry", "the eighth"),
        ("II", "", "War", "two"),
        ("I", "am", "Henry", "i"),
        ("St.", "John", "in", "saint"),
        ("St.", "", "Main", "street"),
        ("No.", "5", "", "number"),
        ("No.", "She", "", "no"),
    ],
)
def test_the_tokens_around_it_tell_how_it_is_spoken(token, following, before, spoken):
    assert spoken_form(token, following, before) == spoken


@given(st.from_regex(r"[a-z]+(['-][a-z]+)?", fullmatch=True))
def test_an_ordinary_word_is_spoken_as_it_is_written(word):
    if word not in ("mr", "mrs", "ms", "dr", "vs", "etc", "wwi", "wwii"):
        assert spoken_form(word) == word.replace("-", " ")
