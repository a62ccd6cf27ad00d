"""Stage 1: words keep their spelling, every character belongs to one of them."""

import contextlib
import re
import time

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


@given(st.text(st.characters(exclude_characters="[]【】<>&:"), max_size=80))
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


def words(text):
    return [word.text for word in decompose(text).words]


def tags(text):
    return [word.text for word in decompose(text).words if not word.spoken]


SRT = """1
00:00:01,000 --> 00:00:02,000 X1:40 X2:600 Y1:20 Y2:50
please <i>open</i>

2
00:00:03,000 --> 00:00:04,000
{\\an8}the door 5
"""
VTT = """WEBVTT - a title
Kind: captions

STYLE
::cue { color: red }

NOTE this is
a comment

intro
00:01.000 --> 00:02.000 align:start position:0%
<v Mary>please <00:01.500><c.yellow>open</c>

00:02.000 --> 00:03.000
<v.loud Fred Smith>the door</v> 5
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("please <b>open</b> it", ["please", "open", "it"]),
        ("un<i>believ</i>able", ["unbelievable"]),
        ('<font color="red">red</font> door', ["red", "door"]),
        ("<c.yellow.bg_blue>one</c> two", ["one", "two"]),
        ("one<br/>two", ["one", "two"]),
        ("<00:01:02.000>one<00:01:03.000> two", ["one", "two"]),
        ("{\\an8}one {\\i1}two{\\i0}", ["one", "two"]),
        ("one <!-- a remark --> two", ["one", "two"]),
        ("rock &amp; roll", ["rock", "&", "roll"]),
        ("AT&amp;T caf&eacute; &#39;n&#x27;", ["AT&T", "café", "'n'"]),
        ("one&nbsp;two", ["one", "two"]),
        ("&lt;b&gt; is bold", ["<b>", "is", "bold"]),
        ("[00:12.00]one", ["one"]),
        ("0:00:01.000,0:00:02.000\none", ["one"]),
        ("Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,one\\Ntwo", ["one", "two"]),
        ("1 00:00:01,000 --> 00:00:02,000 one 2 00:00:02,000 --> 00:00:03,000 two", ["one", "two"]),
        ("WEBVTT 00:01.000 --> 00:02.000 one", ["one"]),
        (SRT, ["please", "open", "the", "door", "5"]),
        ("\ufeff" + SRT, ["please", "open", "the", "door", "5"]),
        ("[00:00.000 --> 00:02.000]  one", ["one"]),
        (SRT.replace("\n", "\r\n"), ["please", "open", "the", "door", "5"]),
        (VTT, ["please", "open", "the", "door", "5"]),
    ],
)
def test_markup_of_subtitles_is_no_word(text, expected):
    assert words(text) == expected
    assert decompose(text).text == text


@pytest.mark.parametrize(
    "text",
    ["a < b", "I <3 you", "x<y and y>z", "{x}", "if p<v and v>w", "AT&T; R&D", "NOTE that",
     "5 --> 6", "WEBVTT is a format", "STYLE matters", "<script>", "one 2 three"],
)  # fmt: skip
def test_what_only_looks_like_markup_is_text(text):
    assert words(text) == text.split()
    assert not tags(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[laughter] please open (applause)", ["[laughter]", "(applause)"]),
        ("please [door slams] open", ["[door", "slams]"]),
        ("please [laughs]open", ["[laughs]"]),
        ("(crowd cheering), yes", ["(crowd", "cheering),"]),
        (
            "(Phone ringing in the background) yes",
            ["(Phone", "ringing", "in", "the", "background)"],
        ),
        ("*coughs* yes", ["*coughs*"]),
        ("<laughter> yes", ["<laughter>"]),
        ("（笑）yes 【拍手】", ["（笑）", "【拍手】"]),
        (">> JOHN: yes", [">>", "JOHN:"]),
        ("yes >> no", [">>"]),
        ('>> "No," she said', [">>"]),
        (">> HOST: WELCOME. >> THANK YOU.", [">>", "HOST:", ">>"]),
        ("JOHN: yes\nMARY ANN: no", ["JOHN:", "MARY", "ANN:"]),
        ("- MR. SMITH: yes", ["MR.", "SMITH:"]),
        ("WOMAN #1: yes", ["WOMAN", "#1:"]),
        ("[Speaker 1]: yes", ["[Speaker", "1]:"]),
        ("Speaker 2: yes", ["Speaker", "2:"]),
        ("SPEAKER_00: yes", ["SPEAKER_00:"]),
        ("I like (the capital) city", []),
        ("(laughing at me) yes", []),
        ("I love *music*", []),
        ("5 >> 3", []),
        ("THE TIME IS: NOW", []),
        ("Remember: go", []),
        ("yes JOHN: no", []),
        ("[♪] yes", []),
        ("[unclosed yes", []),
    ],
)
def test_tags_of_events_and_speakers_are_words_that_are_not_spoken(text, expected):
    assert tags(text) == expected


def test_a_tag_changes_nothing_for_its_neighbours():
    plain, tagged = (
        decompose("lost $1.5 million last year"),
        decompose("[sighs] lost $1.5 [door slams] million (laughs) last year >> "),
    )
    assert tagged.characters == plain.characters
    spoken = [word.spoken for word in tagged.words if word.spoken]
    assert spoken == [word.spoken for word in plain.words]


def test_tags_alone_are_nothing_to_align():
    with pytest.raises(ValueError, match=r"no word to align: '\[laughter\]'"):
        decompose("[laughter]")


SPOKEN = st.sampled_from(
    ["please", "open", "don't", "7:30", "$5", "(the", "capital)", "Zoë", "北京"]
)
TAGS = st.sampled_from(
    ["[laughter]", "[door slams]", "(applause)", "(crowd cheering).", "[Speaker 1]:"]
)
MARKUP = st.sampled_from(
    ["<b>", "</b>", "<c.yellow>", "<00:01:02.000>", "{\\an8}", "<br/>", "<i></i>", "<!-- no -->"]
)
PIECES = st.one_of(
    st.tuples(st.just("word"), SPOKEN), st.tuples(st.just("tag"), TAGS),
    st.tuples(st.just("markup"), MARKUP),
)  # fmt: skip


@given(st.lists(PIECES, min_size=1), SPOKEN)
def test_every_word_exactly_once_in_order_whatever_is_mixed(pieces, last):
    pieces = [*pieces, ("word", last)]
    transcript = decompose(" ".join(piece for _, piece in pieces))
    kept = [(kind, token) for kind, piece in pieces if kind != "markup" for token in piece.split()]
    assert [word.text for word in transcript.words] == [token for _, token in kept]
    assert [not word.spoken for word in transcript.words] == [kind == "tag" for kind, _ in kept]
    owners = set(transcript.word_of[transcript.word_of >= 0].tolist())
    assert owners == {index for index, (kind, _) in enumerate(kept) if kind == "word"}


@pytest.mark.parametrize(
    "piece", ["9", "Dialogue:,", "1:", "1-", "[", "<b ", ">> ", "(music and ", "a@", "&#1", "1\n"]
)
def test_no_text_takes_long(piece):
    began = time.process_time()
    with contextlib.suppress(ValueError):
        decompose(piece * 4000 + "a")
    assert time.process_time() - began < 5
