"""How the claims of the ledger are recomputed: `RECOMPUTE` has a function for each kind."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import iqr

from ..audio import Audio
from ..concentration import measure
from ..cost import law
from ..files import DATA
from ..pipeline import align_many
from ..refine import boundaries, features
from ..stats import bootstrap_stderr, p_value
from . import macro_trend, recorded
from .concentration_tests import ALPHA, REGIMES, families, paired, pairs
from .paper import published
from .reduction import inverted, reductions

#: Players up to which the published budget, 2^n − 2 evaluations, ends inside phase 1.
LAST_IN_PHASE_1 = 5


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
        Standard error, by which a value from a part of the data is judged.
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


class EmbeddedData(RecordedData):
    """The stored runs of the embedded answerer, in the schema of recorded ones.

    A condition is a voice, ``raw`` are frames of 80 ms. Utterances that have both regimes.
    """

    @cached_property
    def runs(self) -> pd.DataFrame:
        """Beside the columns of `recorded.runs`: evaluations and distinct."""
        names = {"voice": "condition", "id": "row", "values": "attribution"}
        runs = pd.read_json(DATA / "results" / "cost" / "runs.jsonl", lines=True)
        runs = runs.rename(columns=names).replace({"regime": {"words": "sgpa", "native-80": "raw"}})
        runs = runs[runs["regime"].isin(REGIMES)].sort_values("row", kind="stable")
        runs = runs[runs.groupby("row")["regime"].transform("size") == len(REGIMES)]
        counter = law(sorted(set(runs["players"]))).set_index("players")["counter"]
        # up to 5 players the published budget, 2^n − 2 evaluations, ends inside phase 1
        steps = 1 + (runs["players"] > LAST_IN_PHASE_1)
        return runs.assign(n_calls=runs["players"].map(counter), neyman_steps=steps)


def _enough(values: Any, what: str) -> Any:
    """Return `values` if there are at least two of them."""
    if len(values) < 2:
        raise TooLittle(f"the recorded data hold {len(values)} {what}, at least 2 are needed")
    return values


def _between(low: float, high: float) -> Value:
    return Value((low + high) / 2, (high - low) / 2)


def _mean(values: Any) -> Value:
    values = np.asarray(values, dtype=float)
    stderr = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.inf
    return Value(float(values.mean()), n=len(values), stderr=float(stderr))


def _effect(d: float, n: int) -> Value:
    """Return d_z with its large-sample standard error."""
    return Value(float(d), n=n, stderr=float(np.sqrt(1 / n + d**2 / (2 * n))))


def _bootstrapped(statistic: Callable[..., Any], *samples: pd.Series) -> Value:
    """Return a statistic of paired samples with its bootstrap standard error."""
    value = float(statistic(*(sample.to_numpy(float) for sample in samples), axis=-1))
    return Value(value, n=len(samples[0]), stderr=bootstrap_stderr(statistic, *samples))


@cache
def _inverted(sgpa: bool, mode: str) -> dict[str, tuple[float, float]]:
    """Return what v1's printed distribution of the counter says about the players of a regime."""
    printed: dict[str, Any] = {}
    for table in ("cost", "calls_distribution"):
        rows = published(f"v1.{table}")
        printed |= next(row for row in rows if (row["sgpa"], row["mode"]) == (sgpa, mode))
    return inverted(printed)


def _law_inverted(regime: str, quantity: str, mode: str) -> Value:
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


def _ratio_of_means(data: RecordedData, quantity: str) -> Value:
    """Return a ratio of means over the same utterances, native tokens over SGPA words."""
    raw, sgpa = (data.select(regime)[quantity] for regime in ("raw", "sgpa"))
    return _bootstrapped(lambda x, y, axis: x.mean(axis) / y.mean(axis), raw, sgpa)


