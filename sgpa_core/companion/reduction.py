"""The 43×: which reductions of evaluations, seconds and players the recorded runs really show."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache, partial
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from ..cost import _published, _rounded_up, law
from ..shapley.cc import first_phase, published_budget

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["against_law", "evaluations", "inverted", "reductions"]

SIMULATED, DRAWS = 12, 200
"""Up to so many players `inverted` draws so many counters; beyond, they hardly vary."""

BAND = 0.03
"""Relative error that `inverted` grants the law at a printed quartile, minimum or maximum."""

MEAN_BAND = 0.015
"""The same for a printed mean."""

RESAMPLES = 9_999
"""Bootstrap resamples."""


def evaluations(runs: pd.DataFrame) -> np.ndarray:
    """Return the evaluations that recorded runs really made, by `law`, shape (runs,).

    A run whose recorded counter is zero ended with phase 1: what phase 2 would have asked is off.
    """
    by_n = law(sorted(set(runs["players"]))).set_index("players").loc[runs["players"]]
    second = np.where(runs["n_calls"] == 0, by_n["counter"], 0.0)
    return by_n["evaluations"].to_numpy() - second


def against_law(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the recorded counter beside the law's, one row per number of players.

    Columns: players, runs, recorded (mean), sd, counter, difference (relative),
    seconds_per_evaluation, seconds_per_recorded. Runs with a counter of zero are left out.
    """
    kept = runs[runs["n_calls"] > 0].assign(made=lambda r: evaluations(r))
    groups = kept.groupby("players")
    table = groups["n_calls"].agg(runs="size", recorded="mean", sd="std").reset_index()
    table = table.merge(law(table["players"])[["players", "counter"]])
    table["difference"] = table["counter"] / table["recorded"] - 1
    seconds = groups["seconds"].sum().to_numpy()
    table["seconds_per_evaluation"] = seconds / groups["made"].sum().to_numpy()
    table["seconds_per_recorded"] = seconds / groups["n_calls"].sum().to_numpy()
    return table


