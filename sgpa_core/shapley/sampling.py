"""Permutation sampling with antithetic pairs."""

import numpy as np

from .attribution import Estimates, Run


def permutation(run: Run, budget: int, rng: np.random.Generator) -> Estimates:
    """Estimate Shapley values from random orders, each walked forwards and backwards.

    φ_i is the mean of U(S ∪ i) − U(S) over orders, S the players before i. An order and its
    reverse cost 2(n − 1) evaluations; each order alone satisfies efficiency. Standard errors come
    from the spread over antithetic pairs.

    Parameters
    ----------
    run : Run
        The game, of n ≥ 2 players.
    budget : int
        Evaluations, the empty and the full coalition included; at least 2 + 2(n − 1).
    rng : numpy.random.Generator

    Returns
    -------
    values : ndarray, shape (n,)
    stderr : ndarray, shape (n,), or None
        None with a single pair of orders.
    """
    n = run.n
    pairs = max(1, (budget - 2) // (2 * (n - 1)))
    empty, full = run.ends()
    forward = rng.permuted(np.tile(np.arange(n), (pairs, 1)), axis=1)
    rank = np.argsort(forward, axis=1)  # rank[p, i]: the place of player i in order p
    places = np.concatenate([rank, n - 1 - rank])
    walked = places[:, None, :] < np.arange(1, n)[None, :, None]
    values = run(walked.reshape(-1, n)).reshape(-1, n - 1)
    path = np.pad(values, ((0, 0), (1, 1)), constant_values=((0, 0), (empty, full)))
    gains = np.take_along_axis(np.diff(path, axis=1), places, axis=1)
    paired = gains.reshape(2, pairs, n).mean(axis=0)
    stderr = paired.std(axis=0, ddof=1) / np.sqrt(pairs) if pairs > 1 else None
    return paired.mean(axis=0), stderr
