"""How the claims of the ledger are recomputed: `RECOMPUTE` has a function for each kind.

Those in `FROM_PRINTED` are arithmetic on the paper's printed numbers; the others compute from data.
"""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import iqr

from ..audio import Audio
from ..concentration import measure
from ..pipeline import align_many
from ..refine import boundaries, features
from ..stats import p_value
from . import recorded
from .concentration_tests import ALPHA, REGIMES, families, paired, pairs
from .paper import published
from .reduction import inverted, reductions


class TooLittle(ValueError):
    """Raised where the recorded data at hand lack what a claim needs."""


@dataclass(frozen=True)
class Value:
    """A recomputed value.

    Attributes
    ----------
    value : float
    half_width : float
        Of an interval around `value` in which the true one lies.
    n : int, optional
        Runs, pairs or utterances that it was computed from.
    stderr : float
        Standard error, by which a value from a part of the data is judged; infinite where a part
        says nothing, as of a p-value.
    """

    value: float
    half_width: float = 0.0
    n: int | None = None
    stderr: float = 0.0


class RecordedData:
    """The recorded data of a folder (as for `recorded.find`), each table read when first needed."""

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        self.folder = folder

    @cached_property
    def runs(self) -> pd.DataFrame:
        """As from `recorded.runs`."""
        return recorded.runs(self.folder)

    @cached_property
    def players(self) -> pd.DataFrame:
        """As from `recorded.players`."""
        return recorded.players(self.folder)

    @cached_property
    def audio(self) -> pd.DataFrame:
        """As from `recorded.audio`, with the duration (s) of each."""
        table = recorded.audio(self.folder)
        return table.assign(duration=[Audio.read(path).duration for path in table["path"]])

    @cached_property
    def reductions(self) -> pd.DataFrame:
        """As from `reduction.reductions`, by condition, basis and quantity."""
        return reductions(self.runs).set_index(["condition", "basis", "quantity"])

    def heard(self, query: str) -> pd.DataFrame:
        """Return the SGPA runs that `query` selects and whose recordings are known."""
        keys = ["dataset", "voice", "row"]
        runs = self.runs.query("regime == 'sgpa'").query(query)
        return _enough(runs.merge(self.audio.drop(columns="condition"), on=keys), "recordings")

    def select(self, regime: str, condition: str | None = None) -> pd.DataFrame:
        """Return the runs of a regime, of one condition or all."""
        known = self.runs["condition"] if condition is None else [condition]
        runs = self.runs[(self.runs["regime"] == regime) & self.runs["condition"].isin(known)]
        return _enough(runs, f"{regime} runs of {condition or 'all conditions'}")


def _enough(values: Any, what: str) -> Any:
    """Return `values` if there are at least two of them."""
    if len(values) < 2:
        raise TooLittle(f"the recorded data hold {len(values)} {what}, at least 2 are needed")
    return values


def _between(low: float, high: float) -> Value:
    return Value((low + high) / 2, (high - low) / 2)


def _mean(values: Any) -> Value:
    values = _enough(np.asarray(values, dtype=float), "values")
    stderr = values.std(ddof=1) / np.sqrt(len(values))
    return Value(float(values.mean()), n=len(values), stderr=float(stderr))


def _effect(d: float, n: int) -> Value:
    """Return d_z with its large-sample standard error."""
    return Value(float(d), n=n, stderr=float(np.sqrt(1 / n + d**2 / (2 * n))))


def _phase_2(data: RecordedData, *which: str) -> Value:
    """Return the percentage of runs whose last phase is 2.

    The standard error is Agresti and Coull's, which is not 0 where all runs agree.
    """
    second = data.select(*which)["neyman_steps"] == 2
    n, share = len(second), (second.sum() + 2) / (len(second) + 4)
    stderr = 100 * np.sqrt(share * (1 - share) / (n + 4))
    return Value(float(100 * second.mean()), n=n, stderr=float(stderr))


def _player_iqr(data: RecordedData, regime: str) -> Value:
    """Return the interquartile range of the players, with its bootstrap standard error."""
    players = data.select(regime)["players"].to_numpy(float)
    n = len(players)
    drawn = players[np.random.default_rng(0).integers(0, n, (999, n))]
    return Value(float(iqr(players)), n=n, stderr=float(iqr(drawn, axis=1).std(ddof=1)))


@cache
def _inverted(sgpa: bool, mode: str) -> dict[str, tuple[float, float]]:
    """Return what v1's printed distribution of the counter says about the players of a regime."""
    rows = published("v1.cost") + published("v1.calls_distribution")
    means, quartiles = (row for row in rows if (row["sgpa"], row["mode"]) == (sgpa, mode))
    return inverted(means | quartiles)


def _law_inverted(_: RecordedData, regime: str, quantity: str, mode: str) -> Value:
    """Return the mean or iqr of a quantity over v1's utterances, or native over words (ratio)."""
    words, native = _inverted(True, mode)[quantity], _inverted(False, mode)[quantity]
    if regime == "ratio":
        return _between(native[0] / words[1], native[1] / words[0])
    return _between(*{"words": words, "native": native}[regime])


