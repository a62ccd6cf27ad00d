"""Complementary contributions: plain, with Neyman allocation, and as the published code runs it."""

from collections.abc import Iterator, Sequence
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
    others at size n − |S|; φ_i is the mean over sizes 1..n of the stratum means.
    """

    def __init__(self, n: int) -> None:
        self.n = n
        self.count, self.total, self.squares = np.zeros((3, n, n + 1))

    def add(self, coalitions: np.ndarray, u: np.ndarray) -> None:
        """Add pairs, given by `coalitions` (k, n) and their differences `u` (k,)."""
        for half, sign in ((coalitions, 1.0), (~coalitions, -1.0)):
            at_size = np.zeros((len(half), self.n + 1))
            at_size[np.arange(len(half)), half.sum(axis=1)] = 1.0
            members = half.T.astype(float)
            self.count += members @ at_size
            self.total += members @ (at_size * (sign * u)[:, None])
            self.squares += members @ (at_size * (u**2)[:, None])

    def mean(self) -> np.ndarray:
        """Return the stratum means (n, n + 1), zero where nothing was drawn."""
        return self.total / np.maximum(self.count, 1.0)

    def variance(self) -> np.ndarray:
        """Return the stratum variances (n, n + 1), zero with fewer than two draws."""
        spread = self.squares - self.total**2 / np.maximum(self.count, 1.0)
        return np.maximum(spread, 0.0) / np.maximum(self.count - 1.0, 1.0)

    def values(self) -> np.ndarray:
        """Return the estimates: stratum means averaged over sizes 1..n."""
        return self.mean()[:, 1:].sum(axis=1) / self.n

    def stderr(self) -> np.ndarray | None:
        """Return standard errors, None while a stratum below size n has fewer than two draws."""
        count = self.count[:, 1 : self.n]
        if self.n > 1 and count.min() < 2:
            return None
        return np.sqrt((self.variance()[:, 1 : self.n] / count).sum(axis=1)) / self.n


def neyman_weights(variance: np.ndarray) -> np.ndarray:
    """Return the Neyman weights of sizes ⌈n/2⌉..n: a pair serves size k and size n − k.

    √Σ_i (σ²_{i,k} / (k + 1) + σ²_{i,n−k} / (n − k + 1)), of stratum variances (players, n + 1).
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


