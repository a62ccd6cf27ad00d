"""Word segments as files: Praat TextGrid, JSON, CSV, WebVTT; and back."""

from __future__ import annotations

import csv
import html
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..files import replacing
from ..segments import Segment, Segmentation

_COLUMNS = ("text", "start", "end", "confidence", "status", "refined")
_TIERS = {"words": "text", "status": "status", "confidence": "confidence", "refined": "refined"}


def write(
    segmentation: Segmentation, path: str | os.PathLike[str], kind: str | None = None
) -> Path:
    """Write a segmentation; ``kind`` or the path's ending tells the format."""
    path = Path(path)
    kind = (kind or path.suffix).lower()
    if kind not in _WRITERS:
        raise ValueError(
            f"unknown format {path.suffix!r}; choose from .TextGrid, .json, .csv, .vtt"
        )
    with replacing(path) as part:
        _WRITERS[kind](segmentation, part)
    return path


def read(path: str | os.PathLike[str]) -> Segmentation:
    """Read a segmentation that :func:`write` wrote."""
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in _READERS:
        raise ValueError(
            f"unknown format {path.suffix!r}; choose from .TextGrid, .json, .csv, .vtt"
        )
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    try:
        return _READERS[kind](path)
    except Exception as fault:
        raise ValueError(
            f"{path} is not a segmentation as this project writes it: {fault!r}"
        ) from fault


def _to_json(segmentation: Segmentation, path: Path) -> None:
    keys = ("text", "duration", "method", "alpha", "aligner", "notes")
    head = {key: getattr(segmentation, key) for key in keys}
    words = [asdict(word) for word in segmentation.words]
    path.write_text(
        json.dumps(head | {"words": words}, ensure_ascii=False, indent=1) + "\n", "utf-8"
    )


def _from_json(path: Path) -> Segmentation:
    content = json.loads(path.read_text("utf-8"))
    content["words"] = tuple(Segment(**word) for word in content["words"])
    content["notes"] = tuple(content["notes"])
    return Segmentation(**content)


def _to_csv(segmentation: Segmentation, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(_COLUMNS)
        rows.writerows(
            [getattr(word, column) for column in _COLUMNS] for word in segmentation.words
        )


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
        status, refined, confidence = mark.split()
        start, end = times.split(" --> ")
        segments.append(
            Segment(
                html.unescape(label),
                _seconds(start),
                _seconds(end),
                float(confidence),
                status,
                refined == "refined",
            )
        )
    return _assemble(segments)


def _to_textgrid(segmentation: Segmentation, path: Path) -> None:
    from praatio.textgrid import IntervalTier, Textgrid

    duration = max([segmentation.duration, *(word.end for word in segmentation.words)])
    grid = Textgrid(0, duration)
    for tier, column in _TIERS.items():
        entries = [
            (word.start, word.end, str(getattr(word, column))) for word in segmentation.words
        ]
        grid.addTier(IntervalTier(tier, entries, 0, duration))
    grid.save(str(path), "long_textgrid", includeBlankSpaces=True)


def _from_textgrid(path: Path) -> Segmentation:
    from praatio.textgrid import openTextgrid

    grid = openTextgrid(str(path), includeEmptyIntervals=False)
    entries = {column: grid.getTier(tier).entries for tier, column in _TIERS.items()}
    segments = [
        _segment(
            {"start": rows[0].start, "end": rows[0].end}
            | dict(zip(entries, [r.label for r in rows], strict=True))
        )
        for rows in zip(*entries.values(), strict=True)
    ]
    return _assemble(segments, grid.maxTimestamp)


def _segment(row: Mapping[str, Any]) -> Segment:
    return Segment(
        text=row["text"],
        start=float(row["start"]),
        end=float(row["end"]),
        confidence=float(row["confidence"]),
        status=row["status"],
        refined=row["refined"] == "True",
    )


def _assemble(segments: list[Segment], duration: float | None = None) -> Segmentation:
    """Build a segmentation from words alone: formats that carry neither settings nor text."""
    end = segments[-1].end if segments else 0.0
    return Segmentation(
        words=tuple(segments),
        text=" ".join(segment.text for segment in segments),
        duration=end if duration is None else duration,
        method="",
        alpha=float("nan"),
    )


def _stamp(milliseconds: int) -> str:
    seconds, milliseconds = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{milliseconds:03}"


def _seconds(stamp: str) -> float:
    match = re.fullmatch(r"(\d+):(\d\d):(\d\d)\.(\d{3})", stamp.strip())
    if match is None:
        raise ValueError(f"not a WebVTT time: {stamp!r}")
    hours, minutes, seconds, milliseconds = map(int, match.groups())
    return hours * 3600 + minutes * 60 + seconds + milliseconds / 1000


_WRITERS: dict[str, Callable[[Segmentation, Path], None]] = {
    ".textgrid": _to_textgrid, ".json": _to_json, ".csv": _to_csv, ".vtt": _to_vtt,
}  # fmt: skip
_READERS: dict[str, Callable[[Path], Segmentation]] = {
    ".textgrid": _from_textgrid, ".json": _from_json, ".csv": _from_csv, ".vtt": _from_vtt,
}  # fmt: skip
