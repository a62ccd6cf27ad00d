"""The combinatorial cost: what an explanation asks for, and what the published counter counts.

`plan` compares the methods, from the 2^n model calls of exact Shapley values to the paper's budget
of 3n². `law` gives what the published sampler does, :mod:`sgpa_core.shapley.published`; the
companion's account of the paper's 43× (:mod:`sgpa_core.companion.reduction`) rests on it.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from .checks import number, whole
from .shapley.attribution import parse_budget
from .shapley.complementary import MAX_DRAWS_PER_EVALUATION
from .shapley.estimate import METHODS, check_budget, choose, replaced_by_kernel
from .shapley.exact import MAX_EXACT_PLAYERS
from .shapley.kernel import expected_distinct, expected_distinct_pairs
from .shapley.published import additive_weights, published_budget, published_runs

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
    rows = [(n, published_budget(n), *published_runs(n).means()) for n in map(int, players)]
    return pd.DataFrame(rows, columns=["players", "budget", "evaluations", "distinct", "counter"])


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
        distinct = 2 + expected_distinct(comb(n, np.arange(1, n)), np.full(n - 1, walks))
    elif method == "cc":
        sizes = np.where(2 * np.arange(1, n // 2 + 1) == n, 0.5, 1.0)
        evaluations, distinct = (2 + 2 * pairs, expected_distinct_pairs(n, _shared(pairs, sizes)))
    elif method == "cc-neyman":
        evaluations = _cached_draws(n, budget)
    elif method == "cc-neyman-published":
        evaluations, distinct, counter = published_runs(n, budget).means()
    return evaluations, distinct, counter


def _shared(pairs: float, weight: np.ndarray) -> np.ndarray:
    """Return the pair (∅, N), and `pairs` shared among sizes 1..⌊n/2⌋ in proportion to `weight`."""
    return np.concatenate([[1.0], pairs * weight / weight.sum()])


def _cached_draws(n: int, budget: int) -> float:
    """Return the evaluations asked for until `budget` distinct coalitions are known."""
    if budget >= 2**n:  # once all is known, draws are free
        return 2.0 + 2 * MAX_DRAWS_PER_EVALUATION * budget
    weight = additive_weights(n)[::-1]  # sizes 1..⌊n/2⌋ of the smaller half
    low, high = (budget - 2) / 2, float(MAX_DRAWS_PER_EVALUATION * budget)
    for _ in range(40):
        middle = (low + high) / 2
        reached = expected_distinct_pairs(n, _shared(middle, weight)) >= budget
        low, high = (low, middle) if reached else (middle, high)
    return float(round(2 + 2 * high))


def _memory_mb(method: str, n: int, evaluations: float, distinct: float) -> float:
    """Return a rough peak in MB: remembered utilities, coalitions, linear algebra."""
    remembered = distinct * (MEMO_BYTES + n / 8)
    arrays = evaluations * n * {"exact": 9, "cc": 18}.get(method, 10)
    m = evaluations / 2
    algebra = 8 * (3 * m * m + max(2048.0, 2 * m) * m) if method == "surrogate" else 0.0
    return round(float((remembered + arrays + algebra) / 1e6), 3)
