"""What the paper's authors published: recorded runs, complete coalition tables, recordings.

The readers take a folder laid out as the authors' repository (or an unpacked archive of it), or
flat: ``runs/DATASET_VOICE_REGIME/ROW.json`` or ``runs.csv``, ``coalitions.csv``, ``players.csv``,
``audio/DATASET/VOICE/ROW.*``. Whatever is left out or looks odd is listed by `problems`.
"""

import json
import os
import re
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from .paper import FAITH, LEM, REPOSITORY, available, find

__all__ = ["audio", "available", "find", "games", "players", "problems", "runs"]

#: The revised paper's name of each (dataset, voice).
CONDITIONS = {
    ("1k", "male"): "SM2S-1k",
    ("1k", "female"): "SM2F-1k",
    ("1k", "original"): "SO2S-1k",
    ("500", "original"): "SO2S-500",
}

#: Names here of the numbers of a recorded run, theirs, and their types.
FIELDS = {
    "row": ("row_index", int), "n_calls": ("n_calls", int),
    "neyman_steps": ("neyman_steps", int), "seconds": ("runtime_sec", float),
}  # fmt: skip

NEEDED = [*(name for name, _ in FIELDS.values()), "prompt_texts", "conversation"]
RUN = (
    "dataset", "voice", "condition", "regime", "row", "transcript", "players", "native_tokens",
    "n_calls", "neyman_steps", "seconds", "flat", "attribution", "file",
)  # fmt: skip
KEY = ("dataset", "voice", "regime")
RECORDING = ("dataset", "voice", "condition", "row", "path")
GAME = ["model", "condition", "sample"]
TEXTS = {"model", "condition", "transcript", "word"}
#: Columns of the authors' tables of games, and what they are called here.
NAMES = {
    "sample_id": "sample", "n_segments": "players", "n_players": "players", "present_mask": "mask",
    "util_emb": "embedding", "util_embedding": "embedding", "util_tfidf": "tfidf",
    "segment_idx": "player", "segment_token": "word", "segment_dur_sec": "duration",
    "duration_sec": "duration", "segment_sv": "shapley", "shapley_embedding": "shapley",
    "deletion_drop_emb": "deletion", "deletion_drop_embedding": "deletion",
}  # fmt: skip

#: Attributions that differ by less than this are flat.
FLAT = 1e-6


class Problem(NamedTuple):
    """Something left out of, or odd in, the table that a reader returned."""

    file: str
    reason: str
    left_out: bool


class _Unusable(ValueError):
    """Why a run cannot be used, in plain words."""


class _Report:
    """The problems met while a folder is read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.problems: list[Problem] = []

    def __call__(self, file: Path, reason: object, part: str = "", left_out: bool = True) -> None:
        name = file.relative_to(self.folder).as_posix()
        if isinstance(reason, Exception) and not isinstance(reason, _Unusable):
            reason = f"cannot be read: {type(reason).__name__} {reason}"
        self.problems.append(Problem(f"{name} ({part})" if part else name, str(reason), left_out))

    def frame(self, rows: Any, columns: Iterable[str], sort: Iterable[str]) -> pd.DataFrame:
        """Return the rows as a sorted table that carries the problems."""
        frame = pd.DataFrame(rows, columns=list(columns))
        frame = frame.sort_values(list(sort), kind="stable", ignore_index=True)
        frame.attrs["problems"] = tuple(self.problems)
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
    return pd.DataFrame(frame.attrs.get("problems", ()), columns=Problem._fields)


def _under(folder: Path, inside: str, pattern: str) -> list[Path]:
    """Return files below `inside`, in the folder itself or in an archive unpacked in it."""
    return sorted({*folder.glob(f"{inside}/{pattern}"), *folder.glob(f"*/{inside}/{pattern}")})


def _missing(folder: Path, what: str) -> FileNotFoundError:
    return FileNotFoundError(f"{folder} holds no {what}, neither flat nor as in {REPOSITORY}")


def _kind(folder: Path) -> dict[str, str]:
    """Return what a folder of runs says of all of them; nothing if it holds something else."""
    dataset = re.search(r"_(1k|500)(_|$)", folder.parent.name)
    named = re.fullmatch(r"audio_(\w+?)_audio_(sgpa|raw)_limited_neyman_lin3_\d+", folder.name)
    key = [dataset[1], *named.groups()] if dataset and named else folder.name.split("_")
    return _described(*key) if len(key) == len(KEY) else {}


def _row(file: Path) -> int:
    """Return the row that a file is named by, -1 if there is none."""
    named = re.fullmatch(r"(?:sample_)?(\d+)(?:_result|_input_audio)?", file.stem)
    return int(named[1]) if named else -1


def _described(dataset: str, voice: str, *regime: str) -> dict[str, str]:
    """Name dataset, voice and the paper's condition, and the regime if there is one."""
    condition = CONDITIONS.get((dataset, voice), f"{voice}-{dataset}")
    return dict(zip(KEY, (dataset, voice, *regime), strict=False)) | {"condition": condition}


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
    report = _Report(find(folder))
    files: dict[tuple[Any, ...], str] = {}
    rows = []
    for file, part, key, read in _run_sources(report):
        try:
            run = key | read()
            identity = tuple(run[name] for name in (*KEY, "row"))
            if identity in files:
                raise _Unusable(f"duplicate of {files[identity]}")
        except (OSError, ValueError, TypeError, LookupError) as fault:
            report(file, fault, part)
            continue
        run["file"] = files[identity] = file.relative_to(report.folder).as_posix()
        rows.append(run)
        for reason in _oddities(run):
            report(file, reason, part, left_out=False)
    return report.frame(rows, RUN, (*KEY, "row"))


