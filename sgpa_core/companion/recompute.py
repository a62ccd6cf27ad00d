"""How the claims of the ledger are recomputed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np

from .. import concentration, cost, stats
from ..data import DATA
from . import concentration_tests, recorded, reduction

PAPER = DATA / "paper"
LAST_IN_PHASE_1 = 5
"""Players up to which the published budget, 2^n − 2 evaluations, ends inside phase 1."""


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


@cache
def read(name: str) -> Any:
    """Read a file of data/paper."""
    import yaml

    return yaml.safe_load((PAPER / name).read_text(encoding="utf-8"))


def published(path: str) -> Any:
    """Return a published number by its dotted path in ``data/paper/published.yaml``.

    Examples
    --------
    >>> published("v1.cost.1.calls")
    59.32
    """
    found: Any = read("published.yaml")
    for key in path.split("."):
        try:
            found = found[int(key) if isinstance(found, list) else key]
        except (KeyError, IndexError, ValueError, TypeError):
            raise ValueError(f"no published number {path!r}: there is no {key!r}") from None
    return found


_runs: Callable[[str], Any] = lru_cache(maxsize=2)(recorded.runs)
_players: Callable[[str], Any] = lru_cache(maxsize=2)(recorded.players)
_audio: Callable[[str], Any] = lru_cache(maxsize=2)(recorded.audio)


@lru_cache(maxsize=2)
def _reductions(folder: str) -> Any:
    return reduction.reductions(_runs(folder)).set_index(["condition", "basis", "quantity"])


@lru_cache(maxsize=4)
def _inverted(sgpa: bool, mode: str) -> dict[str, tuple[float, float]]:
    def of(table: str) -> dict[str, Any]:
        rows = published(f"v1.{table}")
        return next(row for row in rows if row["sgpa"] == sgpa and row["mode"] == mode)

    return reduction.inverted(of("cost") | of("calls_distribution"))


def _interval(low: float, high: float) -> Value:
    return Value((low + high) / 2, (high - low) / 2)


def _mean(values: Any) -> Value:
    values = np.asarray(values, dtype=float)
    spread = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.inf
    return Value(float(values.mean()), n=len(values), stderr=float(spread))


def _effect(differences: np.ndarray) -> Value:
    """Return d_z, mean / sd of the differences, with its large-sample standard error."""
    n = len(differences)
    effect = float(differences.mean() / differences.std(ddof=1))
    return Value(effect, n=n, stderr=float(np.sqrt(1 / n + effect**2 / (2 * n))))


def _some(values: Any, what: str) -> Any:
    if len(values) < 2:
        raise TooLittle(f"the recorded data hold {len(values)} {what}, at least 2 are needed")
    return values


def _v1(what: str, mode: str) -> Value:
    """Invert v1's printed distributions: players, iqr, ratio of evaluations or of players."""
    words, native = _inverted(True, mode), _inverted(False, mode)
    if what == "iqr":
        return _interval(*words["iqr"])
    if what in ("native players", "words"):
        return _interval(*(native if what == "native players" else words)["players"])
    a, b = native[what], words[what]
    return _interval(a[0] / b[1], a[1] / b[0])


def _of_condition(folder: str, condition: str, regime: str) -> Any:
    runs = _runs(folder)
    chosen = (runs["condition"] == condition) & (runs["regime"] == regime)
    return _some(runs[chosen], f"{regime} runs of {condition}")


def _iqr(players: Any) -> Value:
    from scipy.stats import iqr

    return _bootstrapped(lambda x, axis: iqr(x, axis=axis), players)


def _bootstrapped(statistic: Callable[..., Any], *samples: Any) -> Value:
    """Return a statistic of paired samples with its bootstrap standard error."""
    from scipy.stats import bootstrap

    kept = tuple(np.asarray(sample, dtype=float) for sample in samples)
    spread = bootstrap(
        kept,
        statistic,
        paired=len(kept) > 1,
        n_resamples=999,
        method="basic",
        rng=np.random.default_rng(0),
    )
    value = float(statistic(*kept, axis=-1))
    return Value(value, n=len(kept[0]), stderr=float(spread.standard_error))


def _player_iqr(folder: str, regime: str) -> Value:
    return _iqr(_some(_runs(folder).query("regime == @regime"), f"{regime} runs")["players"])


def _reduction(folder: str, condition: str, basis: str, quantity: str) -> Value:
    try:
        row = _reductions(folder).loc[(condition, basis, quantity)]
    except KeyError:
        raise TooLittle(f"the recorded data hold no {basis} of {condition}") from None
    stderr = (row["high"] - row["low"]) / (2 * 1.96)
    return Value(float(row["ratio"]), n=int(row["raw"]), stderr=float(stderr))


