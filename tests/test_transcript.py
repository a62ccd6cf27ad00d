"""Stage 1: words keep their spelling, every character belongs to one of them."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgpa_core import decompose
from sgpa_core.transcript import DELIMITER, LETTERS, WILDCARD


def test_the_next_word_tells_the_time_of_day():
    assert [w.spoken for w in decompose("at 7:00 pm").words] == ["at", "seven", "p m"]


def test_words_keep_their_spelling_and_own_their_characters():
    transcript = decompose("Convert 10,000 Earth-years, OK?")
    assert [w.text for w in transcript.words] == ["Convert", "10,000", "Earth-years,", "OK?"]
    assert transcript.characters == "convert|ten|thousand|earth|years|ok"
    owners = "".join("-" if i < 0 else str(i) for i in transcript.word_of)
    assert owners == "0000000-111-11111111-22222-22222-33"
    assert transcript.to_frame()["characters"].tolist() == [
        "convert",
        "tenthousand",
        "earthyears",
        "ok",
    ]


def test_punctuation_alone_is_no_player():
    assert [w.text for w in decompose("— Well ... yes !").words] == ["Well", "yes"]


@pytest.mark.parametrize("text", ["", "   \n\t ", "...", "?! — …", "*", "\u200b"])
def test_a_text_without_words_is_refused(text):
    with pytest.raises(ValueError, match="no word to align"):
        decompose(text)


@pytest.mark.parametrize("text", [None, 5, b"bytes", ["What", "time"]])
def test_a_text_must_be_a_string(text):
    with pytest.raises(ValueError, match="must be a string"):
        decompose(text)


@pytest.mark.parametrize(
    ("text", "characters"),
    [("北京", "*"), ("go 北京 now", "go|*|now"), ("😀", "*"), ("👩‍👩‍👧", "*"), ("naïve", "naive"),
     ("Straße", "strasse"), ("Łódź", "lodz"), ("Привет мир", "*|*"), ("cafe北京", "cafe*")],
)  # fmt: skip
def test_what_cannot_be_spelled_is_a_wildcard(text, characters):
    assert decompose(text).characters == characters


def test_the_vocabulary_decides():
    assert decompose("Zoë", "ABCDEFGHIJKLMNOPQRSTUVWXYZ").characters == "ZOE"
    assert decompose("Zoë", "zoë").characters == "zoë"
    assert decompose("it's", "ist").characters == "its"
    assert decompose("привет", "приветмр").characters == "привет"


def test_a_very_long_word():
    assert decompose("go " + "x" * 60).characters == "go|" + "x" * 60
    assert decompose("go " + "x" * 200).characters == "go|*"


@given(st.text(max_size=80))
def test_every_spoken_token_becomes_one_word_in_order(text):
    tokens = text.split()
    try:
        transcript = decompose(text)
    except ValueError:
        assert not re.search("[A-Za-z0-9]", text)
        return
    remaining = iter(tokens)
    assert all(word.text in remaining for word in transcript.words)  # a subsequence, in order
    spoken = [token for token in tokens if re.search("[A-Za-z0-9]", token)]
    words = [word.text for word in transcript.words]
    assert [word for word in words if re.search("[A-Za-z0-9]", word)] == spoken
    assert len(transcript.characters) == len(transcript.word_of)
    owners = transcript.word_of[transcript.word_of >= 0]
    assert (np.diff(owners) >= 0).all()
    assert set(owners) == set(range(len(words)))
    assert set(transcript.characters) <= LETTERS | {WILDCARD, DELIMITER}
    delimiters = [c == DELIMITER for c in transcript.characters]
    assert delimiters == (transcript.word_of < 0).tolist()
    assert not delimiters[0]
    assert not delimiters[-1]