def _run_sources(report: _Report) -> Iterator[tuple[Path, str, Any, Any]]:
    """Yield file, part of it, what its folder says, and a reader of each recorded run."""
    folder = report.folder
    flat = [(file, file.parent) for file in sorted(folder.glob("runs/*/*.json"))]
    files = _under(folder, LEM, "*/*/samples/*_result.json")
    table = folder / "runs.csv"
    if not flat and not files and not table.is_file():
        raise _missing(folder, "recorded runs")
    for file, run in [*flat, *((file, file.parents[1]) for file in files)]:
        if key := _kind(run):
            yield file, "", key, partial(_read_run, file, key["voice"])
        else:
            report(file, "another estimator, set or voice: not one of the paper's runs")
    if not flat and table.is_file():
        needed = (*KEY, "attribution", "transcript", *NEEDED[: len(FIELDS)])
        for row in _csv(table, report, needed, {}).to_dict("records"):
            named = [str(row[name]) for name in KEY]
            tokens = None if row["regime"] == "raw" else 0
            read = partial(_tidy, row, row["transcript"], row["attribution"], tokens)
            yield table, " ".join([*named, str(row["row_index"])]), _described(*named), read


def _read_run(file: Path, voice: str) -> dict[str, Any]:
    """Read one result file of this voice."""
    content = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise _Unusable("another format: no JSON object")
    if lacking := [name for name in NEEDED if content.get(name) is None]:
        raise _Unusable(f"lacks {', '.join(lacking)}")
    if content.get("input_modality", f"audio__{voice}") != f"audio__{voice}":
        raise _Unusable(f"says input_modality {content['input_modality']!r}, not that of {voice}")
    if _row(file) != content["row_index"]:
        raise _Unusable(f"holds row {content['row_index']!r}, named as row {_row(file)}")
    heard = [part for turn in content["conversation"] for part in turn if part["content_type"] == 1]
    spoken = [part["shap_values"] for part in heard if {*part["shap_values"]} - {None}]
    if len(spoken) != 1:
        raise _Unusable(f"{len(spoken)} audio entries with attributions instead of one")
    values = [value for value in spoken[0] if value is not None]
    return _tidy(content, content["prompt_texts"][0], values, len(spoken[0]))


def _tidy(content: dict[str, Any], text: str, values: Any, tokens: int | None) -> dict[str, Any]:
    """Return the fields of a run; `tokens` is the number of native ones, None if all play."""
    attribution = np.array(json.loads(values) if isinstance(values, str) else values, dtype=float)
    n = len(attribution)
    run = {name: kind(content[field]) for name, (field, kind) in FIELDS.items()}
    run |= {"transcript": str(text), "players": n, "attribution": attribution}
    run["native_tokens"] = n if tokens is None else tokens
    if content.get("n_players", n) != n:
        raise _Unusable(f"says {content['n_players']} players, holds {n} attributions")
    if not np.isfinite([*attribution, run["seconds"]]).all() or run["n_calls"] < 0:
        raise _Unusable("an attribution, the calls or the seconds are no proper number")
    if n < 2:
        raise _Unusable("one player: nothing was explained")
    return run | {"flat": np.ptp(attribution) < FLAT}


def _oddities(run: dict[str, Any]) -> list[str]:
    """Say what is odd about a run that can be used nevertheless."""
    values = run["attribution"]
    reasons = {
        "zero calls": run["n_calls"] == 0,
        "flat attribution": run["flat"],
        "no player at zero: not min-max scaled": values.min() > FLAT and not run["flat"],
        "attribution is not scaled to a sum of 1": abs(values.sum() - 1) > 1e-4 or values.min() < 0,
    }
    return [reason for reason, odd in reasons.items() if odd]