def _concentration(
    data: RecordedData, condition: str, metric: str, what: str = "d_z", form: str = "absolute"
) -> Value:
    """Return d_z, or p, of a concentration metric, SGPA words minus native tokens, matched."""
    both = pairs(data.runs, condition) if condition in set(data.runs["condition"]) else {}
    test = paired(*(measure(metric, both.get(regime, []), form) for regime in REGIMES))
    n = len(_enough(range(int(test["pairs"])), f"pairs of {condition}"))
    if what == "d_z":
        return _effect(test["d_z"], n)
    return Value(test["p"], n=n, stderr=1.0)  # a part says nothing of p


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


def _macro_trend(_: RecordedData, test: str, form: str) -> Value:
    """Return 1 where words and frames pass the test of the embedded answerer's profiles, else 0.

    ``p_equivalent``: early masses within the margin; ``apart_p``: profiles of one utterance
    are closer than those of two.
    """
    row = macro_trend.compare("words", form)
    return Value(float(row[test] < ALPHA), n=int(row["n"]))


def _alpha(score: str) -> float:
    """Return the α that a score of the alpha search prefers."""
    rows = pd.DataFrame(published("revised.alpha_search.scores"))
    scaled = (rows - rows.min()) / (rows.max() - rows.min())
    clicks, opinion = scaled["manual_subset"], scaled["mos"]
    scores = {"automatic": rows["manual_subset"], "opinion": -rows["mos"]}
    scores |= {"both as published": clicks + opinion, "both": clicks + 1 - opinion}
    return rows["alpha"][scores[score].argmin()]


def _weighted_mean(key: str) -> float:
    """Return the mean of the Stage-3 conditions, weighted by their utterances."""
    rows = published("revised.stage3_ablation.conditions")
    n = [published(f"revised.corpora.{i}.prompts") for i in (0, 0, 0, 1)]
    return np.average([row[key] for row in rows], weights=n)


def _largest_ratio(column: str) -> float:
    rows = published("revised.cost")
    words = {row["condition"]: row[column] for row in rows if row["sgpa"]}
    return max(r[column] / words[r["condition"]] for r in rows if not r["sgpa"])


def _sum_of_products(*products: list[Any]) -> float:
    """Return the sum of products of numbers and of published numbers."""
    numbers = [[published(f) if isinstance(f, str) else f for f in factors] for factors in products]
    return sum(float(np.prod(factors)) for factors in numbers)


def _durations(data: RecordedData, dataset: str, voice: str) -> Value:
    chosen = data.audio.query("dataset == @dataset and voice == @voice")
    return _mean(_enough(chosen["duration"], "recordings"))


#: How claims are recomputed; those from runs are given `RecordedData` or `EmbeddedData` first.
RECOMPUTE: dict[str, Callable[..., Value | float]] = {
    "printed": lambda path: published(path),
    "ratio": lambda a, b: published(a) / published(b),
    "reduction of means": lambda path: (
        100 * (1 - published(f"{path}.refined") / published(f"{path}.raw"))
    ),
    "log10": lambda base, exponent: exponent * np.log10(base),
    "years": lambda players, ms: 2.0**players * ms / (1000 * 3600 * 24 * 365.25),
    "effect of t": lambda t, n: published(t) / np.sqrt(published(n)),
    "p value": lambda effect, n: p_value(published(effect), n),
    "verdict": lambda effect, n, family: p_value(published(effect), n) < ALPHA / family,
    "mean": lambda data, column, *which: _mean(data.select(*which)[column]),
    "phase 2": lambda data, *which: _mean(100 * (data.select(*which)["neyman_steps"] == 2)),
    "player iqr": lambda data, regime: _bootstrapped(iqr, data.select(regime)["players"]),
    "token rate": lambda data: _mean(data.heard("native_tokens>1").eval("native_tokens/duration")),
}

RECOMPUTE |= {
    function.__name__[1:].replace("_", " "): function
    for function in (
        _alpha, _concentration, _deletion, _durations, _families, _largest_ratio, _law_inverted,
        _macro_trend, _ratio_of_means, _reduction, _stage_3, _sum_of_products, _weighted_mean,
    )
}  # fmt: skip
