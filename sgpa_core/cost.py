"""The combinatorial cost: what an explanation asks for, and what the published counter counts.

`plan` compares the methods, from the 2^n model calls of exact Shapley values to the paper's budget
of 3n². The published sampler is simulated in one place, `published_runs`; `law` gives its means,
and the companion's account of the paper's 43× rests on them.
"""

from collections.abc import Iterable
from functools import lru_cache
from math import ceil
from typing import NamedTuple

import numpy as np
import pandas as pd

from .checks import number, whole
from .game import pack
from .shapley import cc
from .shapley.attribution import parse_budget
from .shapley.estimate import METHODS, check_budget, choose, replaced_by_kernel
from .shapley.exact import MAX_EXACT_PLAYERS
from .shapley.kernel import class_sizes

#: Up to this many players the published sampler is simulated draw by draw.
SIMULATED_PLAYERS = 12

#: Simulated runs, of which the mean is reported.
SIMULATIONS = 500

#: Above 300 players, phase 1 is simulated for 12 coalition sizes and interpolated.
EVERY_SIZE, GRID_SIZES = 300, 12

#: A larger m_init is simulated with so many draws a cell, and scaled.
SIMULATED_DRAWS = 64

#: Among more items than this, repeats are not counted.
MANY = 1e12

#: Python memory for one remembered utility, beside its key of ⌈n/8⌉ bytes.
MEMO_BYTES = 150


def plan(
    players: int, seconds_per_call: float | None = None, budget: int | str | None = "3n^2"
) -> pd.DataFrame:
    """Return what each method asks for: evaluations, distinct coalitions, time and memory.

    Parameters
    ----------
    players : int
        Number of players, at least 2.
    seconds_per_call : float, optional
        Time of one model call; without it `seconds` is empty.
    budget : int or str, optional
        As for `shapley.estimate`; default the paper's 3n².

    Returns
    -------
    pandas.DataFrame
        One row per method, with the columns

        - ``method``;
        - ``evaluations``: utilities asked for, repeats included;
        - ``distinct``: expected number of distinct coalitions among them;
        - ``calls``: model calls: ``distinct``, except for ``cc-neyman-published``, which calls the
          model again for a repeated coalition;
        - ``seconds``: ``calls`` × `seconds_per_call`;
        - ``memory_mb``: rough peak of the sampler itself, without the model;
        - ``exact_is_cheaper``: whether all 2^n coalitions cost no more calls than this method;
        - ``published_counter``: in the row ``cc-neyman-published``, the expected counter that the
          published code records, which is the number of masks of its *last* phase only;
        - ``note``.

    Raises
    ------
    ValueError
        If an argument is ill-formed, or the budget is below a method's minimum.

    Notes
    -----
    Phase 2 of the published code rounds the allocation of each of ⌊n/2⌋ sizes up. The allocation
    depends on the game, its rounded sum hardly: the counter takes equal variances in all strata,
    the distinct coalitions those of an additive game, ∝ (s − 1)(n − s) at size s. A flat game never
    reaches phase 2, and its recorded counter is 0.

    Examples
    --------
    >>> table = plan(5, seconds_per_call=1.0).set_index("method")
    >>> int(table.loc["exact", "evaluations"]), table.loc["exact", "seconds"]
    (32, np.float64(32.0))
    >>> table.loc["cc-neyman-published", "published_counter"]
    np.float64(30.0)
    """
    n = whole(players, "players", 2)
    allowed = parse_budget(budget, n)
    if seconds_per_call is not None:
        number(seconds_per_call, "seconds_per_call", 0, 1e9, " s")
    for method in METHODS:
        check_budget(method, n, allowed)
    notes = {choose(n, allowed): "taken by auto"}
    if n > MAX_EXACT_PLAYERS:
        notes["exact"] = f"refused above {MAX_EXACT_PLAYERS} players"
    if replaced_by_kernel(n, allowed):
        notes["surrogate"] = "too big: use kernel"
    rows = []
    for method in ("exact", *METHODS):
        evaluations, distinct, counter = (round(count, 1) for count in _cost(method, n, allowed))
        calls = evaluations if method == "cc-neyman-published" else distinct
        rows.append(
            {
                "method": method,
                "evaluations": evaluations,
                "distinct": distinct,
                "calls": calls,
                "seconds": np.nan if seconds_per_call is None else calls * seconds_per_call,
                "memory_mb": _memory_mb(method, n, evaluations, distinct),
                "exact_is_cheaper": method != "exact" and 2**n <= calls,
                "published_counter": counter,
                "note": notes.get(method, ""),
            }
        )
    return pd.DataFrame(rows)


