"""Stage 1, transcript decomposition: words, the characters to align, and the map between them.

A *word* is a whitespace-separated token that is spoken. It keeps its own spelling and becomes one
player, whatever its spoken form ("10,000" is one word, spoken "ten thousand"). Markup of subtitles
is left out. Tags of events and speakers are words without a spoken form, and no players.
"""

import html
import re
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from .spoken import FORMS, PLAIN, compiled, is_silent, spoken_form

#: Stands for speech that the vocabulary cannot spell; one per run of such characters.
WILDCARD = "*"

#: Stands between spoken words; belongs to no player.
DELIMITER = "|"

#: The vocabulary assumed where none is given.
LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz'")

#: A spoken word of more characters than this (a hash, a link) is aligned as a wildcard.
LONGEST_WORD = 60

_TAG = compiled("({tag})")
_MARKUP = [
    (compiled(rule.get("where", "")), compiled(rule["find"]), rule.get("put", ""))
    for rule in FORMS["markup"]
]


@dataclass(frozen=True)
class Word:
    """A word of the transcript: one player, if it is spoken.

    Attributes
    ----------
    text : str
        The word as written, punctuation included.
    spoken : str
        Its spoken form: lower-case words separated by spaces, before any vocabulary is applied.
        Empty for what belongs to a tag of an event or a speaker, "[laughter]", ">> JOHN:".
    """

    text: str
    spoken: str


@dataclass(frozen=True)
class Transcript:
    """A transcript, decomposed: the result of Stage 1.

    Attributes
    ----------
    text : str
        The transcript as given.
    words : tuple of Word
        In order; the spoken ones are the players.
    characters : str
        What is aligned: vocabulary characters, ``"*"`` for speech that the vocabulary cannot
        spell, ``"|"`` between spoken words.
    word_of : ndarray of int, shape (len(characters),)
        The membership map: index of the word that owns each character, -1 for delimiters.
    """

    text: str
    words: tuple[Word, ...]
    characters: str
    word_of: np.ndarray = field(repr=False, compare=False)

    def to_frame(self) -> pd.DataFrame:
        """One row per word: ``text``, ``spoken`` and the ``characters`` that are aligned for it."""
        characters = np.array(list(self.characters))
        owned = ["".join(characters[self.word_of == index]) for index in range(len(self.words))]
        return pd.DataFrame(self.words, columns=["text", "spoken"]).assign(characters=owned)


def decompose(text: str, vocabulary: Collection[str] | None = None) -> Transcript:
    """Split a transcript into words and alignable characters (Stage 1 of the paper).

    Numbers, times, currencies, ordinals and years are aligned by their English spoken form;
    capitals and diacritics fall back to the nearest character of the vocabulary; punctuation is
    silent. Markup, entities, times and settings of subtitles (SRT, WebVTT) are left out; tags such
    as "[laughter]", "(applause)" and ">> JOHN:" are words without characters. Square brackets
    always make a tag, round ones where the words between them name a sound.
    Whatever else cannot be spelled (other scripts, emoji, words of more than 60 letters)
    becomes a wildcard.

    Parameters
    ----------
    text : str
        The transcript. Words are separated by white space.
    vocabulary : collection of str, optional
        Single characters that the aligner can say; a-z and the apostrophe by default.

    Returns
    -------
    Transcript

    Raises
    ------
    ValueError
        If the text is not a string, no valid Unicode, or holds no spoken word at all.

    Examples
    --------
    >>> transcript = decompose("It's 7:30, Zoë!")
    >>> [word.spoken for word in transcript.words]
    ["it's", 'seven thirty', 'zoë']
    >>> transcript.characters
    "it's|seven|thirty|zoe"
    >>> transcript.word_of[:6].tolist()
    [0, 0, 0, 0, -1, 1]
    >>> [(word.text, word.spoken) for word in decompose("[laughs] <b>rock</b> &amp; roll").words]
    [('[laughs]', ''), ('rock', 'rock'), ('&', 'and'), ('roll', 'roll')]
    """
    if not isinstance(text, str):
        raise ValueError(f"the text must be a string, not {type(text).__name__}: {text!r}")
    if half := re.search("[\ud800-\udfff]", text):
        raise ValueError(
            f"the text is no valid Unicode: {half[0]!r} at {half.start()} is half a character; "
            "was it read with the wrong encoding?"
        )
    letters = LETTERS if vocabulary is None else frozenset(vocabulary) - {WILDCARD, DELIMITER}
    words, characters = tuple(_words(text)), ""
    word_of: list[int] = []
    for index, word in enumerate(words):
        for part in word.spoken.split():
            spelled = _spell(part, letters) if len(part) <= LONGEST_WORD else WILDCARD
            characters += DELIMITER + spelled
            word_of += [-1] + [index] * len(spelled)
    if not word_of:
        raise ValueError(f"the text holds no word to align: {text!r}; give a letter or digit")
    # all but the delimiter before the first word
    return Transcript(text, words, characters[1:], np.array(word_of[1:], dtype=np.int64))


def _words(text: str) -> Iterator[Word]:
    """Yield the words of a text, without its markup; what belongs to a tag is not spoken."""
    plain = "\n".join(line.strip() for line in text.splitlines())
    for where, find, put in _MARKUP:
        plain = find.sub(put, plain) if where.search(text) else plain
    plain = re.sub(r"&#?\w+;", lambda entity: html.unescape(entity[0]), plain)
    pieces = [piece.split() for piece in _TAG.split(plain)]  # speech, a tag, speech, …
    speech = [token for piece in pieces[::2] for token in piece]
    around = zip(["", *speech], [*speech[1:], ""], strict=False)
    for index, piece in enumerate(pieces):
        for token in piece:
            before, following = ("", "") if index % 2 else next(around)
            if spoken := spoken_form(token, following, before):
                yield Word(token, "" if index % 2 else spoken)


def _spell(part: str, letters: frozenset[str]) -> str:
    """Spell one spoken word with the vocabulary's characters, a wildcard per run it cannot."""
    spelled = ""
    for character in part:
        plain = unicodedata.normalize("NFKD", character.translate(PLAIN))
        plain = "".join(c for c in plain if not unicodedata.combining(c)).translate(PLAIN)
        forms = (character, character.upper(), plain, plain.upper())
        otherwise = "" if is_silent(character) else WILDCARD
        spelled += next((form for form in forms if form and letters.issuperset(form)), otherwise)
    return re.sub(r"\*+", WILDCARD, spelled)
