"""Word segments as files: Praat TextGrid, JSON, CSV, WebVTT; and back, those of others too."""

import html
import json
import os
import re
from bisect import bisect_right
from contextlib import suppress
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from praatio.textgrid import IntervalTier, PointTier, Textgrid

from ..checks import choice, number
from ..files import replacing
from ..segments import STATUSES, Segment, Segmentation
from .tables import decoded, rows

COLUMNS = ("text", "start", "end", "confidence", "status", "refined")
#: What is assumed of words in files that do not say it.
ASSUMED = {"confidence": 1.0, "status": "aligned", "refined": "no"}
#: The largest number in each column; seconds, but for confidence.
LIMITS = {"start": 1e6, "end": 1e6, "confidence": 1 + 1e-6}
#: How tools and spreadsheets of several languages say whether a word is refined.
YES = ("true", "refined", "yes", "1", "wahr", "vrai", "verdadero", "vero")
NO = ("false", "unrefined", "no", "0", "falsch", "faux", "falso")
#: Labels of other tools for intervals without a word.
SILENCES = ("", "sil", "sp", "<sil>", "<eps>", "<p:>")
#: The tiers of a TextGrid and the column that each one holds.
TIERS = {"words": "text", "status": "status", "confidence": "confidence", "refined": "refined"}

#: The tier of points for words without a length; several at one time are one point.
TAGS = "tags"

_STAMP = r"((?:\d+:)?\d+:\d+[.,]\d+)"
_TIMES = re.compile(rf"{_STAMP}\s*-->\s*{_STAMP}(?:\s.*)?")
_MARK = re.compile(r"(?P<status>\w+) (?P<refined>refined|unrefined) (?P<confidence>\S+)")
_TOKENS = re.compile(r'"(?P<s>(?:[^"]|"")*)"|(?<!\S)(?P<n>[-+]?\d+\.?\d*(?:[eE][-+]?\d+)?)(?!\S)')
#: Rows of a file, and where each one stands.
Placed = list[tuple[str, dict[str, Any]]]


def write(
    segmentation: Segmentation, path: str | os.PathLike[str], kind: str | None = None
) -> Path:
    """Write a segmentation; ``kind`` or the path's ending tells the format."""
    path = Path(path)
    kind = choice((kind or path.suffix).lower(), WRITERS, "format")
    with replacing(path) as part:
        WRITERS[kind](segmentation, part)
    return path


def read(path: str | os.PathLike[str]) -> Segmentation:
    """Read a segmentation that :func:`write` wrote, or words and times that another tool wrote.

    The ending tells the format: a TextGrid of Praat (long or short; a tier "words", or a single
    tier of intervals), CSV (columns text, start and end, as a spreadsheet saves it), WebVTT or SRT
    (one word in each cue), or this project's own JSON. Where a file lacks confidences, statuses or
    refined, words are "aligned" with confidence 1, not refined, and a note says so.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it cannot be read as such; the message names the line and the column.
    """
    path = Path(path)
    kind = choice(path.suffix.lower(), READERS, "format")
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    try:
        return READERS[kind](path)
    except ValueError as fault:
        raise ValueError(f"{path}: {fault}") from fault


def _to_json(segmentation: Segmentation, path: Path) -> None:
    keys = ("text", "duration", "method", "alpha", "aligner", "notes", "words")
    told = {key: getattr(segmentation, key) for key in keys}
    path.write_text(json.dumps(told, ensure_ascii=False, indent=1, default=asdict) + "\n", "utf-8")


def _from_json(path: Path) -> Segmentation:
    content: Any = None
    try:
        content = json.loads(decoded(path))
        given = {key: content[key] for key in ("text", "duration", "method", "alpha", "aligner")}
        given["duration"] = number(content["duration"], "duration", 0, 1e6, " s")
        words, notes = _words([(f"word {k}", row) for k, row in enumerate(content["words"], 1)])
        return Segmentation(words, **given, notes=(*content["notes"], *notes))
    except (KeyError, TypeError, AttributeError, RecursionError) as fault:
        found = ", ".join(content)[:80] if isinstance(content, dict) else type(content).__name__
        told = f"JSON, but not as Segmentation.write writes it ({fault})"
        raise ValueError(f"{told}: it holds {found}") from fault


def _to_csv(segmentation: Segmentation, path: Path) -> None:
    segmentation.to_frame()[[*COLUMNS]].to_csv(path, index=False, lineterminator="\n")