def law(players: Iterable[int]) -> pd.DataFrame:
    """Return what the published estimator does for so many players, on average.

    Columns: players; budget = min(2^n − 2, 3n² rounded up to even); evaluations really made, the
    budget and a little rounding; distinct coalitions among them; counter, the number recorded as
    ``n_calls``, which is that of the last phase only.

    Examples
    --------
    >>> law([4, 5, 25]).round(-1).astype(int).to_numpy().tolist()
    [[0, 10, 10, 10, 10], [0, 30, 30, 20, 30], [20, 1880, 1890, 1780, 1450]]
    """
    rows = [(n, cc.published_budget(n), *published_runs(n).means()) for n in map(int, players)]
    return pd.DataFrame(rows, columns=["players", "budget", "evaluations", "distinct", "counter"])


class PublishedRuns(NamedTuple):
    """Runs of the published sampler, shape (runs,) each; many players have one expected run.

    Attributes
    ----------
    evaluations, distinct : ndarray
        Evaluations made, and distinct coalitions among them.
    counter : ndarray
        What the code records as ``n_calls``: the evaluations of the last phase only.
    in_phase_1 : ndarray
        1 where the run ended in phase 1, else 0.
    """

    evaluations: np.ndarray
    distinct: np.ndarray
    counter: np.ndarray
    in_phase_1: np.ndarray

    def means(self) -> list[float]:
        """Return the mean evaluations, distinct coalitions and counter."""
        return [float(np.mean(values)) for values in self[:3]]


@lru_cache(maxsize=128)
def published_runs(n: int, budget: int | None = None) -> PublishedRuns:
    """Simulate the published sampler: draw by draw up to 12 players, in the mean above.

    The phase-2 allocation takes equal variances for the counter and those of an additive game for
    the coalitions; see the notes of `plan`.

    Parameters
    ----------
    n : int
        Number of players, at least 2.
    budget : int, optional
        Evaluations m; by default the paper's 3n².

    Examples
    --------
    >>> published_runs(7).in_phase_1.any(), published_runs(5).in_phase_1.all()
    (np.False_, np.True_)
    """
    budget = cc.published_budget(n, budget)
    rng = np.random.default_rng(0)
    if n > SIMULATED_PLAYERS:
        return _expected_run(n, budget, rng)
    even, additive = cc.neyman_weights(np.ones((1, n + 1)))[:-1], _additive_weights(n)
    runs = []
    for _ in range(SIMULATIONS):
        pairs, finished = cc.first_phase(n, budget, rng)
        counter = 2 * len(pairs)
        if finished:
            left = budget // 2 - len(pairs)
            counter = 2 * cc.rounded_up(left, even).sum()
            sizes = np.repeat(np.arange(ceil(n / 2), n), cc.rounded_up(left, additive))
            pairs = np.concatenate([pairs, cc.draw(sizes, n, rng)])
        distinct = len({*pack(pairs), *pack(~pairs)})
        runs.append((2 * len(pairs), distinct, counter, not finished))
    return PublishedRuns(*np.array(runs).T)


