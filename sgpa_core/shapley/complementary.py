"""Complementary contributions, plain and with Neyman allocation: the paper's estimator.

:mod:`sgpa_core.shapley.published` has it as the authors' code runs it.
"""

from collections.abc import Iterator
from math import ceil

import numpy as np

from .attribution import Estimates, Run

#: With repeats free, sampling stops after this many draws for each budgeted evaluation.
MAX_DRAWS_PER_EVALUATION = 20

#: Pairs drawn before the utilities are asked for, while repeats are free.
BATCH_PAIRS = 64


class Strata:
    """Sums of complementary contributions by (player, coalition size).

    A pair (S, N∖S) with u = U(S) − U(N∖S) gives u to the players of S at size |S| and −u to the
    others at size n − |S|. With M_ik draws in a stratum and C_ik their sum, the estimate is
    φ̂_i = (1/n) Σ_{k=1..n} C_ik / M_ik (Section 3.1 of the paper, after Zhang et al. 2023). The
    strata of a player have different draws, so the estimates need not sum to U(N) − U(∅).
    """

    def __init__(self, n: int) -> None:
        self.n = n
        self.count, self.total, self.squares = np.zeros((3, n, n + 1))

    def ask(self, run: Run, coalitions: np.ndarray) -> None:
        """Evaluate pairs, given by one coalition each (k, n), and add their differences u."""
        u = run.differences(coalitions)
        for half, sign in ((coalitions, 1.0), (~coalitions, -1.0)):
            at_size = np.eye(self.n + 1)[half.sum(axis=1)]
            members = half.T.astype(float)
            self.count += members @ at_size
            self.total += members @ (at_size * (sign * u)[:, None])
            self.squares += members @ (at_size * (u**2)[:, None])

    def variance(self) -> np.ndarray:
        """Return the stratum variances (n, n + 1), zero with fewer than two draws."""
        spread = self.squares - self.total**2 / np.maximum(self.count, 1.0)
        return np.maximum(spread, 0.0) / np.maximum(self.count - 1.0, 1.0)

    def values(self) -> np.ndarray:
        """Return the estimates: stratum means, zero where nothing was drawn, over sizes 1..n."""
        return (self.total / np.maximum(self.count, 1.0))[:, 1:].sum(axis=1) / self.n

    def stderr(self) -> np.ndarray | None:
        """Return standard errors, None while a stratum below size n has fewer than two draws."""
        count = self.count[:, 1 : self.n]
        if count.min() < 2:
            return None
        return np.sqrt((self.variance()[:, 1 : self.n] / count).sum(axis=1)) / self.n


def neyman_weights(variance: np.ndarray) -> np.ndarray:
    """Return the Neyman weights of sizes ⌈n/2⌉..n: a pair serves size k and size n − k.

    √Σ_i (σ²_{i,k} / (k + 1) + σ²_{i,n−k} / (n − k + 1)), of stratum variances (players, n + 1).
    The published code (``shap/neyman/_base.py``) has σ²_{i,n−k−1} / (n − k) as the second term,
    which belongs to another size than the complement's.
    """
    n = variance.shape[1] - 1
    size = np.arange(ceil(n / 2), n + 1)
    both = variance[:, size] / (size + 1) + variance[:, n - size] / (n - size + 1)
    return np.sqrt(both.sum(axis=0))


def draw(sizes: np.ndarray, n: int, rng: np.random.Generator, member: np.ndarray | None = None):
    """Draw one uniform coalition (k, n) of each of the `sizes` (k,), with a given `member` (k,)."""
    keys = rng.random((len(sizes), n))
    if member is not None:
        keys[np.arange(len(sizes)), member] = -1.0
    return np.argsort(np.argsort(keys, axis=1), axis=1) < np.asarray(sizes)[:, None]


def cc(run: Run, budget: int, rng: np.random.Generator) -> Estimates:
    """Estimate Shapley values from complementary contributions (Zhang et al. 2023).

    Pairs of uniform size 1..n − 1; the pair (N, ∅) is evaluated once and is exact for its stratum.
    Strata that no pair reached count as zero, as in the source.

    Parameters
    ----------
    run : Run
        The game, of n ≥ 2 players.
    budget : int
        Evaluations, two for each pair.
    rng : numpy.random.Generator

    Returns
    -------
    values : ndarray, shape (n,)
    stderr : ndarray, shape (n,), or None
    """
    n = run.n
    strata = Strata(n)
    strata.ask(run, np.ones((1, n), dtype=bool))
    strata.ask(run, draw(rng.integers(1, n, size=(budget - 2) // 2), n, rng))
    return strata.values(), strata.stderr()


def cc_neyman(run: Run, budget: int, rng: np.random.Generator) -> Estimates:
    """Estimate Shapley values as the paper describes: CC with Neyman allocation, repeats cached.

    Section 3.1 of the paper, "SV approximation". Phase 1 draws until each stratum (player, size)
    holds m_init = max(2, ⌊m / 2n²⌋) pairs, phase 2 spends the rest in proportion to the estimated
    standard deviations. A coalition that comes up again is answered from the cache, so the budget
    m counts distinct coalitions; when the draws bring nothing new they end after 20 pairs for each
    budgeted evaluation.

    Parameters
    ----------
    run : Run
        The game, of n ≥ 2 players.
    budget : int
        Distinct coalitions, the empty and the full one included.
    rng : numpy.random.Generator

    Returns
    -------
    values : ndarray, shape (n,)
    stderr : ndarray, shape (n,), or None
    """
    n = run.n
    strata = Strata(n)
    strata.ask(run, np.ones((1, n), dtype=bool))
    draws_left = MAX_DRAWS_PER_EVALUATION * budget
    for sizes, member in _next_draws(strata, max(2, budget // (2 * n * n)), rng):
        affordable = (budget - run.distinct) // 2
        if budget >= 2**n:  # repeats are free once all coalitions are known
            affordable = len(sizes)
        if draws_left <= 0 or affordable < 1:
            break
        strata.ask(run, draw(sizes, n, rng, member)[:affordable])
        draws_left -= len(sizes)
    return strata.values(), strata.stderr()


def _next_draws(
    strata: Strata, m_init: int, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """Yield sizes and members to draw next: phase 1 for the emptiest stratum, then phase 2."""
    n = strata.n
    while (sampled := strata.count[:, 1:n]).min() < m_init:
        player, size = np.unravel_index(np.argmin(sampled), sampled.shape)
        yield np.array([size + 1]), np.array([player])
    while (weight := neyman_weights(strata.variance())[:-1]).sum() > 0:  # size n is known exactly
        chance = weight / weight.sum()
        yield rng.choice(np.arange(ceil(n / 2), n), size=BATCH_PAIRS, p=chance), None