def _concentration(folder: str, condition: str, metric: str, what: str = "d_z") -> Value:
    """Return d_z, or p, of a concentration metric, SGPA words minus native tokens, matched."""
    runs = _runs(folder)
    both = concentration_tests.pairs(runs, condition) if condition in set(runs["condition"]) else ()
    ours, theirs = concentration_tests.measured(_some(both, f"pairs of {condition}"), metric)
    if what == "d_z":
        return _effect(_some(ours - theirs, f"pairs of {condition}"))
    return Value(stats.paired(ours, theirs).p, n=len(ours), stderr=1.0)  # a part says nothing of it


def _deletion(folder: str, model: str, condition: str, against: str) -> Value:
    """Return d_z of the drop by the top word against the mean of the others, or one at random."""
    words = _players(folder)
    words = words[(words["model"] == model) & (words["condition"] == condition)]
    means, squares = [], []
    for _, game in words.groupby("sample"):
        drop = game["deletion"].to_numpy()
        top = int(game["shapley"].abs().to_numpy().argmax())
        less = drop[top] - np.delete(drop, top)
        means.append(less.mean())
        squares.append((less**2).mean())
    found = _effect(np.array(_some(means, f"games of {model}, {condition}")))
    if against == "one other":
        n, mean = len(means), np.mean(means)
        effect = float(mean / np.sqrt((np.mean(squares) - mean**2) * n / (n - 1)))
        found = Value(effect, n=n, stderr=float(np.sqrt(1 / n + effect**2 / (2 * n))))
    return found


def _durations(folder: str, dataset: str, voice: str) -> Value:
    from ..audio import Audio

    chosen = _audio(folder).query("dataset == @dataset and voice == @voice")
    return _mean([Audio.read(path).duration for path in _some(chosen["path"], "recordings")])


def _token_rate(folder: str) -> Value:
    from ..audio import Audio

    runs = _runs(folder)[lambda r: (r["native_tokens"] > 1) & (r["regime"] == "sgpa")]
    both = _some(runs.merge(_audio(folder), on=["dataset", "voice", "row"]), "known recordings")
    return _mean(both["native_tokens"] / [Audio.read(path).duration for path in both["path"]])


def _stage3(folder: str, condition: str) -> Value:
    """Return the percentage of flux that Stage 3 takes off the cuts around words.

    Raw cuts are the ends of the left characters' CTC spans; the embedded aligner gives them. The
    mean over utterances of 1 − refined / raw, each a mean over the cuts, both edges included.
    """
    from .. import refine
    from ..audio import Audio
    from ..pipeline import align_many

    runs = _of_condition(folder, condition, "sgpa")
    both = _some(runs.merge(_audio(folder), on=["dataset", "voice", "row"]), "known recordings")
    heard = [Audio.read(path) for path in both["path"]]
    reductions = []
    for audio, found in zip(heard, align_many(heard, list(both["transcript"])), strict=True):
        ours, look = found.alignment, refine.features(audio)
        assert ours is not None  # align_many keeps it
        words = np.flatnonzero(np.diff(ours.word_of, prepend=-1, append=-1))
        raw, refined = (
            np.interp(
                refine.boundaries(look, ours.starts, ours.ends, method).times[words],
                look.times,
                look.flux,
            ).mean()
            for method in ("left-edge", "sgpa")
        )
        reductions.append(100 * (1 - refined / raw))
    return _mean(reductions)


def _p_value(effect: str, n: int) -> Value:
    return Value(stats.p_value(published(effect), n))


def _verdict(effect: str, n: int, family: int) -> Value:
    """Return 1 where the p of this d_z and n pairs is below 0.05 / family, else 0."""
    return Value(float(stats.p_value(published(effect), n) < concentration_tests.ALPHA / family))


def _families(version: str, **pairs: int) -> Value:
    """Return the Bonferroni families that give all printed verdicts; `pairs` by condition."""
    rows = published(f"{version}.concentration")
    p = [stats.p_value(row["d_z"], pairs[row["mode"]]) for row in rows]
    sizes = concentration_tests.families(p, [row["significant"] for row in rows])
    return _interval(sizes[0], sizes[-1])


@cache
def _measured(voices: str) -> Any:
    """Return the stored costs of the embedded answerer: one row per utterance, by regime."""
    import pandas as pd

    runs = pd.read_json(DATA / "results" / "cost" / "runs.jsonl", lines=True)
    runs = runs[runs["voice"].isin(voices.split()) & runs["regime"].isin(["words", "native-80"])]
    law = cost.law(sorted(set(runs["players"]))).set_index("players")
    runs["counter"] = law["counter"].loc[runs["players"]].to_numpy()
    wide = runs.pivot(index="id", columns="regime")
    return wide[wide["players"].notna().all(axis=1)]