def _csv(file: Path, report: _Report, needed: Any, names: Any, **columns: str) -> pd.DataFrame:
    """Read a table, rename and set columns; if that fails, report it and return no rows."""
    try:
        frame = pd.read_csv(file).rename(columns=names).assign(**columns, file=file)
        if lacking := sorted({*needed} - {*frame}):
            raise _Unusable(f"another format: lacks {', '.join(lacking)}")
        return frame
    except (OSError, ValueError) as fault:
        report(file, fault)
        return pd.DataFrame()


def _games(report: _Report, name: str, kind: str, needed: Any) -> Iterator[tuple[Any, Any, Any]]:
    """Yield key, rows and a way to note what is wrong of each game, from all tables of a kind."""
    folder = report.folder
    sources: list[tuple[Path, dict[str, str]]]
    sources = [(folder / name, {})] if (folder / name).is_file() else []
    for model, pattern in (("qwen", "qwen_exact_shapley"), ("voxtral", "voxtral/exact_shapley")):
        for file in _under(folder, FAITH, f"{pattern}_*/*{kind}.csv"):
            condition = file.parent.name.partition("exact_shapley_")[2]
            sources.append((file, {"model": model, "condition": condition}))
    if not sources:
        raise _missing(folder, name)
    table = pd.concat([_csv(file, report, needed, NAMES, **given) for file, given in sources])
    if table.empty:
        return
    for column in {*needed} - TEXTS:
        table[column] = pd.to_numeric(table[column], errors="coerce")
    whole = [column for column in ("sample", "players", "mask", "player") if column in needed]
    good = table[whole].notna().all(axis=1)
    for file, rows in table[~good].groupby("file"):
        report(file, f"{len(rows)} rows without a number in {', '.join(whole)}")
    for key, rows in table[good].groupby(GAME):
        yield key, rows, partial(report, rows["file"].iloc[0], part=" ".join(map(str, key)))


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
    report = _Report(find(folder))
    columns = (*GAME, "players", "embedding", "tfidf")
    rows = []
    tables = _games(report, "coalitions.csv", "coalitions", (*columns, "mask"))
    for key, game, note in tables:
        n, masks = int(game["players"].iloc[0]), np.sort(game["mask"])
        utilities = game.sort_values("mask")[["embedding", "tfidf"]].to_numpy(float).T
        if not np.array_equal(masks, np.arange(2**n)):
            note(f"{len(set(masks))} of {2**n} coalitions in {len(masks)} rows")
        elif not np.isfinite(utilities).all():
            note("a utility is not finite")
        else:
            if abs(utilities[:, -1] - 1).max() > 1e-3:
                note("U(N) is not 1", left_out=False)
            rows.append((*key[:2], int(key[2]), n, *utilities))
    return report.frame(rows, columns, GAME)


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
    report = _Report(find(folder))
    columns = (*GAME, "transcript", "player", "word", "duration", "shapley", "deletion")
    rows: list[dict[str, Any]] = []
    for _, words, note in _games(report, "players.csv", "results", columns):
        complete = sorted(words["player"]) == list(range(len(words)))
        if complete and np.isfinite(words[["shapley", "deletion"]].to_numpy(float)).all():
            rows += words[list(columns)].to_dict("records")
        else:
            note("players or values missing or repeated")
    return report.frame(rows, columns, (*GAME, "player"))


def audio(folder: str | os.PathLike[str] | None = None) -> pd.DataFrame:
    """Return the recordings that were explained: dataset, voice, condition, row, path.

    `Audio.read` reads them; some that are named .wav are MP3. One recording serves both regimes.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or no recordings in it.
    """
    report = _Report(find(folder))
    flat = sorted(report.folder.glob("audio/*/*/*.*"))
    files = [(_described(*file.parts[-3:-1]), file) for file in flat]
    unpacked = _under(report.folder, LEM, "*/*/audio/sample_*/audio/*_input_audio.wav")
    files += [(_kind(file.parents[3]), file) for file in unpacked]
    rows: dict[Any, dict[str, Any]] = {}
    for kind, path in files:
        if _row(path) < 0 or not path.stat().st_size:
            report(path, "empty file" if _row(path) >= 0 else "not named by its row")
        elif kind:
            row = kind | {"row": _row(path), "path": path}
            rows.setdefault((row["condition"], row["row"]), row)
    if not files:
        raise _missing(report.folder, "recordings")
    return report.frame(rows.values(), RECORDING, ("dataset", "voice", "row"))