def reductions(runs: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Return how much less the runs with SGPA words needed than those with native tokens.

    A ratio of means, raw / sgpa, with a 95 % percentile bootstrap interval over utterances.

    Parameters
    ----------
    runs : pandas.DataFrame
        As from `recorded.runs`.
    seed : int
        Of the bootstrap.

    Returns
    -------
    pandas.DataFrame
        condition; basis: ``all runs`` (the published one: all raw runs against all SGPA runs),
        ``matched`` (utterances that have both) or ``by law`` (every utterance with SGPA against
        what `law` gives for its native tokens); quantity: ``calls`` (recorded), ``evaluations``
        (really made), ``seconds``, ``players``; raw and sgpa (numbers of runs); ratio, low, high.
    """
    import pandas as pd
    from scipy.stats import bootstrap

    def row(condition: str, basis: str, quantity: str, raw: Any, sgpa: Any) -> tuple[Any, ...]:
        raw, sgpa = np.asarray(raw, float), np.asarray(sgpa, float)
        ends = np.array([np.nan, np.nan])
        if min(len(raw), len(sgpa)) > 1:  # of sgpa / raw, which is finite
            ends = np.array(
                bootstrap(
                    (sgpa, raw),
                    lambda x, y, axis: x.mean(axis) / y.mean(axis),
                    n_resamples=RESAMPLES,
                    paired=basis != "all runs",
                    method="percentile",
                    rng=np.random.default_rng(seed),
                ).confidence_interval
            )
        with np.errstate(divide="ignore"):
            high, low = 1 / ends
        ratio = raw.mean() / sgpa.mean()
        return condition, basis, quantity, len(raw), len(sgpa), ratio, low, high

    runs = runs.assign(calls=runs["n_calls"], evaluations=evaluations(runs))
    quantities = ("calls", "evaluations", "seconds", "players")
    rows = []
    for condition, of_one in runs.groupby("condition"):
        raw, sgpa = (of_one[of_one["regime"] == name].set_index("row") for name in ("raw", "sgpa"))
        both = raw.index.intersection(sgpa.index)
        if len(raw) and len(sgpa):
            rows += [row(condition, "all runs", q, raw[q], sgpa[q]) for q in quantities]
        if len(both):
            pairs = raw.loc[both], sgpa.loc[both]
            rows += [row(condition, "matched", q, *(p[q] for p in pairs)) for q in quantities]
        known = sgpa[sgpa["native_tokens"] > 1]
        if len(known):
            native = law(sorted(set(known["native_tokens"]))).set_index("players")
            native = native.loc[known["native_tokens"]].assign(players=known["native_tokens"].array)
            native = native.rename(columns={"counter": "calls"})
            of_law = ("calls", "evaluations", "players")
            rows += [row(condition, "by law", q, native[q], known[q]) for q in of_law]
    columns = ["condition", "basis", "quantity", "raw", "sgpa", "ratio", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


@lru_cache(maxsize=128)
def _counters(n: int) -> tuple[np.ndarray, float]:
    """Return counters that the published code records for n players, and the share in phase 1."""
    budget = published_budget(n)
    if n > SIMULATED:
        return np.array([_published(n, budget)[2]]), 0.0
    rng = np.random.default_rng(n)
    even = np.sqrt(1 / np.arange(ceil(n / 2) + 1, n + 1) + 1 / np.arange(n // 2 + 1, 1, -1))
    counters, first = [], 0
    for _ in range(DRAWS):
        pairs, finished = first_phase(n, budget, rng)
        left = budget // 2 - len(pairs)
        counters.append(2 * (_rounded_up(left, even).sum() if finished else len(pairs)))
        first += not finished
    return np.array(counters, dtype=float), first / DRAWS


def inverted(printed: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    """Return what a printed distribution of the recorded counter says about the players.

    The numbers of players are unknown; each mixture of them that `law` turns into the printed
    numbers is possible. Linear programs over all mixtures give the smallest and largest means.
    Assumed: the law holds within `BAND` at quartiles and extremes and `MEAN_BAND` in the mean,
    quartiles that fall on 6 to 12 players within two runs, and no run had a flat game (the smallest
    counter is not zero).

    Parameters
    ----------
    printed : mapping
        ``n`` (runs), ``min``, ``q1``, ``median``, ``q3``, ``max`` and ``calls`` (mean) of the
        counter; optionally ``phase1``, the percentage of runs that ended in phase 1.

    Returns
    -------
    dict
        Intervals (low, high) of the means ``players`` and ``evaluations`` (really made), and
        ``iqr``, of the interquartile range of the players.

    Raises
    ------
    ValueError
        If no mixture gives the printed numbers.
    """
    from scipy.optimize import linprog

    low, high = printed["min"] * (1 - BAND), printed["max"] * (1 + BAND)
    n, drawn = 2, {}
    while _counters(n)[0].min() <= high:
        if _counters(n)[0].max() >= low:
            drawn[n] = _counters(n)[0]
        n += 1
    sizes = np.array(list(drawn))

    def share(of: Callable[[np.ndarray], Any]) -> np.ndarray:
        return np.array([np.mean(of(counters)) for counters in drawn.values()])

    one, mean = 1 / printed["n"], share(lambda c: c)
    rows = [(mean, printed["calls"] * (1 + MEAN_BAND)), (-mean, printed["calls"] * (MEAN_BAND - 1))]
    for q, value in ((0.25, printed["q1"]), (0.5, printed["median"]), (0.75, printed["q3"])):
        less = share(partial(np.greater, value * (1 - BAND)))  # limit > counter
        most = share(partial(np.greater_equal, value * (1 + BAND)))
        slack = 2 * one * bool(np.any((less % 1 > 0) | (most % 1 > 0)))  # by chance of the draws
        rows += [(less, q + slack), (-most, slack - q)]
    rows.append((-share(lambda c: c.max() >= printed["max"] * (1 - BAND)), -one))
    rows.append((-share(lambda c: c.min() <= printed["min"] * (1 + BAND)), -one))
    if "phase1" in printed:
        first = np.array([_counters(n)[1] for n in drawn])
        told = printed["phase1"] / 100
        rows += [(first, told + 0.005), (-first, 0.005 - told)]

    def best(objective: np.ndarray, extra: Iterable[tuple[np.ndarray, float]] = ()) -> Any:
        left, right = zip(*rows, *extra, strict=True)
        total = np.ones((1, len(sizes)))
        return linprog(objective, A_ub=np.array(left), b_ub=right, A_eq=total, b_eq=[1.0])

    found = {}
    made = law(sizes)["evaluations"].to_numpy()
    for name, objective in (("players", sizes.astype(float)), ("evaluations", made)):
        ends = best(objective), best(-objective)
        if not all(end.success for end in ends):
            raise ValueError(f"no numbers of players give {dict(printed)} under the law")
        found[name] = (float(ends[0].fun), float(-ends[1].fun))
    quartile = {
        (q, a): [(1.0 * (sizes < a), q - one / 2), (-1.0 * (sizes <= a), -q - one / 2)]
        for q in (0.25, 0.75)
        for a in sizes
    }
    able = [key for key, extra in quartile.items() if best(0 * made, extra).success]
    ranges = [
        float(b - a)
        for p, a in able
        for q, b in able
        if p < q and a <= b and best(0 * made, quartile[p, a] + quartile[q, b]).success
    ]
    found["iqr"] = (min(ranges), max(ranges))
    return found
