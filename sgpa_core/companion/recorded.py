"""What the paper's authors published: recorded runs, complete coalition tables, recordings.

The readers take a folder laid out as the authors' repository (or an unpacked archive of it), or
flat: ``runs/DATASET_VOICE_REGIME/ROW.json`` or ``runs.csv``, ``coalitions.csv``, ``players.csv``,
``audio/DATASET/VOICE/ROW.*``. Whatever is left out or looks odd is listed by `problems`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .fetch import FAITH, LEM, REPOSITORY, available, find

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["audio", "available", "find", "games", "players", "problems", "runs"]

CONDITIONS = {
    ("1k", "male"): "SM2S-1k",
    ("1k", "female"): "SM2F-1k",
    ("1k", "original"): "SO2S-1k",
    ("500", "original"): "SO2S-500",
}
"""The revised paper's name of each (dataset, voice)."""

FIELDS = ("row_index", "n_calls", "neyman_steps", "runtime_sec", "prompt_texts", "conversation")
RECORDING = ("dataset", "voice", "condition", "row", "path")
GAME = ["model", "condition", "sample"]
FLAT = 1e-6
"""Attributions that differ by less than this are flat."""


class Problem(NamedTuple):
    """One thing that was left out of, or looks odd in, what a reader returned."""

    file: str
    reason: str
    left_out: bool


@dataclass
class _Report:
    folder: Path
    found: list[Problem] = field(default_factory=list)

    def __call__(self, file: Path, reason: str, left_out: bool = True, part: str = "") -> None:
        name = file.relative_to(self.folder).as_posix() + f" ({part})" * bool(part)
        self.found.append(Problem(name, reason, left_out))

    def frame(self, rows: list[dict[str, Any]], columns: str, sort: list[str]) -> pd.DataFrame:
        import pandas as pd

        frame = pd.DataFrame(rows, columns=columns.split())
        if len(frame):
            frame = frame.sort_values(sort, kind="stable", ignore_index=True)
        frame.attrs["problems"] = tuple(self.found)
        return frame


def problems(frame: pd.DataFrame) -> pd.DataFrame:
    """Return what a reader of this module left out or flagged: file, reason, left_out.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame()
    >>> frame.attrs["problems"] = (Problem("runs/1k_male_sgpa/00028.json", "zero calls", False),)
    >>> problems(frame).groupby(["left_out", "reason"]).size().to_dict()
    {(False, 'zero calls'): 1}
    """
    import pandas as pd

    return pd.DataFrame(frame.attrs.get("problems", ()), columns=Problem._fields)


def _under(folder: Path, inside: str, pattern: str) -> list[Path]:
    """Return files below `inside`, in the folder itself or in an archive unpacked in it."""
    return sorted({*folder.glob(f"{inside}/{pattern}"), *folder.glob(f"*/{inside}/{pattern}")})


def _missing(folder: Path, what: str) -> FileNotFoundError:
    return FileNotFoundError(f"{folder} holds no {what}, neither flat nor as in {REPOSITORY}")


def _kind(set_name: str, run: str) -> tuple[str, str, str] | None:
    """Return dataset, voice and regime of a run of the authors' repository."""
    dataset = re.search(r"_(1k|500)(_|$)", set_name)
    named = re.fullmatch(r"audio_(\w+?)_audio_(sgpa|raw)_limited_neyman_lin3_\d+", run)
    return (dataset[1], named[1], named[2]) if dataset and named else None