def _from_csv(path: Path) -> Segmentation:
    return _assemble([(f"line {line}", row) for line, row in rows(path, COLUMNS[:3])])


def _to_vtt(segmentation: Segmentation, path: Path) -> None:
    cues, end = ["WEBVTT"], 0
    for word in segmentation.words:
        start = max(end, round(1000 * word.start))
        mark = f"{word.status} {'refined' if word.refined else 'unrefined'} {word.confidence!r}"
        end = max(round(1000 * word.end), start + (word.start < word.end))
        times = f"{_stamp(start)} --> {_stamp(max(end, start + 1))}"  # a cue has a length
        cues.append(f"{mark}\n{times}\n{html.escape(word.text, quote=False)}")
    path.write_text("\n\n".join(cues) + "\n", "utf-8")


def _from_vtt(path: Path) -> Segmentation:
    """Read WebVTT or SRT; the mark of a cue is this project's, or another tool's identifier."""
    content, placed = decoded(path), []
    block: list[str] = []
    for line, text in enumerate([*re.split("\r\n?|\n", content), ""], 1):
        if text.strip() or (text and block and "-->" in block[-1]):  # a cue's first line is blank
            block.append(text)
        elif block:
            placed += _cue(block, line - len(block))
            block = []
    if not placed and not content.startswith("WEBVTT"):
        raise ValueError("the file holds no cue")
    return _assemble(placed)


def _cue(block: list[str], line: int) -> Placed:
    """Return the place and the row of a block of lines, if it is a cue with a text."""
    at = next((k for k, text in enumerate(block) if "-->" in text), 0)
    if "-->" not in block[at] and block[0].split()[0] in ("WEBVTT", "NOTE", "STYLE", "REGION"):
        return []
    if not (times := _TIMES.fullmatch(block[at].strip())):
        raise ValueError(f"line {line + at}: {block[at]!r:.60} is neither a note nor a cue's times")
    start, end = map(_seconds, times.groups())
    row: dict[str, Any] = {"start": start, "end": end, "text": "\n".join(block[at + 1 :])}
    if mark := _MARK.fullmatch(block[at - 1] if at else ""):
        row |= mark.groupdict()
        row["end"] = start if mark["status"] == "unalignable" and end - start < 0.0015 else end
    else:
        row["text"] = re.sub(r"<[^>]*>|\{\\[^}]*\}", "", row["text"])  # voices, styles
    row["text"] = html.unescape(row["text"])
    return [(f"line {line + at}", row)] if row["text"].strip() else []


def _to_textgrid(segmentation: Segmentation, path: Path) -> None:
    words = segmentation.spoken
    duration = max([segmentation.duration, *(word.end for word in words)])
    grid = Textgrid(0, duration)
    for tier, column in TIERS.items():
        entries = [(word.start, word.end, str(getattr(word, column))) for word in words]
        grid.addTier(IntervalTier(tier, entries, 0, duration))
    tags: dict[float, str] = {}
    for word in (word for word in segmentation.words if word.start == word.end):
        tags[word.start] = f"{tags.get(word.start, '')} {word.text}".strip()
    if tags:
        grid.addTier(PointTier(TAGS, list(tags.items()), 0, duration))
    grid.save(str(path), "long_textgrid", includeBlankSpaces=True)


def _from_textgrid(path: Path) -> Segmentation:
    """Read intervals of the tier of words; what other tiers say of one holds at its middle."""
    duration, tiers = _tiers(re.sub("\r\n?", "\n", decoded(path)))
    tags = tiers.pop(TAGS, [])
    names = [name for name in tiers if name.casefold().endswith(("words", "word"))]
    if len(names := names or list(tiers)) != 1:
        raise ValueError(f"one tier of intervals must be called words; there are {list(tiers)}")
    starts = {name: [entry[0] for entry in tiers[name]] for name in ASSUMED if tiers.get(name)}
    placed: Placed = []
    for start, end, label in tiers[names[0]]:
        row: dict[str, Any] = {"text": label, "start": start, "end": end}
        for column, begun in starts.items():
            _, until, said = tiers[column][bisect_right(begun, (start + end) / 2) - 1]
            if begun[0] <= (start + end) / 2 < until and said:
                row[column] = said
        if label and ("status" in row or label not in SILENCES):
            placed.append((f"the interval at {start:g} s", row))
    unspoken = {"confidence": 0, "status": "unalignable", "refined": "no"}
    for start, end, label in tags:
        bare = [unspoken | {"start": start, "end": end, "text": text} for text in label.split()]
        placed += [(f"the tag at {start:g} s", row) for row in bare]
    placed.sort(key=lambda place: (place[1]["start"], place[1]["end"]))
    return _assemble(placed, duration)


