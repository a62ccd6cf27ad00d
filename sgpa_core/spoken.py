"""Stage 1, transcript decomposition: how a written token is spoken, "7:30" → "seven thirty"."""

import re
import unicodedata

_CURRENCIES = {
    "$": ("dollar", "dollars"), "£": ("pound", "pounds"),
    "€": ("euro", "euros"), "¥": ("yen", "yen"),
}  # fmt: skip
_SYMBOLS = {
    "&": "and", "+": "plus", "=": "equals", "%": "percent", "@": "at", "#": "number",
    "°": "degrees", "×": "times", "÷": "divided by", "<": "less than", ">": "greater than",
    "$": "dollars", "£": "pounds", "€": "euros", "¥": "yen", "¢": "cents",
}  # fmt: skip
_ABBREVIATIONS = {
    "mr": "mister", "mrs": "missus", "ms": "miz", "dr": "doctor",
    "vs": "versus", "etc": "et cetera",
}  # fmt: skip
#: Numbers of more digits are read digit by digit.
LONGEST_NUMBER = 12

#: Characters that Unicode's normal forms leave alone, each with what is read in its place.
PLAIN = str.maketrans(
    {
        "ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th",
        "ı": "i", "⁄": "/", **dict.fromkeys("’‘ʼ＇`´", "'"), **dict.fromkeys("−‐‑", "-"),
    }
)  # fmt: skip

_NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_PATTERN = re.compile(
    rf"""
    (?P<time>(?<!\d)(?P<hour>[01]?\d|2[0-4]):(?P<minute>[0-5]\d)(?!\d)(?P<half>\s?[ap]\.?m\b)?)
  | (?P<ordinal>\d+)(?:st|nd|rd|th)\b
  | (?P<decade>\d*\d0)'?s\b
  | (?P<range>(?<![\d-])(?P<low>\d{{1,2}}|\d{{4}})[-–](?P<high>\d{{1,2}}|\d{{4}})(?![\d-]))
  | (?P<fraction>(?<![\d/])(?P<top>\d{{1,3}})/(?P<bottom>\d{{1,3}})(?![\d/]))
  | (?P<minus>(?<![\w-])-)?(?P<sign>[$£€¥])?(?P<number>{_NUMBER})
    """,
    re.VERBOSE,
)


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
    # small digits that the normal form below would join to the number before them
    plain = re.sub(r"(?<=\d)(?=[¼-¾⅐-⅞])", " and ", token)
    plain = re.sub(r"(?<=\d)(?=[⁰¹⁴-⁹⁺⁻₀-₉])", " ", plain)
    plain = re.sub(r"(?<=\w)²", " squared", plain)
    plain = re.sub(r"(?<=\w)³", " cubed", plain)
    plain = unicodedata.normalize("NFKC", plain).translate(PLAIN).lower()
    plain = "".join(str(unicodedata.decimal(c, c)) for c in plain)
    if all(is_silent(c) and c not in _SYMBOLS for c in plain):
        return ""
    bare = plain.strip('.,;:!?"()[]{}')
    if bare in _ABBREVIATIONS:
        return _ABBREVIATIONS[bare]
    clock = following.lower().strip(".,;:!?").replace(".", "") in ("am", "pm")
    spoken = _PATTERN.sub(lambda match: f" {_read(match, clock)} ", plain)
    spoken = "".join(f" {_SYMBOLS[c]} " if c in _SYMBOLS else c for c in spoken)
    if "@" in plain or "www." in plain:
        spoken = re.sub(r"(?<=\w)\.(?=[^\W\d]{2,})", " dot ", spoken)
    parts = re.split(r"[\s\-–—_/\\.,;:!?…]+", spoken)
    parts = [part.strip("'\"“”«»()[]{}") for part in parts]
    return " ".join(part for part in parts if part and not all(map(is_silent, part)))


def is_silent(character: str) -> bool:
    """Tell whether nothing is spoken for a character: punctuation, marks, modifiers, controls."""
    category = unicodedata.category(character)
    return category[0] in "PZCM" or category in ("Sk", "Sm", "Lm")


def _read(match: re.Match[str], clock: bool) -> str:
    """Read one number-like match; `clock` if "am" or "pm" follows."""
    part = match.groupdict()
    if part["time"]:
        return _time(part["hour"], int(part["minute"]), part["half"] or "", clock)
    if part["ordinal"]:
        return _words(part["ordinal"], "ordinal")
    if part["decade"]:
        year = _year(part["decade"])
        return year[:-1] + "ies" if year.endswith("y") else year + "s"
    if part["range"]:
        return f"{_year(part['low'])} to {_year(part['high'])}"
    if part["fraction"]:
        return _fraction(int(part["top"]), int(part["bottom"]))
    number, sign = part["number"], part["sign"]
    spoken = _money(sign, number) if sign else _year(number)
    return f"minus {spoken}" if part["minus"] else spoken


def _time(hour: str, minute: int, half: str, clock: bool) -> str:
    """Read "7:05", with its "am" or "pm" where that is part of the token."""
    hour, half = _cardinal(str(int(hour))), " ".join(half.replace(".", "").strip())
    if minute == 0:
        return f"{hour} {half}" if half else hour if clock else f"{hour} o'clock"
    oh = "oh " if minute < 10 else ""
    return f"{hour} {oh}{_cardinal(str(minute))} {half}".strip()


def _money(sign: str, amount: str) -> str:
    """Read "3.50" dollars as "three dollars fifty"."""
    one, many = _CURRENCIES[sign]
    whole, _, decimals = amount.partition(".")
    cents = ""
    if len(decimals) == 2:
        amount, cents = whole, "" if decimals == "00" else f" {_cardinal(str(int(decimals)))}"
    return f"{_cardinal(amount)} {one if amount == '1' else many}{cents}"


def _fraction(top: int, bottom: int) -> str:
    """Read a proper fraction as one, and another pair of numbers as two numbers."""
    if not 0 < top < bottom:
        return f"{_cardinal(str(top))} {_cardinal(str(bottom))}"
    unit = {2: "half", 4: "quarter"}.get(bottom) or _words(str(bottom), "ordinal")
    plural = {"half": "halves"}.get(unit, unit + "s")
    return f"{_cardinal(str(top))} {unit if top == 1 else plural}"


def _year(number: str) -> str:
    """Read a plain number of four digits as a year where that is how it is read."""
    is_year = re.fullmatch(r"1[1-9]\d\d|20(?!00)\d\d", number)
    return _words(number, "year") if is_year else _cardinal(number)


def _cardinal(number: str) -> str:
    """Read "27", "1,234", "3.14" or "007"."""
    whole, _, decimals = number.replace(",", "").partition(".")
    spoken = _digits(whole) if len(whole) > 1 and whole[0] == "0" else _words(whole)
    return f"{spoken} point {_digits(decimals)}" if decimals else spoken


def _words(number: str, to: str = "cardinal") -> str:
    """Read a whole number, as a "cardinal", "ordinal" or "year"."""
    from num2words import num2words

    if len(number) > LONGEST_NUMBER:
        return _digits(number)
    return re.sub(r"[\s,-]+", " ", num2words(int(number), to=to)).strip()


def _digits(number: str) -> str:
    return " ".join(_words(digit) for digit in number)