def _embedded(what: str, column: str, regime: str = "words", voices: str = "awb slt") -> Value:
    """Measure on the embedded answerer: a reduction, mean, iqr or share with more than 5 players.

    Up to 5 players the published budget ends inside phase 1.
    """
    runs = _measured(voices)
    if what == "reduction":
        pair = runs[column, "native-80"], runs[column, "words"]
        return _bootstrapped(lambda x, y, axis: x.mean(axis) / y.mean(axis), *pair)
    values = runs[column, regime]
    if what == "iqr":
        return _iqr(values)
    return _mean(100.0 * (values > LAST_IN_PHASE_1) if what == "phase 2" else values)


def _embedded_effect(voice: str, metric: str, form: str) -> Value:
    """Return d_z of a metric, words minus 80 ms frames, on the embedded answerer's values."""
    runs = _measured(voice)["values"]
    words, native = (concentration.measure(metric, runs[r], form) for r in ("words", "native-80"))
    return _effect((words - native)[np.isfinite(words) & np.isfinite(native)])


def _macro_trend(test: str, form: str) -> Value:
    """Return 1 where words and frames pass the test of the embedded answerer's profiles, else 0.

    ``p_equivalent``: early masses within `profile.MARGIN`; ``apart_p``: profiles of one utterance
    are closer than those of two.
    """
    from . import macro_trend

    row = macro_trend.compare("words", form)
    return Value(float(row[test] < concentration_tests.ALPHA), n=int(row["n"]))


def _alpha(score: str) -> Value:
    """Return the α that a score of the alpha search prefers."""
    rows = published("revised.alpha_search.scores")
    alpha, auto, mos = (
        np.array([row[key] for row in rows]) for key in ("alpha", "manual_subset", "mos")
    )
    clicks, opinion = ((x - x.min()) / np.ptp(x) for x in (auto, mos))
    best = {
        "automatic": auto,
        "opinion": -mos,
        "both as published": clicks + opinion,
        "both": clicks + 1 - opinion,
    }
    return Value(float(alpha[best[score].argmin()]))


def _weighted(key: str) -> Value:
    """Return the mean of the Stage-3 conditions, weighted by their utterances."""
    rows = published("revised.stage3_ablation.conditions")
    n = [published(f"revised.corpora.{i}.prompts") for i in (0, 0, 0, 1)]
    return Value(float(np.average([row[key] for row in rows], weights=n)))


def _largest_ratio(column: str) -> Value:
    rows = published("revised.cost")
    words = {row["condition"]: row[column] for row in rows if row["sgpa"]}
    return Value(max(r[column] / words[r["condition"]] for r in rows if not r["sgpa"]))


RECOMPUTE: dict[str, Callable[..., Value]] = {
    "printed": lambda path: Value(float(published(path))),
    "ratio": lambda a, b: Value(published(a) / published(b)),
    "reduction of means": lambda path: Value(
        100 * (1 - published(f"{path}.refined") / published(f"{path}.raw"))
    ),
    "sum of products": lambda *products: Value(
        sum(
            float(np.prod([published(f) if isinstance(f, str) else f for f in p])) for p in products
        )
    ),
    "log10": lambda base, exponent: Value(float(exponent * np.log10(base))),
    "years": lambda players, ms: Value(2.0**players * ms / (1000 * 3600 * 24 * 365.25)),
    "effect of t": lambda t, n: Value(float(published(t) / np.sqrt(published(n)))),
    "p value": _p_value,
    "verdict": _verdict,
    "families": lambda version, pairs: _families(version, **pairs),
    "alpha": _alpha,
    "weighted mean": _weighted,
    "largest ratio": _largest_ratio,
    "law inverted": _v1,
    "mean": lambda folder, c, r, column: _mean(_of_condition(folder, c, r)[column]),
    "phase 2": lambda folder, c, r: _mean(100 * (_of_condition(folder, c, r)["neyman_steps"] == 2)),
    "player iqr": _player_iqr,
    "reduction": _reduction,
    "concentration": _concentration,
    "deletion": _deletion,
    "durations": _durations,
    "token rate": _token_rate,
    "stage 3": _stage3,
    "embedded": _embedded,
    "embedded effect": _embedded_effect,
    "macro-trend": _macro_trend,
}
"""How claims are recomputed; those from recorded data are given its folder first."""
