"""The combinatorial cost: what an explanation asks for, and what the published counter counts."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from .game import _whole, pack
from .shapley.attribution import parse_budget
from .shapley.cc import MAX_DRAWS_PER_EVALUATION, draw, first_phase, published_budget
from .shapley.estimate import METHODS, choose, replaced_by_kernel
from .shapley.exact import MAX_EXACT_PLAYERS
from .shapley.kernel import class_sizes

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["law", "plan", "readable"]

SPANS = (
    (365.25 * 86_400, "years"), (86_400, "days"), (3_600, "h"), (60, "min"), (1, "s"), (1e-3, "ms"),
)  # fmt: skip
SIZES = ((1e6, "TB"), (1e3, "GB"), (1, "MB"), (1e-3, "kB"))

SIMULATED_PLAYERS = 12
"""Up to this many players the published sampler is simulated draw by draw."""

SIMULATIONS = 500
"""Simulated runs, of which the mean is reported."""

EVERY_SIZE, GRID_SIZES = 300, 12
"""Above 300 players, phase 1 is simulated for 12 coalition sizes and interpolated."""

MANY = 1e12
"""Among more items than this, repeats are not counted."""

MEMO_BYTES = 150
"""Python memory for one remembered utility, beside its key of ⌈n/8⌉ bytes."""


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
    import pandas as pd

    n = _whole(players, "players", 2)
    allowed = parse_budget(budget, n)
    if seconds_per_call is not None and not 0 <= seconds_per_call < float("inf"):
        raise ValueError(f"seconds_per_call must be a time in seconds, got {seconds_per_call!r}")
    for method, (_, smallest) in METHODS.items():
        if allowed < min(smallest(n), 2**n):
            raise ValueError(
                f"{method} needs at least {smallest(n)} evaluations for {n} players, got {allowed}"
            )
    chosen = choose(n, allowed)
    rows = []
    for method in ("exact", *METHODS):
        evaluations, distinct, counter = _cost(method, n, allowed)
        if method != "exact":
            evaluations, distinct = round(evaluations, 1), round(distinct, 1)
        calls = evaluations if method == "cc-neyman-published" else distinct
        notes = ["taken by auto"] if method == chosen else []
        if method == "exact" and n > MAX_EXACT_PLAYERS:
            notes.append(f"refused above {MAX_EXACT_PLAYERS} players")
        if method == "surrogate" and replaced_by_kernel(n, allowed):
            notes.append("too big: use kernel")
        rows.append(
            {
                "method": method,
                "evaluations": evaluations,
                "distinct": distinct,
                "calls": calls,
                "seconds": np.nan if seconds_per_call is None else calls * seconds_per_call,
                "memory_mb": _memory_mb(method, n, evaluations, distinct),
                "exact_is_cheaper": method != "exact" and 2**n <= calls,
                "published_counter": round(counter, 1),
                "note": "; ".join(notes),
            }
        )
    return pd.DataFrame(rows)


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """Return a plan as one reads it: rounded numbers, times in their unit, a row for each method.

    Columns in which nothing stands are left out.

    Examples
    --------
    >>> readable(plan(38, seconds_per_call=0.5)).loc["exact", ["evaluations", "time", "memory"]]
    evaluations    274,877,906,944
    time               4,355 years
    memory                  137 TB
    Name: exact, dtype: str
    >>> readable(plan(7)).columns.tolist()
    ['evaluations', 'distinct', 'calls', 'memory', 'exact is cheaper', 'published counter', 'note']
    """
    counts = ("evaluations", "distinct", "calls", "published_counter")
    shown = table.set_index("method").astype(object)
    for name in shown.columns.intersection(counts):
        shown[name] = shown[name].map(_number)
    shown["seconds"] = shown["seconds"].map(lambda s: _in_unit(s, SPANS))
    shown["memory_mb"] = shown["memory_mb"].map(lambda mb: _in_unit(mb, SIZES))
    shown["exact_is_cheaper"] = shown["exact_is_cheaper"].map({True: "yes", False: ""})
    shown = shown.loc[:, (shown != "").any()].rename_axis(None)
    shown = shown.rename(columns={"seconds": "time", "memory_mb": "memory"})
    return shown.rename(columns=lambda name: name.replace("_", " ")).astype(str)


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
    import pandas as pd

    rows = []
    for n in players:
        made, distinct, counter = _published(int(n), published_budget(int(n)))
        rows.append((int(n), published_budget(int(n)), made, distinct, counter))
    return pd.DataFrame(rows, columns=["players", "budget", "evaluations", "distinct", "counter"])


def _number(value: float) -> str:
    """Print three figures at least, and all of a whole number that one can still read."""
    if value != value:
        return ""
    return f"{value:.1e}" if value >= 1e15 else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _in_unit(value: float, units: tuple[tuple[float, str], ...]) -> str:
    if value != value:
        return ""
    size, unit = next((one for one in units if value >= one[0]), units[-1])
    return f"{_number(value / size)} {unit}"


def _cost(method: str, n: int, budget: int) -> tuple[float, float, float]:
    """Return evaluations, expected distinct coalitions and, where it exists, recorded counter."""
    within = min(budget, 2**n)
    even = within - within % 2
    if method == "exact":
        return (2**n, 2**n, np.nan) if n < 1024 else (np.inf, np.inf, np.nan)
    if method in ("kernel", "surrogate"):
        return even, even, np.nan
    if method == "permutation":
        pairs = max(1, (budget - 2) // (2 * (n - 1)))
        size = np.arange(1, n // 2 + 1)
        one_way = class_sizes(n) * np.where(2 * size == n, 2, 1)  # coalitions of each size
        seen = _distinct(one_way, np.full(len(size), 2.0 * pairs))
        middle = _distinct(one_way[-1:], np.array([2.0 * pairs])) if n % 2 == 0 else 0.0
        return 2 + 2 * pairs * (n - 1), 2 + 2 * seen - middle, np.nan
    if method == "cc":
        pairs = (budget - 2) // 2
        return 2 + 2 * pairs, 2 + _distinct_pairs(n, pairs, np.ones(n // 2)), np.nan
    if method == "cc-neyman":
        return _cached_draws(n, budget), even, np.nan
    return _published(n, published_budget(n, budget))


def _distinct(classes: np.ndarray, draws: np.ndarray) -> float:
    """Return the expected number of distinct items among uniform draws from classes of items."""
    several = np.clip(classes, 2, MANY)
    seen = -np.expm1(draws * np.log1p(-1 / several)) * several
    return float(np.where(classes <= 1, np.minimum(draws, 1), seen).sum())


def _distinct_pairs(n: int, pairs: float, weight: np.ndarray) -> float:
    """Return the expected distinct coalitions of `pairs` draws; `weight` is that of sizes 1..n/2.

    A weight is per size; the sizes s and n − s make one class, of which n/2 is half.
    """
    share = weight * np.where(2 * np.arange(1, n // 2 + 1) == n, 0.5, 1.0)
    return 2 * _distinct(class_sizes(n), pairs * share / share.sum())


def _neyman_weights(n: int) -> np.ndarray:
    """Return the phase-2 weights of sizes ⌈n/2⌉..n − 1 for the variances of an additive game."""
    size = np.arange(ceil(n / 2), n)
    larger, smaller = (size - 1) * (n - size), size * (n - size - 1)
    weight = np.sqrt(larger / (size + 1) + smaller / (n - size + 1))
    return weight if weight.any() else np.ones(len(size))


def _cached_draws(n: int, budget: int) -> float:
    """Return the evaluations asked for until `budget` distinct coalitions are known."""
    if budget >= 2**n:  # once all is known, draws are free
        return 2.0 + 2 * MAX_DRAWS_PER_EVALUATION * budget
    weight = _neyman_weights(n)[::-1]  # sizes 1..⌊n/2⌋ of the smaller half
    weight = np.where(2 * np.arange(1, n // 2 + 1) == n, 2 * weight, weight)
    target = budget - 2
    low, high = target / 2, float(MAX_DRAWS_PER_EVALUATION * budget)
    for _ in range(40):
        middle = (low + high) / 2
        reached = _distinct_pairs(n, middle, weight) >= target
        low, high = (low, middle) if reached else (middle, high)
    return float(round(2 + 2 * high))


def _rounded_up(pairs: float, weight: np.ndarray) -> np.ndarray:
    """Return the published phase 2: pairs by size in proportion to `weight`, each rounded up."""
    return np.ceil(pairs * weight / weight.sum() - 1e-9).astype(int)


@lru_cache(maxsize=64)
def _published(n: int, budget: int) -> tuple[float, float, float]:
    """Return evaluations, distinct coalitions and recorded counter of the published code."""
    rng = np.random.default_rng(0)
    if n <= SIMULATED_PLAYERS:
        runs = []
        even = np.sqrt(1 / np.arange(ceil(n / 2) + 1, n + 1) + 1 / np.arange(n // 2 + 1, 1, -1))
        for _ in range(SIMULATIONS):
            pairs, finished = first_phase(n, budget, rng)
            last = 2 * len(pairs)
            if finished:
                left = budget // 2 - len(pairs)
                last = 2 * _rounded_up(left, even).sum()
                sizes = np.repeat(np.arange(ceil(n / 2), n), _rounded_up(left, _neyman_weights(n)))
                pairs = np.concatenate([pairs, draw(sizes, n, rng)])
            runs.append((2 * len(pairs), len({*pack(pairs), *pack(~pairs)}), last))
        evaluations, distinct, counter = np.mean(runs, axis=0).tolist()
        return evaluations, distinct, counter
    phase_1 = _first_phase_draws(n, max(2, ceil(budget / (2 * n * n))), rng)
    total = phase_1.sum()
    if 2 * total >= budget:
        scaled = phase_1 * budget / (2 * total)
        return float(budget), _distinct_by_size(n, scaled), float(budget)
    phase_2 = _rounded_up(budget / 2 - total, _neyman_weights(n))
    counter = budget - 2 * total + n // 2  # each size is rounded up by half a pair on average
    drawn = phase_1.copy()
    drawn[n - np.arange(ceil(n / 2), n)] += phase_2
    return float(2 * total + counter), _distinct_by_size(n, drawn), float(counter)


def _distinct_by_size(n: int, pairs: np.ndarray) -> float:
    """Return the expected distinct coalitions of `pairs` draws by smaller size 0..⌊n/2⌋."""
    return 2 * _distinct(np.concatenate([[1.0], class_sizes(n)]), pairs)


def _first_phase_draws(n: int, m_init: int, rng: np.random.Generator) -> np.ndarray:
    """Return the expected pairs of phase 1 by smaller size 0..⌊n/2⌋.

    Only the columns s and n − s of the (player, size) cells see a draw of size s, so that each
    size is simulated by itself.
    """
    sizes = np.arange(1, n // 2 + 1)
    if n > EVERY_SIZE:
        sizes = np.unique(np.rint(np.geomspace(1, n // 2, GRID_SIZES)).astype(int))
    repeats = max(1, 1000 // n)
    draws = [np.mean([_fill(n, s, m_init, rng) for _ in range(repeats)]) for s in sizes.tolist()]
    every = np.exp(np.interp(np.log(np.arange(1, n // 2 + 1)), np.log(sizes), np.log(draws)))
    return np.concatenate([[float(m_init)], every])


def _fill(n: int, size: int, m_init: int, rng: np.random.Generator) -> int:
    """Return the pairs drawn until sizes `size` and n − `size` hold `m_init` for each player."""
    count = {size: np.zeros(n, dtype=int), n - size: np.zeros(n, dtype=int)}
    pairs = 0
    while min(c.min() for c in count.values()) < m_init:
        for player in range(n):
            for column in count:
                if count[column][player] < m_init:
                    others = rng.permutation(n - 1)[: column - 1]
                    inside = np.zeros(n, dtype=bool)
                    inside[others + (others >= player)] = True
                    inside[player] = True
                    count[column][inside] += 1
                    count[n - column][~inside] += 1
                    pairs += 1
    return pairs


def _memory_mb(method: str, n: int, evaluations: float, distinct: float) -> float:
    """Return a rough peak in MB: remembered utilities, coalitions, linear algebra."""
    remembered = distinct * (MEMO_BYTES + n / 8)
    arrays = evaluations * n * {"exact": 9, "permutation": 10, "cc": 18}.get(method, 10)
    algebra = 0.0
    if method == "surrogate":
        m = evaluations / 2
        algebra = 8 * (3 * m * m + max(2048.0, 2 * m) * m)
    return round(float((remembered + arrays + algebra) / 1e6), 3)
