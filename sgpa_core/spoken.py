"""Stage 1, transcript decomposition: how a written token is spoken, "7:30" → "seven thirty".

The rules and their words are in ``spoken.toml``; num2words reads whole numbers.
"""

import re
import tomllib
import unicodedata
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

#: Rules for written forms, and words for abbreviations, symbols, currencies and units.
FORMS: dict[str, Any] = tomllib.loads(Path(__file__).with_name("spoken.toml").read_text("utf-8"))

#: Numbers of more digits are read digit by digit.
LONGEST_NUMBER = 12

#: Characters that Unicode's normal forms leave alone, each with what is read in its place.
PLAIN = str.maketrans(FORMS["plain"])


def compiled(pattern: str) -> re.Pattern[str]:
    """Compile a pattern of ``spoken.toml``, with its ``{names}`` of tables filled in.

    Examples
    --------
    >>> compiled("{month} {day}").fullmatch("March 15").span()
    (0, 8)
    """
    while (filled := re.sub(r"\{([a-z_]+)\}", _alternatives, pattern)) != pattern:
        pattern = filled
    return re.compile(pattern, re.IGNORECASE)


def _alternatives(name: re.Match[str]) -> str:
    """Give a part of [patterns], or a choice of a table's entries, the longest first."""
    if name[1] in FORMS["patterns"]:
        return str(FORMS["patterns"][name[1]])
    return "|".join(map(re.escape, sorted(FORMS[name[1]], key=len, reverse=True)))


_SYMBOLS: dict[str, str] = FORMS["symbols"]
_RULES = [
    [compiled(rule.get(part, "")) for part in ("before", "following", "token")] + [rule["say"]]
    for rule in FORMS["rules"]
]


def spoken_form(token: str, following: str = "", before: str = "") -> str:
    """Give the English spoken form of one written token; empty if nothing is spoken for it.

    Parameters
    ----------
    token : str
        One token, without white space.
    following, before : str, default ""
        The tokens around it, which tell "7:00 pm" from "7:00", and "5 km" from "km".

    Returns
    -------
    str
        Lower-case words separated by single spaces. Characters of other scripts stay as they are.

    Examples
    --------
    >>> [spoken_form(token) for token in ("10,000", "$3.50", "1st", "25%", "well-known", "--")]
    ['ten thousand', 'three dollars fifty', 'first', 'twenty five percent', 'well known', '']
    >>> spoken_form("$1.5", following="million"), spoken_form("million", before="$1.5")
    ('one point five', 'million dollars')
    """
    # small digits that the normal form below would join to the number before them
    plain = re.sub(r"(?<=\d)(?=[¼-¾⅐-⅞])", " and ", token)
    plain = re.sub(r"(?<=\d)(?=[⁰¹⁴-⁹⁺⁻₀-₉])", "|", plain)
    plain = re.sub(r"[^²³™−]+|(?<!\w)[²³]", _normal, plain)
    plain = "".join(str(unicodedata.decimal(c, c)) for c in plain)
    for earlier, later, pattern, say in _RULES:
        if (left := earlier.search(before)) and later.search(following):
            plain = pattern.sub(partial(_say, say, left.groupdict()), plain)
    spoken = "".join(f" {_SYMBOLS[c]} " if c in _SYMBOLS else c for c in plain.lower())
    spoken = re.sub(r"(?<=\w)\s+'s\b", "'s", spoken)
    parts = re.split(r"[\s\-–—−_/\\.,;:!?…|]+", spoken)
    parts = [part.strip("'\"“”«»()[]{}") for part in parts]
    return " ".join(part for part in parts if part and not all(map(is_silent, part)))


def is_silent(character: str) -> bool:
    """Tell whether nothing is spoken for a character: punctuation, marks, modifiers, controls."""
    category = unicodedata.category(character)
    return category[0] in "PZCM" or category in ("Sk", "Sm", "Lm")


def _normal(text: re.Match[str]) -> str:
    return unicodedata.normalize("NFKC", text[0]).translate(PLAIN)