def runs(folder: str | os.PathLike[str] | None = None) -> pd.DataFrame:
    """Return the recorded runs, one row each, sorted; `folder` as for `find`.

    Columns: dataset, voice, condition (``SM2S-1k`` …), regime (``sgpa`` or ``raw``), row,
    transcript, players, native_tokens (of the recording, 0 if not recorded), n_calls (the recorded
    counter), neyman_steps (last phase), seconds, flat, attribution (players,), file. `problems`
    lists files left out (missing fields, another format, duplicates, one player) and rows flagged
    (zero calls, flat or otherwise scaled attributions).

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or no runs in it.
    """
    place = find(folder)
    report = _Report(place)
    seen: dict[tuple[Any, ...], str] = {}
    rows = []
    for file, key, entry in _run_entries(place, report):
        part = " ".join(key) if file.suffix == ".csv" else ""
        if isinstance(entry, str):
            report(file, entry, part=part)
            continue
        identity = (*key, entry["row"])
        part += f" {entry['row']}" * bool(part)
        if identity in seen:
            report(file, f"duplicate of {seen[identity]}", part=part)
            continue
        seen[identity] = file.relative_to(place).as_posix()
        for reason in _odd(entry):
            report(file, reason, left_out=False, part=part)
        named = zip(("dataset", "voice", "regime"), key, strict=True)
        condition = CONDITIONS.get(key[:2], f"{key[1]}-{key[0]}")
        flat = bool(np.ptp(entry["attribution"]) < FLAT)
        rows.append(dict(named, condition=condition, flat=flat, file=seen[identity], **entry))
    return report.frame(
        rows,
        "dataset voice condition regime row transcript players native_tokens n_calls neyman_steps "
        "seconds flat attribution file",
        ["dataset", "voice", "regime", "row"],
    )


def _odd(entry: dict[str, Any]) -> Iterator[str]:
    """Say what is odd about a run that can be used nevertheless."""
    values = entry["attribution"]
    if entry["n_calls"] == 0:
        yield "zero calls"
    if np.ptp(values) < FLAT:
        yield "flat attribution"
    elif values.min() > FLAT:
        yield "no player at zero: not min-max scaled"
    if abs(values.sum() - 1) > 1e-4 or values.min() < 0:
        yield "attribution is not scaled to a sum of 1"


def _run_entries(folder: Path, report: _Report) -> Iterator[tuple[Path, Any, Any]]:
    """Give file, (dataset, voice, regime) and fields, or the reason why there are none."""
    flat = [(f, f.parent.name.split("_"), f.stem) for f in sorted(folder.glob("runs/*/*.json"))]
    theirs = [
        (f, _kind(f.parts[-4], f.parts[-3]), re.sub(r"\D", "", f.stem))
        for f in _under(folder, LEM, "*/*/samples/*_result.json")
    ]
    table = folder / "runs.csv"
    if not flat and not theirs and not table.is_file():
        raise _missing(folder, "recorded runs")
    for file, key, row in (*flat, *theirs):
        if key is None or len(key) != 3:
            report(file, "another estimator, set or voice: not one of the paper's runs")
        else:
            yield file, tuple(key), _run(file, key[1], row)
    if not flat and table.is_file():
        needed = {"dataset", "voice", "regime", "attribution", "transcript", *FIELDS[:4]}
        for record in _csv(table, report, needed, {}).to_dict("records"):
            yield table, (str(record["dataset"]), record["voice"], record["regime"]), _tidy(record)


