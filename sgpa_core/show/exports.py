"""Word segments as files: Praat TextGrid, JSON, CSV, WebVTT; and back."""

import csv
import html
import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from praatio.textgrid import IntervalTier, Textgrid, openTextgrid

from ..checks import choice
from ..files import replacing
from ..segments import Segment, Segmentation

COLUMNS = ("text", "start", "end", "confidence", "status", "refined")
#: The tiers of a TextGrid and the column that each one holds.
TIERS = {"words": "text", "status": "status", "confidence": "confidence", "refined": "refined"}


def write(
    segmentation: Segmentation, path: str | os.PathLike[str], kind: str | None = None
) -> Path:
    """Write a segmentation; ``kind`` or the path's ending tells the format."""
    path = Path(path)
    kind = choice((kind or path.suffix).lower(), _FORMATS, "format")
    with replacing(path) as part:
        _FORMATS[kind][0](segmentation, part)
    return path


def read(path: str | os.PathLike[str]) -> Segmentation:
    """Read a segmentation that :func:`write` wrote."""
    path = Path(path)
    kind = choice(path.suffix.lower(), _FORMATS, "format")
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    try:
        return _FORMATS[kind][1](path)
    except Exception as fault:
        raise ValueError(
            f"{path} is not a segmentation as this project writes it: {fault!r}"
        ) from fault


def _to_json(segmentation: Segmentation, path: Path) -> None:
    keys = ("text", "duration", "method", "alpha", "aligner", "notes")
    content: dict[str, Any] = {key: getattr(segmentation, key) for key in keys}
    content["words"] = [asdict(word) for word in segmentation.words]
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", "utf-8")


def _from_json(path: Path) -> Segmentation:
    content = json.loads(path.read_text("utf-8"))
    content["words"] = tuple(Segment(**word) for word in content["words"])
    content["notes"] = tuple(content["notes"])
    return Segmentation(**content)


def _to_csv(segmentation: Segmentation, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        rows.writeheader()
        rows.writerows(asdict(word) for word in segmentation.words)


def _from_csv(path: Path) -> Segmentation:
    with path.open(encoding="utf-8", newline="") as stream:
        return _assemble([_segment(row) for row in csv.DictReader(stream)])


def _to_vtt(segmentation: Segmentation, path: Path) -> None:
    cues = ["WEBVTT"]
    for word in segmentation.words:
        start, end = round(1000 * word.start), round(1000 * word.end)
        mark = f"{word.status} {'refined' if word.refined else 'unrefined'} {word.confidence!r}"
        times = f"{_stamp(start)} --> {_stamp(max(end, start + 1))}"
        cues.append(f"{mark}\n{times}\n{html.escape(word.text, quote=False)}")
    path.write_text("\n\n".join(cues) + "\n", "utf-8")


def _from_vtt(path: Path) -> Segmentation:
    segments = []
    for cue in path.read_text("utf-8").strip().split("\n\n")[1:]:
        mark, times, label = cue.split("\n")
        row = dict(zip(("status", "refined", "confidence"), mark.split(), strict=True))
        start, end = map(_seconds, times.split(" --> "))
        segments.append(_segment(row | {"text": html.unescape(label), "start": start, "end": end}))
    return _assemble(segments)


def _to_textgrid(segmentation: Segmentation, path: Path) -> None:
    words = segmentation.words
    duration = max([segmentation.duration, *(word.end for word in words)])
    grid = Textgrid(0, duration)
    for tier, column in TIERS.items():
        entries = [(word.start, word.end, str(getattr(word, column))) for word in words]
        grid.addTier(IntervalTier(tier, entries, 0, duration))
    grid.save(str(path), "long_textgrid", includeBlankSpaces=True)


def _from_textgrid(path: Path) -> Segmentation:
    grid = openTextgrid(str(path), includeEmptyIntervals=False)
    segments = []
    for places in zip(*(grid.getTier(tier).entries for tier in TIERS), strict=True):
        row = dict(zip(TIERS.values(), [place.label for place in places], strict=True))
        segments.append(_segment(row | {"start": places[0].start, "end": places[0].end}))
    return _assemble(segments, grid.maxTimestamp)


def _segment(row: Mapping[str, Any]) -> Segment:
    start, end, confidence = (float(row[key]) for key in ("start", "end", "confidence"))
    refined = row["refined"] in ("True", "refined")
    return Segment(row["text"], start, end, confidence, row["status"], refined)


def _assemble(segments: list[Segment], duration: float | None = None) -> Segmentation:
    """Build a segmentation from words alone: formats that carry neither settings nor text."""
    if duration is None:
        duration = segments[-1].end if segments else 0.0
    text = " ".join(segment.text for segment in segments)
    return Segmentation(tuple(segments), text, duration, method="", alpha=float("nan"))


def _stamp(milliseconds: int) -> str:
    seconds, milliseconds = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{milliseconds:03}"


def _seconds(stamp: str) -> float:
    hours, minutes, seconds, milliseconds = map(int, re.split("[:.]", stamp))
    return hours * 3600 + minutes * 60 + seconds + milliseconds / 1000


_FORMATS: dict[str, tuple[Any, Any]] = {
    ".textgrid": (_to_textgrid, _from_textgrid),
    ".json": (_to_json, _from_json),
    ".csv": (_to_csv, _from_csv),
    ".vtt": (_to_vtt, _from_vtt),
}