def _say(template: str, around: dict[str, str], match: re.Match[str]) -> str:
    """Say the items of a rule: "units:u:n" reads two groups, a bare item is a word."""
    groups, items = around | match.groupdict(), []
    for item in template.split():
        kind, *names = item.split(":")
        values = [groups.get(name, name) for name in names]
        if not names:
            items.append(kind)
        elif values[0]:
            items.append(_READINGS[kind](*values) if kind in _READINGS else _word(kind, *values))
    return f" {' '.join(items)} "


def _word(table: str, key: str, count: str = "many") -> str:
    """Look a key up in a table, whatever its case; the first form for a count of 1."""
    words = FORMS[table]
    forms = next(words[k] for k in (key, key.lower(), key.upper(), key.title()) if k in words)
    return forms if isinstance(forms, str) else forms[count != "1"]


def _money(sign: str, amount: str) -> str:
    """Read "3.50" dollars as "three dollars fifty"."""
    whole, _, decimals = amount.partition(".")
    cents = ""
    if len(decimals) == 2:
        amount, cents = whole, "" if decimals == "00" else f" {_words(decimals)}"
    return f"{_cardinal(amount or '0')} {_word('currencies', sign, amount)}{cents}"


def _address(address: str) -> str:
    """Read what stands between the words of an address: "dot", "slash"."""
    return compiled("{address}").sub(lambda mark: f" {_word('address', mark[0])} ", address)


def _fraction(top: str, bottom: str) -> str:
    """Read a proper fraction as one, and another pair of numbers as two numbers."""
    if not 0 < int(top) < int(bottom):
        return f"{_words(top)} {_words(bottom)}"
    unit = {2: "half", 4: "quarter"}.get(int(bottom)) or _words(bottom, "ordinal")
    plural = {"half": "halves"}.get(unit, unit + "s")
    return f"{_words(top)} {unit if int(top) == 1 else plural}"


def _year(number: str) -> str:
    """Read a plain number of four digits as a year where that is how it is read."""
    is_year = re.fullmatch(r"1[1-9]\d\d|20(?!00)\d\d", number)
    return _words(number, "year") if is_year else _cardinal(number)


def _cardinal(number: str) -> str:
    """Read "27", "1,234", "3.14" or "007"."""
    whole, _, decimals = number.replace(",", "").partition(".")
    zeros = len(whole) > 1 and whole[0] == "0"
    spoken = _digits(whole) if zeros or not whole else _words(whole)
    return f"{spoken} point {_digits(decimals)}" if decimals else spoken


def _words(number: str, to: str = "cardinal") -> str:
    """Read a whole number, as a "cardinal", "ordinal" or "year"."""
    from num2words import num2words

    if len(number) > LONGEST_NUMBER:
        return _digits(number)
    return re.sub(r"[\s,-]+", " ", num2words(int(number), to=to)).strip()


def _digits(number: str) -> str:
    return " ".join(_words(c) if c.isdigit() else "dot" for c in number)


_READINGS: dict[str, Callable[..., str]] = {
    "cardinal": _cardinal,
    "ordinal": lambda number: _words(number.replace(",", ""), "ordinal"),
    "year": _year,
    "hour": _words,
    "digits": _digits,
    "telephone": lambda number: _digits(re.sub(r"\D", "", number)),
    "parts": lambda number: " point ".join(map(_cardinal, number.split("."))),
    "minutes": lambda minute: ("oh " if minute < "10" else "") + _words(minute),
    "decade": lambda number: re.sub("ys$", "ies", f"{_year(number)}s"),
    "fraction": _fraction,
    "money": _money,
    "letters": " ".join,
    "month": lambda number: FORMS["month_names"][int(number) - 1].lower(),
    "roman": lambda numeral: _words(str(FORMS["romans"].index(numeral) + 1)),
    "ordinal_roman": lambda numeral: _words(str(FORMS["romans"].index(numeral) + 1), "ordinal"),
    "address": _address,
}
