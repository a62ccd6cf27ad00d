"""Values inside a union of players: words first, then what a word is made of."""

import numpy as np

from ..game import Game, all_coalitions
from .attribution import Attribution, Estimates, Run, parse_budget
from .exact import MAX_EXACT_PLAYERS, shapley_of_table
from .semivalues import index_weights

#: Fewer pairs of orders tell no standard error.
FEWEST_PAIRS = 5


def owen(
    game: Game,
    union: np.ndarray,
    budget: int | str | None = None,
    seed: int | None = 0,
    total: float | None = None,
) -> Attribution:
    """Return the Owen values of the players of one union, all other players being on their own.

    φ_k = Σ_{T ⊆ M} |T|! (m − |T| − 1)! / m! Σ_{R ⊆ I∖k} |R|! (p − |R| − 1)! / p! ·
    (U(T ∪ R ∪ k) − U(T ∪ R)), with the p players I of the union and the m − 1 others M (Owen 1977).
    They sum to the Shapley value of the union in the game in which it is one player.

    Parameters
    ----------
    game : Game
        All n = m − 1 + p players.
    union : ndarray of bool, shape (n,)
        Who is in the union.
    budget : int or str, optional
        As for `estimate`, at most 2^20. Exact where it allows 2^n evaluations; else orders of the
        others and of the union's players are drawn, each with the order that reverses it.
    seed : int, optional
        Of the orders.
    total : float, optional
        What the values sum to, where it is known: differences are shared out evenly, which also
        lowers the error of drawn orders.

    Returns
    -------
    Attribution
        Of the p players, with ``index="Owen"``; standard errors are None where fewer than
        `FEWEST_PAIRS` pairs of orders were drawn.

    Raises
    ------
    ValueError
        If `union` is no such array, or the budget is below one pair of orders, 2(p + 1).

    Examples
    --------
    >>> game = Game(3, lambda s: s[:, 0] * 1.0 + s[:, 1] * s[:, 2])
    >>> owen(game, np.array([False, True, True])).values.tolist()
    [0.5, 0.5]
    """
    union, n = np.asarray(union), game.n
    if union.dtype != bool or union.shape != (n,) or not union.any():
        raise ValueError(f"union must be {n} bools, some of them true, got {union!r:.60}")
    run, p = Run(game), int(union.sum())
    count = planned(n - p, p, budget)
    if count == 2**n:
        method, (values, stderr) = "exact", _exact(run, union)
        values = values if total is None else values + (total - values.sum()) / p
    else:
        method, (values, stderr) = "permutation", _drawn(run, union, count, seed, total)
    counts = (run.evaluations, run.distinct)
    return Attribution(values, stderr, *counts, method, count, seed, "Owen")


def planned(others: int, parts: int, budget: int | str | None = None) -> int:
    """Return the evaluations of `owen` with so many players outside and inside the union.

    Examples
    --------
    >>> planned(3, 2), planned(7, 6), planned(7, 6, 100)
    (32, 504, 98)
    """
    n, pair = others + parts, 2 * (parts + 1)
    allowed = min(parse_budget(budget, n), 2**MAX_EXACT_PLAYERS)
    if 2**n <= allowed:
        return 2**n
    if allowed < pair:
        raise ValueError(f"one pair of orders takes {pair} evaluations, got {allowed}")
    return allowed // pair * pair


def _exact(run: Run, union: np.ndarray) -> Estimates:
    """Play the union's own game: v(R) is the mean of U(T ∪ R) over the others' orders."""
    coalitions = all_coalitions(run.n)[:, np.argsort(np.argsort(~union, kind="stable"))]
    weight = index_weights("shapley", run.n - union.sum() + 1)[1]
    by_others = run(coalitions).reshape(-1, 2 ** union.sum())
    sizes = coalitions[:: by_others.shape[1], ~union].sum(axis=1)
    return shapley_of_table(weight[sizes] @ by_others), np.zeros(union.sum())


def _drawn(
    run: Run, union: np.ndarray, count: int, seed: int | None, total: float | None
) -> Estimates:
    """Let the union's players join in drawn orders, each with its reverse; `total` is a control."""
    rng, inside, others = np.random.default_rng(seed), np.flatnonzero(union), np.flatnonzero(~union)
    p, pairs = len(inside), count // (2 * len(inside) + 2)
    walks = np.zeros((pairs, p + 1, run.n), dtype=bool)
    orders = np.array([rng.permutation(p) for _ in range(pairs)])
    for walk, order in zip(walks, orders, strict=True):
        walk[:, rng.permutation(others)[: rng.integers(len(others) + 1)]] = True
        walk[:, inside[order]] = np.tri(p + 1, p, -1, dtype=bool)
    utilities = run(np.concatenate([walks, ~walks]).reshape(-1, run.n))
    there, back = np.diff(utilities.reshape(2, pairs, p + 1))
    gains = np.empty((pairs, p))
    np.put_along_axis(gains, orders, (there - back) / 2, axis=1)
    if total is not None:  # a control: each order is moved to the sum that is known
        gains += (total - gains.sum(axis=1, keepdims=True)) / p
    error = gains.std(axis=0, ddof=1) / np.sqrt(pairs) if pairs >= FEWEST_PAIRS else None
    return gains.mean(axis=0), error