def _expected_run(n: int, budget: int, rng: np.random.Generator) -> PublishedRuns:
    """Return the expected run; phase 1 by size, as only cells of s and n − s see a draw of s."""
    sizes = np.arange(1, n // 2 + 1)
    if n > EVERY_SIZE:
        sizes = np.unique(np.rint(np.geomspace(1, n // 2, GRID_SIZES)).astype(int))
    m_init = cc.published_m_init(n, budget)
    simulated = min(m_init, SIMULATED_DRAWS)
    repeats, cells = range(max(1, 1000 // n)), [sorted({s, n - s}) for s in sizes.tolist()]
    draws = [np.mean([len(cc.fill_cells(n, c, simulated, rng)[0]) for _ in repeats]) for c in cells]
    by_size = np.exp(np.interp(np.log(np.arange(1, n // 2 + 1)), np.log(sizes), np.log(draws)))
    drawn = np.concatenate([[m_init], by_size * (m_init / simulated)])  # by size 0..⌊n/2⌋
    first = 2 * drawn.sum()
    if first >= budget:
        drawn, evaluations, counter = drawn * budget / first, budget, budget
    else:
        counter = budget - first + n // 2  # each size is rounded up by half a pair on average
        evaluations = first + counter
        drawn[n - np.arange(ceil(n / 2), n)] += cc.rounded_up(
            (budget - first) / 2, _additive_weights(n)
        )
    run = (evaluations, _distinct_in_pairs(n, drawn), counter, first >= budget)
    return PublishedRuns(*np.array([run]).T)


def _additive_weights(n: int) -> np.ndarray:
    """Return the Neyman weights of sizes ⌈n/2⌉..n − 1 for the variances of an additive game."""
    size = np.arange(n + 1)
    weight = cc.neyman_weights(np.maximum((size - 1) * (n - size), 0)[None])[:-1]
    return weight if weight.any() else np.ones(len(weight))


def _cost(method: str, n: int, budget: int) -> tuple[float, float, float]:
    """Return evaluations, expected distinct coalitions and, where it exists, recorded counter."""
    even, pairs = min(budget, 2**n) // 2 * 2, (budget - 2) // 2
    evaluations, distinct, counter = even, even, np.nan
    if method == "exact":
        evaluations = distinct = 2**n if n < 1024 else np.inf
    elif method == "permutation":
        from scipy.special import comb

        walks = 2 * max(1, pairs // (n - 1))
        evaluations = 2 + walks * (n - 1)
        distinct = 2 + _distinct(comb(n, np.arange(1, n)), np.full(n - 1, walks))
    elif method == "cc":
        sizes = np.where(2 * np.arange(1, n // 2 + 1) == n, 0.5, 1.0)
        evaluations, distinct = 2 + 2 * pairs, _distinct_in_pairs(n, _shared(pairs, sizes))
    elif method == "cc-neyman":
        evaluations = _cached_draws(n, budget)
    elif method == "cc-neyman-published":
        evaluations, distinct, counter = published_runs(n, budget).means()
    return evaluations, distinct, counter


def _distinct(classes: np.ndarray, draws: np.ndarray) -> float:
    """Return the expected number of distinct items among uniform draws from classes of items."""
    several = np.clip(classes, 2, MANY)
    seen = -np.expm1(draws * np.log1p(-1 / several)) * several
    return float(np.where(classes <= 1, np.minimum(draws, 1), seen).sum())


def _distinct_in_pairs(n: int, drawn: np.ndarray) -> float:
    """Return the expected distinct coalitions of pairs `drawn` by smaller size 0..⌊n/2⌋."""
    return 2 * _distinct(np.concatenate([[1.0], class_sizes(n)]), drawn)


def _shared(pairs: float, weight: np.ndarray) -> np.ndarray:
    """Return the pair (∅, N), and `pairs` shared among sizes 1..⌊n/2⌋ in proportion to `weight`."""
    return np.concatenate([[1.0], pairs * weight / weight.sum()])


def _cached_draws(n: int, budget: int) -> float:
    """Return the evaluations asked for until `budget` distinct coalitions are known."""
    if budget >= 2**n:  # once all is known, draws are free
        return 2.0 + 2 * cc.MAX_DRAWS_PER_EVALUATION * budget
    weight = _additive_weights(n)[::-1]  # sizes 1..⌊n/2⌋ of the smaller half
    low, high = (budget - 2) / 2, float(cc.MAX_DRAWS_PER_EVALUATION * budget)
    for _ in range(40):
        middle = (low + high) / 2
        reached = _distinct_in_pairs(n, _shared(middle, weight)) >= budget
        low, high = (low, middle) if reached else (middle, high)
    return float(round(2 + 2 * high))


def _memory_mb(method: str, n: int, evaluations: float, distinct: float) -> float:
    """Return a rough peak in MB: remembered utilities, coalitions, linear algebra."""
    remembered = distinct * (MEMO_BYTES + n / 8)
    arrays = evaluations * n * {"exact": 9, "cc": 18}.get(method, 10)
    m = evaluations / 2
    algebra = 8 * (3 * m * m + max(2048.0, 2 * m) * m) if method == "surrogate" else 0.0
    return round(float((remembered + arrays + algebra) / 1e6), 3)