def _tiers(text: str) -> tuple[float, dict[str, list[tuple[float, float, str]]]]:
    """Return the last time and the tiers of a TextGrid, long or short: start, end and label.

    In both formats only numbers and quoted strings that stand by themselves count.
    """
    tokens = _TOKENS.finditer(text)

    def take(kinds: str) -> list[Any]:
        """Return the next numbers (n) and strings (s)."""
        found = [*islice(tokens, len(kinds))]
        if "".join(str(token.lastgroup) for token in found) != kinds:
            line = text.count("\n", 0, found[0].start() if found else len(text)) + 1
            raise ValueError(f"line {line}: no TextGrid that can be read from here on")
        return [float(t["n"]) if t["n"] else t["s"].replace('""', '"').strip() for t in found]

    _, _, _, duration, count = take("ssnnn")
    tiers = {}
    for _ in range(int(count)):
        kind, name, _, _, size = take("ssnnn")
        if name in tiers:
            raise ValueError(f"a second tier is called {name!r}")
        entries = [take("nns" if kind == "IntervalTier" else "ns") for _ in range(int(size))]
        if (kind == "IntervalTier") != (name == TAGS):
            tiers[name] = [(entry[0], entry[-2], entry[-1]) for entry in entries]
    return duration, tiers


def _words(placed: Placed) -> tuple[tuple[Segment, ...], list[str]]:
    """Make segments of rows; say what was assumed of them, or which place and column is wrong."""
    words, assumed, before = [], set(), 0.0
    for place, row in placed:
        text, missing = row["text"], {name for name in ASSUMED if row.get(name) in (None, "")}
        text = text.strip() if "status" in missing else text
        if not text.strip() or ("status" in missing and len(text.split()) > 1):
            raise ValueError(f"{place}, column text: one word is needed, not {text!r:.60}")
        assumed |= missing
        row = row | {name: ASSUMED[name] for name in missing}
        start, end, confidence = (_number(row[name], name, place) for name in LIMITS)
        unspoken = start == end and row["status"] == "unalignable"
        if not (before - 1e-9 <= start and (start < end or unspoken)):
            wrong = f"{place}: {text!r} from {start} to {end} s has no length"
            raise ValueError(f"{wrong}, or begins before its neighbour ends at {before} s")
        status = choice(row["status"], STATUSES, f"status in {place}:")
        refined = choice(str(row["refined"]).casefold(), YES + NO, f"refined in {place}:")
        words.append(Segment(text, start, end, confidence, status, refined in YES))
        before = end
    named = [f"{name} ({value})" for name, value in ASSUMED.items() if name in assumed]
    notes = [f"the file does not say this of every word; assumed: {', '.join(named)}"]
    return tuple(words), notes if named else []


def _number(cell: Any, name: str, place: str) -> float:
    """Return the number of a cell, with a point or a spreadsheet's comma."""
    with suppress(ValueError):
        if -1e-9 <= (value := float(str(cell).replace(",", "."))) <= LIMITS[name]:
            return value
    told = f"{cell!r:.60} is no number from 0 to {LIMITS[name]:.0f}"
    raise ValueError(f"{place}, column {name}: {told}")


def _assemble(placed: Placed, duration: float | None = None) -> Segmentation:
    """Build a segmentation from words alone: formats that carry neither settings nor text."""
    words, notes = _words(placed)
    end = words[-1].end if words else 0.0
    text = " ".join(word.text for word in words)
    return Segmentation(words, text, duration or end, "", float("nan"), notes=tuple(notes))


def _stamp(milliseconds: int) -> str:
    seconds, milliseconds = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{milliseconds:03}"


def _seconds(stamp: str) -> float:
    return sum(60**k * float(n) for k, n in enumerate(stamp.replace(",", ".").split(":")[::-1]))


WRITERS = {".textgrid": _to_textgrid, ".json": _to_json, ".csv": _to_csv, ".vtt": _to_vtt}
READERS = {".textgrid": _from_textgrid, ".json": _from_json, ".csv": _from_csv}
READERS |= dict.fromkeys((".vtt", ".srt"), _from_vtt)