def _reduction(data: RecordedData, condition: str, basis: str, quantity: str) -> Value:
    """Return a ratio of means, native tokens over SGPA words."""
    if (condition, basis, quantity) not in data.reductions.index:
        raise TooLittle(f"the recorded data hold no {basis} of {condition}")
    row = data.reductions.loc[(condition, basis, quantity)]
    stderr = (row["high"] - row["low"]) / (2 * 1.96)
    return Value(float(row["ratio"]), n=int(row["raw"]), stderr=float(stderr))


def _concentration(data: RecordedData, condition: str, metric: str, what: str = "d_z") -> Value:
    """Return d_z, or p, of a concentration metric, SGPA words minus native tokens, matched."""
    both = pairs(data.runs, condition) if condition in set(data.runs["condition"]) else {}
    test = paired(*(measure(metric, both.get(regime, [])) for regime in REGIMES))
    n = len(_enough(range(int(test["pairs"])), f"pairs of {condition}"))
    return _effect(test["d_z"], n) if what == "d_z" else Value(test["p"], n=n, stderr=np.inf)


def _deletion(data: RecordedData, model: str, condition: str, against: str) -> Value:
    """Return d_z of the drop by the top word against the mean of the others, or one at random."""
    words = data.players.query("model == @model and condition == @condition")
    margins = []
    for _, game in words.groupby("sample"):
        drop, top = game["deletion"].to_numpy(), int(game["shapley"].abs().to_numpy().argmax())
        margins.append(drop[top] - np.delete(drop, top))
    n = len(_enough(margins, f"games of {model}, {condition}"))
    means = np.array([margin.mean() for margin in margins])
    sd = means.std(ddof=1)
    if against == "one other":
        squares = np.mean([(margin**2).mean() for margin in margins])
        sd = np.sqrt((squares - means.mean() ** 2) * n / (n - 1))
    return _effect(means.mean() / sd, n)


def _stage_3(data: RecordedData, condition: str) -> Value:
    """Return the percentage of flux that Stage 3 takes off the cuts around words.

    Raw cuts are the ends of the left characters' CTC spans; the embedded aligner gives them. The
    mean over utterances of 1 − refined / raw, each a mean over the cuts, both edges included.
    """
    heard = data.heard(f"condition == {condition!r}")
    recordings = [Audio.read(path) for path in heard["path"]]
    aligned = align_many(recordings, list(heard["transcript"]))
    reductions = []
    for audio, segmentation in zip(recordings, aligned, strict=True):
        alignment, track = segmentation.alignment, features(audio)
        assert alignment is not None  # align_many keeps it
        spans, edges = (alignment.starts, alignment.ends), alignment.word_edges
        cuts = [boundaries(track, *spans, way).times[edges] for way in ("left-edge", "sgpa")]
        raw, refined = (np.interp(times, track.times, track.flux).mean() for times in cuts)
        reductions.append(100 * (1 - refined / raw))
    return _mean(reductions)


def _families(version: str, pairs: dict[str, int]) -> Value:
    """Return the Bonferroni families that give all printed verdicts; `pairs` by condition."""
    rows = published(f"{version}.concentration")
    p = [p_value(row["d_z"], pairs[row["mode"]]) for row in rows]
    sizes = families(p, [row["significant"] for row in rows])
    return _between(sizes[0], sizes[-1])


def _alpha(score: str) -> float:
    """Return the α that a score of the alpha search prefers."""
    rows = pd.DataFrame(published("revised.alpha_search.scores"))
    scaled = (rows - rows.min()) / (rows.max() - rows.min())
    clicks, opinion = scaled["manual_subset"], scaled["mos"]
    scores = {"automatic": rows["manual_subset"], "opinion": -rows["mos"]}
    scores |= {"both as published": clicks + opinion, "both": clicks + 1 - opinion}
    return rows["alpha"][scores[score].argmin()]


def _formula(expression: str) -> float:
    """Return the value of an expression; names with dots are places in published.yaml."""
    places = re.compile(r"[a-z]\w*(?:\.\w+)+")
    return pd.eval(places.sub(lambda place: str(published(place[0])), expression))


#: Arithmetic on the paper's printed numbers.
FROM_PRINTED: dict[str, Callable[..., Value | float]] = {
    "p value": lambda effect, n: p_value(published(effect), n),
    "verdict": lambda effect, n, family: p_value(published(effect), n) < ALPHA / family,
    "alpha": _alpha,
    "families": _families,
    "formula": _formula,
}

#: How claims are recomputed; those that are not in `FROM_PRINTED` are given `RecordedData` first.
RECOMPUTE: dict[str, Callable[..., Value | float]] = FROM_PRINTED | {
    "concentration": _concentration,
    "deletion": _deletion,
    "durations": lambda data, dataset, voice: _mean(
        data.audio.query("dataset == @dataset and voice == @voice")["duration"]
    ),
    "law inverted": _law_inverted,
    "mean": lambda data, column, *which: _mean(data.select(*which)[column]),
    "phase 2": _phase_2,
    "player iqr": _player_iqr,
    "reduction": _reduction,
    "stage 3": _stage_3,
    "token rate": lambda data: _mean(data.heard("native_tokens>1").eval("native_tokens/duration")),
}
