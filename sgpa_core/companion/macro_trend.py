"""The paper's macro-trend: do words keep the profile of native tokens over the utterance?

On the stored values of the embedded answerer (`compare`) and on the authors' recorded runs
(`recorded_profiles`); profiles themselves are in :mod:`sgpa_core.profile`.
"""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .. import profile
from ..checks import choice
from ..files import DATA
from ..partition import native
from ..speech_game import read_tables
from . import profile_tests
from .concentration_tests import REGIMES, pairs
from .record import read
from .recorded import CONDITIONS
from .recordings import instructions

RESULTS = DATA / "results"
FRAME_SECONDS = 0.08
#: What is compared with native frames beside SGPA's words, with as many players.
PIECES = ("truth", "midpoint", "ctc", "uniform", "random", "native, summed")


@cache
def stored(folder: Path | None = None) -> pd.DataFrame:
    """Return stored values of silence-masked utterances: id, regime, values, spans, duration.

    Words and pieces have exact values; native frames of 80 ms the mean of their seeds, and
    ``native, summed`` those values summed in SGPA's words.
    """
    folder = folder or RESULTS
    recordings: dict[str, Any] = {recording.id: recording.audio for recording in instructions()}
    rows = [
        (table.id, table.regime, table.values(), table.spans)
        for table in read_tables(folder / "answers" / "tables.jsonl")
        if table.masking == "silence" and table.regime.split("-")[0] in ("words", *PIECES)
    ]
    runs = pd.DataFrame(read(folder / "native" / "values.jsonl"))
    for id, seeds in runs.groupby("id", sort=False):
        mean, summed = (np.mean(list(seeds[name]), axis=0) for name in ("values", "word_values"))
        rows.append((id, "native", mean, native(recordings[id], FRAME_SECONDS).spans))
        rows.append((id, "native, summed", summed, np.array(seeds["spans"].iloc[0])))
    frame = pd.DataFrame(rows, columns=["id", "regime", "values", "spans"])
    frame["duration"] = [recordings[id].duration for id in frame["id"]]
    return frame[frame["id"].isin(runs["id"])].reset_index(drop=True)


@cache
def profiles(form: str = "absolute", by: str = "time", folder: Path | None = None) -> pd.DataFrame:
    """Return the profiles of all that is stored, one row per utterance, one column per regime.

    Parameters
    ----------
    form : str
        One of `profile.FORMS`.
    by : {"time", "index"}
    """
    choice(by, ("time", "index"), "axis of a profile")
    frame = stored(folder)
    columns = ["values", "spans", "duration"] if by == "time" else ["values"]
    curves = [profile.cumulative(**row, form=form) for row in frame[columns].to_dict("records")]
    regimes = frame["regime"].replace(r"random-\d", "random", regex=True)
    table = frame[["id"]].assign(regime=regimes, curve=curves)
    means = table.groupby(["id", "regime"])["curve"].agg(lambda same: np.mean(list(same), axis=0))
    return means.unstack("regime").dropna()


def compare(
    regime: str,
    form: str = "absolute",
    by: str = "time",
    voice: str = "",
    folder: Path | None = None,
) -> dict[str, float]:
    """Return `profile_tests.compare` of a regime with native frames, utterances of `voice`.

    Without a voice, each prompt counts once: with the mean profile of its voices.
    """
    table = profiles(form, by, folder)
    table = table[table.index.str.startswith(voice)][[regime, "native"]]
    if not voice:
        table = table.groupby(table.index.str[4:]).agg(lambda same: np.mean(list(same), axis=0))
    x, y = (np.stack(list(table[name])) for name in (regime, "native"))
    return profile_tests.compare(x, y)


def recorded_profiles(runs: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Return `profile_tests.compare` of the pairs, SGPA against raw, by index; last row: all.

    The recordings' times are not stored with the runs, and attributions are min-max scaled.
    """
    modes = [mode for mode in CONDITIONS.values() if mode in set(runs["condition"])]
    sets = {mode: both for mode in modes if len(both := pairs(runs, mode)) > 1}
    if not sets:
        raise ValueError("profiles need a condition with at least 2 matched pairs")
    sets["all"] = pd.concat(sets.values())
    rows = []
    for mode, both in sets.items():
        first, second = ([profile.cumulative(v) for v in both[regime]] for regime in REGIMES)
        rows.append({"mode": mode} | profile_tests.compare(first, second, seed=seed))
    return pd.DataFrame(rows)
