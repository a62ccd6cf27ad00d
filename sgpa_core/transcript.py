"""Stage 1: transcript → words, the characters that an aligner can say, and the map between them.

A *word* is a whitespace-separated token that something is spoken for; it keeps its own spelling
and becomes one player, whatever its spoken form ("10,000" is one word, spoken "ten thousand").
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

WILDCARD = "*"
"""Stands for speech that the vocabulary cannot spell; one per run of such characters."""

DELIMITER = "|"
"""Stands between spoken words; belongs to no player."""

LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz'")
"""The vocabulary assumed where none is given."""

LONGEST_WORD = 60
"""A spoken word of more characters than this is none (a hash, a link), but a wildcard."""

_SYMBOLS = {
    "&": "and", "+": "plus", "=": "equals", "%": "percent", "@": "at", "#": "number",
    "°": "degrees", "×": "times", "÷": "divided by", "<": "less than", ">": "greater than",
    "$": "dollars", "£": "pounds", "€": "euros", "¥": "yen", "¢": "cents",
}  # fmt: skip
_CURRENCIES = {
    "$": ("dollar", "dollars"), "£": ("pound", "pounds"),
    "€": ("euro", "euros"), "¥": ("yen", "yen"),
}  # fmt: skip
_ABBREVIATIONS = {
    "mr": "mister", "mrs": "missus", "ms": "miz", "dr": "doctor",
    "vs": "versus", "etc": "et cetera",
}  # fmt: skip
_PLAIN_LETTERS = {
    "ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i",
}  # fmt: skip
_FOLDED = str.maketrans(
    _PLAIN_LETTERS | dict.fromkeys("’‘ʼ＇`´", "'") | dict.fromkeys("−‐‑", "-") | {"⁄": "/"}
)
# Between a number and a small one of another kind, which the next step makes plain digits.
_PART = re.compile(r"(?<=\d)(?=[¼-¾⅐-⅞])")
_RAISED = re.compile(r"(?<=\d)(?=[⁰¹⁴-⁹⁺⁻₀-₉])")
_POWER = re.compile(r"(?<=\w)[²³]")
_LONGEST_NUMBER = 12  # digits; longer ones are read digit by digit


@dataclass(frozen=True)
class Word:
    """A word of the transcript: one player.

    Attributes
    ----------
    text : str
        The word as written, punctuation included.
    spoken : str
        Its spoken form: lower-case words separated by spaces, before any vocabulary is applied.
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
        The players, in order.
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
        import pandas as pd

        return pd.DataFrame(
            {
                "text": [word.text for word in self.words],
                "spoken": [word.spoken for word in self.words],
                "characters": [
                    "".join(self.characters[i] for i in np.flatnonzero(self.word_of == index))
                    for index in range(len(self.words))
                ],
            }
        )


def decompose(text: str, vocabulary: Collection[str] | None = None) -> Transcript:
    """Split a transcript into words and alignable characters (Stage 1 of the paper).

    Numbers, times, currencies, ordinals and years are aligned by their English spoken form;
    capitals and diacritics fall back to the nearest character of the vocabulary; punctuation is
    silent. Whatever else cannot be spelled (other scripts, emoji, words of more than 60 letters)
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
        If the text is not a string, no valid Unicode, or holds no word at all.

    Examples
    --------
    >>> transcript = decompose("It's 7:30, Zoë!")
    >>> [word.spoken for word in transcript.words]
    ["it's", 'seven thirty', 'zoë']
    >>> transcript.characters
    "it's|seven|thirty|zoe"
    >>> transcript.word_of[:6].tolist()
    [0, 0, 0, 0, -1, 1]
    """
    if not isinstance(text, str):
        raise ValueError(f"the text must be a string, not {type(text).__name__}: {text!r}")
    if half := re.search("[\ud800-\udfff]", text):
        raise ValueError(
            f"the text is no valid Unicode: {half[0]!r} at {half.start()} is half a character; "
            "was it read with the wrong encoding?"
        )
    letters = LETTERS if vocabulary is None else frozenset(vocabulary) - {WILDCARD, DELIMITER}
    tokens = text.split()
    words: list[Word] = []
    characters: list[str] = []
    word_of: list[int] = []
    for token, following in zip_longest(tokens, tokens[1:], fillvalue=""):
        spoken = spoken_form(token, following)
        if not spoken:
            continue
        for part in spoken.split():
            spelled = "".join(_spell(part, letters)) if len(part) <= LONGEST_WORD else WILDCARD
            if not spelled:
                continue
            if characters:
                characters.append(DELIMITER)
                word_of.append(-1)
            characters.extend(spelled)
            word_of.extend([len(words)] * len(spelled))
        words.append(Word(token, spoken))
    if not words:
        raise ValueError(
            f"the text holds no word to align: {text!r}; give at least one letter or digit"
        )
    return Transcript(text, tuple(words), "".join(characters), np.array(word_of, dtype=np.int64))