def _ask(run: Run, strata: Strata, coalitions: np.ndarray) -> None:
    """Evaluate pairs and add them to the strata."""
    if len(coalitions):
        strata.add(coalitions, run.differences(coalitions))


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
    _ask(run, strata, np.ones((1, n), dtype=bool))
    _ask(run, strata, draw(rng.integers(1, n, size=(budget - 2) // 2), n, rng))
    return strata.values(), strata.stderr()


def cc_neyman(run: Run, budget: int, rng: np.random.Generator) -> Estimates:
    """Estimate Shapley values as the paper describes: CC with Neyman allocation, repeats cached.

    Phase 1 draws until each stratum (player, size) holds m_init = max(2, ⌊m / 2n²⌋) pairs, phase 2
    spends the rest in proportion to the estimated standard deviations. A coalition that comes up
    again is answered from the cache, so the budget m counts distinct coalitions; when the draws
    bring nothing new they end after 20 pairs for each budgeted evaluation.

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
    _ask(run, strata, np.ones((1, n), dtype=bool))
    draws_left = MAX_DRAWS_PER_EVALUATION * budget
    for sizes, member in _next_draws(strata, max(2, budget // (2 * n * n)), rng):
        affordable = (budget - run.distinct) // 2
        if budget >= 2**n:  # repeats are free once all coalitions are known
            affordable = len(sizes)
        if draws_left <= 0 or affordable < 1:
            break
        _ask(run, strata, draw(sizes, n, rng, member)[:affordable])
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


def published_budget(n: int, budget: int | None = None) -> int:
    """Return the published budget: 3n² (or `budget`) rounded up to even, at most 2^n − 2."""
    wanted = 3 * n * n if budget is None else budget
    return min(2**n - 2, wanted + wanted % 2)


def published_m_init(n: int, budget: int) -> int:
    """Return the draws that fill a (player, size) cell in phase 1, m_init = max(2, ⌈m / 2n²⌉)."""
    return max(2, ceil(budget / (2 * n * n)))


def first_phase(n: int, budget: int, rng: np.random.Generator) -> tuple[np.ndarray, bool]:
    """Draw the coalitions of the published phase 1: `fill_cells` of all sizes within the budget.

    Returns
    -------
    coalitions : ndarray of bool, shape (pairs, n)
        One of each complementary pair.
    finished : bool
        Whether phase 1 ended before the budget.
    """
    return fill_cells(n, range(n + 1), published_m_init(n, budget), rng, budget // 2)


def fill_cells(
    n: int, sizes: Sequence[int], m_init: int, rng: np.random.Generator, most: float = np.inf
) -> tuple[np.ndarray, bool]:
    """Draw coalitions as the published phase 1 does, until each (player, size) cell is full.

    Passes over the cells, all `sizes` of one player after the other. A cell with fewer than
    `m_init` draws gets a random coalition of its size that contains its player; the coalition and
    its complement count in all cells that they touch.

    Parameters
    ----------
    n : int
        Number of players.
    sizes : sequence of int
        Coalition sizes, each with its complement n − size: 0..n, or two of them alone.
    m_init : int
        Draws that fill a cell.
    rng : numpy.random.Generator
    most : float, optional
        Pairs after which it ends, full or not.

    Returns
    -------
    coalitions : ndarray of bool, shape (pairs, n)
    finished : bool
        Whether all cells are full.
    """
    column = {size: k for k, size in enumerate(sizes)}
    count = np.zeros((n, len(sizes)), dtype=np.int64)
    flat = count.ravel()
    pairs: list[np.ndarray] = []
    cell = -1
    while len(pairs) < most:
        after = cell + 1
        behind = np.flatnonzero(flat[after:] < m_init)
        if not behind.size:
            after, behind = 0, np.flatnonzero(flat < m_init)
        if not behind.size:
            return np.array(pairs), True
        cell = after + int(behind[0])
        player, size = cell // len(sizes), sizes[cell % len(sizes)]
        coalition = np.zeros(n, dtype=bool)
        if size:
            others = rng.permutation(n - 1)[: size - 1]
            coalition[others + (others >= player)] = True
            coalition[player] = True
        pairs.append(coalition)
        for half, members in ((coalition, size), (~coalition, n - size)):
            count[half if members else slice(None), column[members]] += 1
    return np.array(pairs), False


def rounded_up(pairs: float, weight: np.ndarray) -> np.ndarray:
    """Return the published phase 2: pairs by size in proportion to `weight`, each rounded up."""
    return np.ceil(pairs * weight / weight.sum()).astype(int)


def cc_neyman_published(run: Run, budget: int, rng: np.random.Generator) -> Estimates:
    """Estimate Shapley values with the steps of the published code, its repeats included.

    Differs from `cc_neyman` in what the code does and the text does not say: m_init rounded up,
    budget min(2^n − 2, m rounded up to even), repeated coalitions evaluated again, and phase 2
    with each size's allocation rounded up, so that it overspends a little. For n ≤ 5 and m = 3n²
    the budget ends inside phase 1.

    Parameters
    ----------
    run : Run
        The game, of n ≥ 2 players.
    budget : int
        Evaluations m, as the published code counts them.
    rng : numpy.random.Generator

    Returns
    -------
    values : ndarray, shape (n,)
    stderr : None
        Repeats make the pairs dependent.
    """
    n = run.n
    budget = published_budget(n, budget)
    strata = Strata(n)
    pairs, finished = first_phase(n, budget, rng)
    _ask(run, strata, pairs)
    weight = neyman_weights(strata.variance())
    if finished and 0 < weight.sum() < np.inf:
        allocated = rounded_up(budget // 2 - len(pairs), weight)
        _ask(run, strata, draw(np.repeat(np.arange(ceil(n / 2), n + 1), allocated), n, rng))
    return strata.values(), None
