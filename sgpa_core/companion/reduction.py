"""The paper's 43×: which reductions of evaluations, seconds and players the recorded runs show.

The paper reports how many times fewer model calls, and how much less time, words need than native
tokens (43× in the first version, 79× in the revision). It counts calls by a counter that holds
those of the last phase only. Here the call law of `cost.law` gives the evaluations really made, for
runs that were recorded run by run (`reductions`) and for printed distributions (`inverted`).
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import count, takewhile
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import linprog

from ..cost import law
from ..shapley.published import PublishedRuns, published_runs
from ..stats import bootstrap_ci

#: Relative error that `inverted` grants the law at a printed quartile, minimum or maximum.
BAND = 0.03

#: The same for a printed mean.
MEAN_BAND = 0.015


def evaluations(runs: pd.DataFrame) -> np.ndarray:
    """Return the evaluations that recorded runs really made, by `law`, shape (runs,).

    A run whose recorded counter is zero ended with phase 1; its evaluations are those of phase 1.
    """
    by_n = _law_of(runs["players"])
    second = np.where(runs["n_calls"] == 0, by_n["counter"], 0.0)
    return by_n["evaluations"].to_numpy() - second


def against_law(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the recorded counter beside the law's, one row per number of players.

    Columns: players, runs, recorded (mean), sd, counter, difference (relative),
    seconds_per_evaluation, seconds_per_recorded. Runs with a counter of zero are left out.
    """
    counted = runs[runs["n_calls"] > 0].assign(made=lambda r: evaluations(r))
    groups = counted.groupby("players")
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

    def row(condition: str, basis: str, quantity: str, raw: Any, sgpa: Any) -> tuple[Any, ...]:
        raw, sgpa = np.asarray(raw, float), np.asarray(sgpa, float)
        ends = np.array([np.nan, np.nan])
        if min(len(raw), len(sgpa)) > 1:  # of sgpa / raw, which is finite
            ends = np.array(bootstrap_ci(_ratio, sgpa, raw, paired=basis != "all runs", seed=seed))
        with np.errstate(divide="ignore"):
            high, low = 1 / ends
        return condition, basis, quantity, len(raw), len(sgpa), raw.mean() / sgpa.mean(), low, high

    runs = runs.assign(calls=runs["n_calls"], evaluations=evaluations(runs))
    quantities = ("calls", "evaluations", "seconds", "players")
    rows = []
    for condition, group in runs.groupby("condition"):
        raw, sgpa = (group[group["regime"] == name].set_index("row") for name in ("raw", "sgpa"))
        both, known = raw.index.intersection(sgpa.index), sgpa[sgpa["native_tokens"] > 1]
        native = _law_of(known["native_tokens"]).rename(columns={"counter": "calls"})
        bases = {"all runs": (raw, sgpa), "matched": (raw.loc[both], sgpa.loc[both])}
        for basis, (x, y) in (bases | {"by law": (native, known)}).items():
            if len(x) and len(y):
                rows += [row(condition, basis, q, x[q], y[q]) for q in quantities if q in x]
    columns = ["condition", "basis", "quantity", "raw", "sgpa", "ratio", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def _law_of(players: pd.Series) -> pd.DataFrame:
    """Return the law's row for each of these numbers of players."""
    return law(sorted(set(players))).set_index("players", drop=False).loc[players]


def _ratio(x: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
    """Return a ratio of means."""
    return x.mean(axis) / y.mean(axis)


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
    runs = _possible_runs(printed["min"] * (1 - BAND), printed["max"] * (1 + BAND))
    sizes = np.array(list(runs))
    rows = _limits(printed, list(runs.values()))

    def best(objective: np.ndarray, extra: Iterable[tuple[np.ndarray, float]] = ()) -> Any:
        left, right = zip(*rows, *extra, strict=True)
        total = np.ones((1, len(sizes)))
        return linprog(objective, A_ub=np.array(left), b_ub=right, A_eq=total, b_eq=[1.0])

    bounds = {}
    made = law(sizes)["evaluations"].to_numpy()
    for name, objective in (("players", sizes.astype(float)), ("evaluations", made)):
        ends = best(objective), best(-objective)
        if not all(end.success for end in ends):
            raise ValueError(f"no numbers of players give {dict(printed)} under the law")
        bounds[name] = (float(ends[0].fun), float(-ends[1].fun))
    half_run = 0.5 / printed["n"]
    quartile = {
        (q, a): [(1.0 * (sizes < a), q - half_run), (-1.0 * (sizes <= a), -q - half_run)]
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
    bounds["iqr"] = (min(ranges), max(ranges))
    return bounds


def _possible_runs(low: float, high: float) -> dict[int, PublishedRuns]:
    """Return simulated runs by the number of players, where counters from `low` to `high` occur."""
    runs = takewhile(lambda run: run.counter.min() <= high, map(published_runs, count(2)))
    return {n: run for n, run in enumerate(runs, 2) if run.counter.max() >= low}


def _limits(
    printed: Mapping[str, float], runs: list[PublishedRuns]
) -> list[tuple[np.ndarray, float]]:
    """Return what holds of the shares of players in a mixture: (coefficients, upper bound)."""

    def share(of: Callable[[np.ndarray], Any]) -> np.ndarray:
        return np.array([np.mean(of(run.counter)) for run in runs])

    one_run, mean = 1 / printed["n"], share(lambda c: c)
    rows = [(mean, printed["calls"] * (1 + MEAN_BAND)), (-mean, printed["calls"] * (MEAN_BAND - 1))]
    for q, value in ((0.25, printed["q1"]), (0.5, printed["median"]), (0.75, printed["q3"])):
        less = share(partial(np.greater, value * (1 - BAND)))  # limit > counter
        most = share(partial(np.greater_equal, value * (1 + BAND)))
        # counters that fall on both sides of a limit do so by chance of the draws
        slack = 2 * one_run if np.any((less % 1 > 0) | (most % 1 > 0)) else 0.0
        rows += [(less, q + slack), (-most, slack - q)]
    rows.append((-share(lambda c: c.max() >= printed["max"] * (1 - BAND)), -one_run))
    rows.append((-share(lambda c: c.min() <= printed["min"] * (1 + BAND)), -one_run))
    if "phase1" in printed:
        first, share_1 = np.array([run.in_phase_1.mean() for run in runs]), printed["phase1"] / 100
        rows += [(first, share_1 + 0.005), (-first, 0.005 - share_1)]
    return rows