def _spell(part: str, letters: frozenset[str]) -> Iterator[str]:
    """Yield the vocabulary's characters for one spoken word, a wildcard per run it cannot spell."""
    unspelled = False
    for character in part:
        plain = unicodedata.normalize("NFKD", character.translate(_FOLDED))
        plain = "".join(c for c in plain if not unicodedata.combining(c)).translate(_FOLDED)
        for form in (character, character.upper(), plain, plain.upper()):
            if form and all(c in letters for c in form):
                yield from form
                unspelled = False
                break
        else:
            if not _is_silent(character):
                if not unspelled:
                    yield WILDCARD
                unspelled = True


def _is_silent(character: str) -> bool:
    """Whether nothing is spoken for a character: punctuation, marks, modifiers, controls."""
    category = unicodedata.category(character)
    return category[0] in "PZCM" or category in ("Sk", "Sm", "Lm")


def spoken_form(token: str, following: str = "") -> str:
    """Give the English spoken form of one written token; empty if nothing is spoken for it.

    Parameters
    ----------
    token : str
        One token, without white space.
    following : str, default ""
        The next token, which tells "7:00 pm" from "7:00".

    Returns
    -------
    str
        Lower-case words separated by single spaces. Characters of other scripts stay as they are.

    Examples
    --------
    >>> [spoken_form(token) for token in ("10,000", "$3.50", "1st", "25%", "well-known", "--")]
    ['ten thousand', 'three dollars fifty', 'first', 'twenty five percent', 'well known', '']
    """
    plain = _RAISED.sub(" ", _PART.sub(" and ", token))
    plain = _POWER.sub(lambda match: " squared" if match[0] == "²" else " cubed", plain)
    plain = unicodedata.normalize("NFKC", plain).translate(_FOLDED).lower()
    plain = "".join(_ascii_digit(c) for c in plain)
    if all(_is_silent(c) and c not in _SYMBOLS for c in plain):
        return ""
    bare = plain.strip('.,;:!?"()[]{}')
    if bare in _ABBREVIATIONS:
        return _ABBREVIATIONS[bare]
    clock = following.lower().strip(".,;:!?").replace(".", "") in ("am", "pm")
    said = _PATTERN.sub(lambda match: f" {_read(match, clock)} ", plain)
    said = "".join(f" {_SYMBOLS[c]} " if c in _SYMBOLS else c for c in said)
    said = (
        re.sub(r"(?<=\w)\.(?=[^\W\d]{2,})", " dot ", said)
        if "@" in plain or "www." in plain
        else said
    )
    parts = re.split(r"[\s\-–—_/\\.,;:!?…]+", said)
    parts = [part.strip("'\"“”«»()[]{}") for part in parts]
    return " ".join(part for part in parts if part and not all(_is_silent(c) for c in part))


def _ascii_digit(character: str) -> str:
    return (
        str(unicodedata.decimal(character))
        if unicodedata.category(character) == "Nd"
        else character
    )


_NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_PATTERN = re.compile(
    rf"""
    (?P<time>(?<!\d)(?P<hour>[01]?\d|2[0-4]):(?P<minute>[0-5]\d)(?!\d)(?P<half>\s?[ap]\.?m\b)?)
  | (?P<debt>(?<![\w-])-)?(?P<sign>[$£€¥])(?P<amount>{_NUMBER})
  | (?P<ordinal>\d+)(?:st|nd|rd|th)\b
  | (?P<decade>\d*\d0)'?s\b
  | (?P<range>(?<![\d-])(?P<low>\d{{1,2}}|\d{{4}})[-–](?P<high>\d{{1,2}}|\d{{4}})(?![\d-]))
  | (?P<fraction>(?<![\d/])(?P<top>\d{{1,3}})/(?P<bottom>\d{{1,3}})(?![\d/]))
  | (?P<minus>(?<![\w-])-)?(?P<number>{_NUMBER})
    """,
    re.VERBOSE,
)


def _read(match: re.Match[str], clock: bool) -> str:
    """Say one number-like match."""
    part = match.groupdict()
    if part["time"]:
        hour, minute = _cardinal(str(int(part["hour"]))), int(part["minute"])
        half = " ".join((part["half"] or "").replace(".", "").strip())
        if minute == 0:
            return f"{hour} {half}" if half else hour if clock else f"{hour} o'clock"
        said = f"oh {_cardinal(str(minute))}" if minute < 10 else _cardinal(str(minute))
        return f"{hour} {said} {half}".strip()
    if part["sign"]:
        said = _money(part["sign"], part["amount"].replace(",", ""))
        return f"minus {said}" if part["debt"] else said
    if part["ordinal"]:
        return _words(part["ordinal"], "ordinal")
    if part["decade"]:
        said = _year(part["decade"])
        return said[:-1] + "ies" if said.endswith("y") else said + "s"
    if part["range"]:
        return f"{_year(part['low'])} to {_year(part['high'])}"
    if part["fraction"]:
        return _fraction(int(part["top"]), int(part["bottom"]))
    number = part["number"]
    said = _cardinal(number.replace(",", "")) if "," in number else _year(number)
    return f"minus {said}" if part["minus"] else said


def _cardinal(number: str) -> str:
    """Say "27", "3.14" or "007"; very long numbers digit by digit."""
    whole, _, decimals = number.partition(".")
    digits = " ".join(_words(d) for d in whole)
    spelled = len(whole) > _LONGEST_NUMBER or (len(whole) > 1 and whole[0] == "0")
    said = digits if spelled else _words(whole)
    return f"{said} point {' '.join(_words(d) for d in decimals)}" if decimals else said


def _year(number: str) -> str:
    """Say a plain number of four digits as a year where that is how it is read."""
    is_year = re.fullmatch(r"1[1-9]\d\d|20\d\d", number) and number not in ("2000",)
    return _words(number, "year") if is_year else _cardinal(number)


def _money(sign: str, amount: str) -> str:
    one, many = _CURRENCIES[sign]
    whole, _, decimals = amount.partition(".")
    if len(decimals) == 2:
        cents = "" if decimals == "00" else f" {_cardinal(str(int(decimals)))}"
        return f"{_cardinal(whole)} {one if whole == '1' else many}{cents}"
    return f"{_cardinal(amount)} {one if amount == '1' else many}"


def _fraction(top: int, bottom: int) -> str:
    if not 0 < top < bottom:
        return f"{_cardinal(str(top))} {_cardinal(str(bottom))}"
    unit = {2: "half", 4: "quarter"}.get(bottom) or _words(str(bottom), "ordinal")
    plural = {"half": "halves"}.get(unit, unit + "s")
    return f"{_cardinal(str(top))} {unit if top == 1 else plural}"


def _words(number: str, to: str = "cardinal") -> str:
    from num2words import num2words

    if len(number) > _LONGEST_NUMBER:
        return " ".join(_words(d) for d in number)
    return re.sub(r"[\s,-]+", " ", num2words(int(number), to=to)).strip()
