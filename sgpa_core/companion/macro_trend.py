"""The macro-trend on the embedded answerer: profiles of words, frames and pieces, as stored."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import partition, profile, speech_game
from ..data import DATA, instructions

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FRAME_SECONDS", "PIECES", "compare", "profiles", "stored"]

RESULTS = DATA / "results"
FRAME_SECONDS = 0.08
PIECES = ("truth", "midpoint", "ctc", "uniform", "random", "native, summed")
"""What is compared with native frames beside SGPA's words, with as many players."""


@cache
def stored(folder: Path | None = None) -> pd.DataFrame:
    """Return stored values of silence-masked utterances: id, regime, values, spans, duration.

    Words and pieces have exact values; native frames of 80 ms the mean of their seeds, and
    ``native, summed`` those values summed in SGPA's words.
    """
    import pandas as pd

    folder = folder or RESULTS
    heard: dict[str, Any] = {recording.id: recording.audio for recording in instructions()}
    rows = [
        (table.id, table.regime, table.values(), table.spans)
        for table in speech_game.read(folder / "answers" / "tables.jsonl")
        if table.masking == "silence" and table.regime.split("-")[0] in ("words", *PIECES)
    ]
    lines = (folder / "native" / "values.jsonl").read_text(encoding="utf-8").splitlines()
    runs: dict[str, list[dict[str, Any]]] = {}
    for run in map(json.loads, lines):
        runs.setdefault(run["id"], []).append(run)
    for id, seeds in runs.items():
        spans = partition.native(heard[id], FRAME_SECONDS).spans
        rows.append((id, "native", np.mean([run["values"] for run in seeds], axis=0), spans))
        summed = np.mean([run["word_values"] for run in seeds], axis=0)
        rows.append((id, "native, summed", summed, np.array(seeds[0]["spans"])))
    frame = pd.DataFrame(rows, columns=["id", "regime", "values", "spans"])
    frame["duration"] = [heard[id].duration for id in frame["id"]]
    return frame[frame["id"].isin(runs)].reset_index(drop=True)


@cache
def profiles(form: str = "absolute", by: str = "time", folder: Path | None = None) -> pd.DataFrame:
    """Return the profiles of all that is stored, one row per utterance, one column per regime.

    Parameters
    ----------
    form : str
        One of `profile.FORMS`.
    by : {"time", "index"}
    """
    if by not in ("time", "index"):
        raise ValueError(f"profiles are by 'time' or by 'index', not {by!r}")
    frame = stored(folder)
    curves = [
        profile.cumulative(row.values, row.spans, row.duration, form)
        if by == "time"
        else profile.cumulative(row.values, form=form)
        for row in frame.itertuples(index=False)
    ]
    regimes = frame["regime"].replace(r"random-\d", "random", regex=True)
    found = frame[["id"]].assign(regime=regimes, curve=curves)
    means = found.groupby(["id", "regime"])["curve"].agg(lambda same: np.mean(list(same), axis=0))
    return means.unstack("regime").dropna()


def compare(
    regime: str,
    form: str = "absolute",
    by: str = "time",
    voice: str = "",
    folder: Path | None = None,
) -> dict[str, float]:
    """Return `profile.compare` of a regime with native frames, utterances of `voice`.

    Without a voice, each prompt counts once: with the mean profile of its voices.
    """
    table = profiles(form, by, folder)
    table = table[table.index.str.startswith(voice)]
    x, y = (np.stack(list(table[name])) for name in (regime, "native"))
    if not voice:
        prompts = table.index.str[4:]
        each = prompts.unique()
        x, y = (np.stack([s[prompts == prompt].mean(axis=0) for prompt in each]) for s in (x, y))
    return profile.compare(x, y)