def _run(file: Path, voice: str, row: str) -> dict[str, Any] | str:
    """Read one result file; return its fields, or what is wrong with it."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as fault:
        return f"cannot be read: {fault}"
    if not isinstance(content, dict):
        return "another format: no JSON object"
    lacking = [name for name in FIELDS if content.get(name) is None]
    if lacking:
        return f"lacks {', '.join(lacking)}"
    if content.get("input_modality", f"audio__{voice}") != f"audio__{voice}":
        return f"says input_modality {content['input_modality']!r}, not of voice {voice!r}"
    if not row.isdigit() or int(row) != content["row_index"]:
        return f"holds row {content['row_index']!r}, named as row {row}"
    try:
        heard = [
            part["shap_values"]
            for turn in content["conversation"]
            for part in turn
            if part["content_type"] == 1 and any(v is not None for v in part["shap_values"])
        ]
        values = [v for v in heard[0] if v is not None] if len(heard) == 1 else None
    except (TypeError, KeyError) as fault:
        return f"another format: conversation without {fault}"
    if values is None:
        return f"{len(heard)} audio entries with attributions instead of one"
    return _tidy(content, values, len(heard[0]))


def _tidy(content: dict[str, Any], values: Any = None, tokens: int = 0) -> dict[str, Any] | str:
    """Return the fields of one run with the types they should have, or what is wrong."""
    try:
        attribution = np.array(json.loads(content["attribution"]) if values is None else values)
        attribution = attribution.astype(float)
        text = content["transcript"] if values is None else content["prompt_texts"][0]
        entry: dict[str, Any] = {
            "row": int(content["row_index"]),
            "transcript": str(text),
            "players": len(attribution),
            "native_tokens": tokens or len(attribution) * (content.get("regime") == "raw"),
            "n_calls": int(content["n_calls"]),
            "neyman_steps": int(content["neyman_steps"]),
            "seconds": float(content["runtime_sec"]),
            "attribution": attribution,
        }
    except (ValueError, TypeError, KeyError, IndexError) as fault:
        return f"another format: {type(fault).__name__} {fault}"
    if content.get("n_players", len(attribution)) != len(attribution):
        return f"says {content['n_players']} players, holds {len(attribution)} attributions"
    if not np.isfinite([*attribution, entry["seconds"]]).all() or entry["n_calls"] < 0:
        return "an attribution, the calls or the seconds are no proper number"
    return entry if len(attribution) > 1 else "one player: nothing was explained"


def _csv(
    file: Path, report: _Report, needed: set[str], rename: dict[str, str], **columns: str
) -> pd.DataFrame:
    """Read a table, rename and set `columns`; report it and return no rows if that fails."""
    import pandas as pd

    try:
        frame = pd.read_csv(file)
    except (OSError, ValueError) as fault:
        report(file, f"cannot be read: {fault}")
        return pd.DataFrame()
    frame = frame.rename(columns=rename).assign(**columns)
    lacking = sorted(needed - set(frame))
    if lacking:
        report(file, f"another format: lacks {', '.join(lacking)}")
        return pd.DataFrame()
    return frame.assign(file=file)


def _tables(folder: Path, report: _Report, name: str, names: str) -> pd.DataFrame:
    """Return all rows of one kind of table; `names` are pairs theirs:ours of column names."""
    import pandas as pd

    theirs = "coalitions" if name == "coalitions.csv" else "results"
    rename = dict(pair.split(":") for pair in names.split())
    needed = {"model", "condition", *rename.values()}
    flat = [folder / name] if (folder / name).is_file() else []
    frames = [_csv(file, report, needed, rename) for file in flat]
    files = _under(folder, FAITH, f"qwen_exact_shapley_*/*{theirs}.csv")
    files += _under(folder, FAITH, f"voxtral/exact_shapley_*/*{theirs}.csv")
    for file in files:
        model = "voxtral" if file.parts[-3] == "voxtral" else "qwen"
        condition = file.parent.name.partition("exact_shapley_")[2]
        frames.append(_csv(file, report, needed, rename, model=model, condition=condition))
    if not frames:
        raise _missing(folder, name)
    table = pd.concat(frames)
    if table.empty:
        return table
    numbers = [c for c in ("sample", "players", "mask", "player") if c in table]
    for column in {*rename.values()} & set(table) - {"word", "transcript"}:
        table[column] = pd.to_numeric(table[column], errors="coerce")
    good = table[numbers].notna().all(axis=1)
    for file, rows in table[~good].groupby("file"):
        report(Path(str(file)), f"{len(rows)} rows without a number in {', '.join(numbers)}")
    return table[good]


def games(folder: str | os.PathLike[str] | None = None) -> pd.DataFrame:
    """Return the complete coalition tables: model, condition, sample, players, embedding, tfidf.

    The last two are utilities (2^players,), ready for `TableGame`: the index is the bit mask, its
    lowest bit the first word. `problems` lists tables left out (coalitions that are missing, twice
    or not finite) and flagged (U(N) ≠ 1).

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or no tables in it.
    """
    place = find(folder)
    report = _Report(place)
    names = (
        "sample_id:sample n_segments:players n_players:players present_mask:mask mask:mask "
        "util_emb:embedding util_embedding:embedding util_tfidf:tfidf"
    )
    table = _tables(place, report, "coalitions.csv", names)
    rows = []
    for (model, condition, sample), game in table.groupby(GAME) if len(table) else ():
        n, ordered = int(game["players"].iloc[0]), game.sort_values("mask")
        masks = ordered["mask"].to_numpy()
        utilities = ordered[["embedding", "tfidf"]].to_numpy(float).T
        file, part = game["file"].iloc[0], f"{model} {condition} {sample}"
        if len(masks) != 2**n or not np.array_equal(masks, np.arange(2**n)):
            reason = f"{len(set(masks))} of {2**n} coalitions in {len(masks)} rows"
            report(file, reason, part=part)
        elif not np.isfinite(utilities).all():
            report(file, "a utility is not finite", part=part)
        else:
            if abs(utilities[:, -1] - 1).max() > 1e-3:
                report(file, "U(N) is not 1", left_out=False, part=part)
            values = (model, condition, int(sample), n, *utilities)
            rows.append(dict(zip((*GAME, "players", "embedding", "tfidf"), values, strict=True)))
    return report.frame(rows, "model condition sample players embedding tfidf", GAME)


def players(folder: str | os.PathLike[str] | None = None) -> pd.DataFrame:
    """Return the words of the games with what was published of each.

    Columns: model, condition, sample, transcript, player, word, duration (s), shapley (exact) and
    deletion (drop of the utility when only this word is silenced), both with the embedding utility.
    Samples whose players are not 0 … n − 1 are left out and listed by `problems`.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or no such table in it.
    """
    place = find(folder)
    report = _Report(place)
    names = (
        "sample_id:sample transcript:transcript player:player segment_idx:player word:word "
        "segment_token:word duration_sec:duration segment_dur_sec:duration segment_sv:shapley "
        "shapley_embedding:shapley deletion_drop_emb:deletion deletion_drop_embedding:deletion"
    )
    table = _tables(place, report, "players.csv", names)
    columns = "model condition sample transcript player word duration shapley deletion"
    rows: list[dict[str, Any]] = []
    for key, words in table.groupby(GAME) if len(table) else ():
        numbers = words[["shapley", "deletion"]].to_numpy(float)
        if sorted(words["player"]) != list(range(len(words))) or not np.isfinite(numbers).all():
            part = " ".join(map(str, key))
            report(words["file"].iloc[0], "players or values missing or repeated", part=part)
        else:
            rows += words[columns.split()].to_dict("records")
    return report.frame(rows, columns, [*GAME, "player"])


def audio(folder: str | os.PathLike[str] | None = None) -> pd.DataFrame:
    """Return the recordings that were explained: dataset, voice, condition, row, path.

    `Audio.read` reads them; some that are named .wav are MP3. One recording serves both regimes.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or no recordings in it.
    """
    place = find(folder)
    report = _Report(place)
    found: dict[tuple[str, str, int], Path] = {}
    for file in sorted(place.glob("audio/*/*/*.*")):
        if file.stem.isdigit():
            found[(file.parts[-3], file.parts[-2], int(file.stem))] = file
        else:
            report(file, "not named by its row")
    for file in _under(place, LEM, "*/*/audio/sample_*/audio/*_input_audio.wav"):
        if (kind := _kind(file.parts[-6], file.parts[-5])) is not None:
            found.setdefault((*kind[:2], int(re.sub(r"\D", "", file.stem))), file)
    if not found:
        raise _missing(place, "recordings")
    rows = []
    for (dataset, voice, row), path in found.items():
        if path.stat().st_size:
            condition = CONDITIONS.get((dataset, voice), f"{voice}-{dataset}")
            values = (dataset, voice, condition, row, path)
            rows.append(dict(zip(RECORDING, values, strict=True)))
        else:
            report(path, "empty file")
    return report.frame(rows, " ".join(RECORDING), ["dataset", "voice", "row"])
