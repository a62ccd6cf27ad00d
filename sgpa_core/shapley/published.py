"""The paper's estimator as the published code runs it, and what its counter counts.

The code rounds otherwise than the text, evaluates repeated coalitions again, and records as
``n_calls`` the evaluations of its last phase only. `published_runs` simulates it without a game:
the one simulation behind the planner, the law of the counter and the account of the paper's 43×.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import ceil
from typing import NamedTuple

import numpy as np

from ..game import pack
from .attribution import Estimates, Run
from .complementary import Strata, draw, neyman_weights
from .kernel import expected_distinct_pairs

#: Up to this many players the published sampler is simulated draw by draw.
SIMULATED_PLAYERS = 12

#: Simulated runs, of which the mean is reported.
SIMULATIONS = 500

#: Above 300 players, phase 1 is simulated for 12 coalition sizes and interpolated.
EVERY_SIZE, GRID_SIZES = 300, 12

#: A larger m_init is simulated with so many draws a cell, and scaled.
SIMULATED_DRAWS = 64


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
    pairs: list[np.ndarray] = []
    cell = -1
    while len(pairs) < most:
        wanting = np.flatnonzero(count < m_init)
        if not wanting.size:
            return np.array(pairs), True
        cell = int(wanting[np.searchsorted(wanting, cell + 1) % wanting.size])
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
    the budget ends inside phase 1. The pair (∅, N) is drawn m_init times. One difference is left:
    the index in the second term of `complementary.neyman_weights`.

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
    strata.ask(run, pairs)
    weight = neyman_weights(strata.variance())
    if finished and 0 < weight.sum() < np.inf:
        allocated = rounded_up(budget // 2 - len(pairs), weight)
        strata.ask(run, draw(np.repeat(np.arange(ceil(n / 2), n + 1), allocated), n, rng))
    return strata.values(), None


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
    budget = published_budget(n, budget)
    rng = np.random.default_rng(0)
    if n > SIMULATED_PLAYERS:
        return _expected_run(n, budget, rng)
    even, additive = neyman_weights(np.ones((1, n + 1)))[:-1], additive_weights(n)
    runs = []
    for _ in range(SIMULATIONS):
        pairs, finished = first_phase(n, budget, rng)
        counter = 2 * len(pairs)
        if finished:
            left = budget // 2 - len(pairs)
            counter = 2 * rounded_up(left, even).sum()
            sizes = np.repeat(np.arange(ceil(n / 2), n), rounded_up(left, additive))
            pairs = np.concatenate([pairs, draw(sizes, n, rng)])
        distinct = len({*pack(pairs), *pack(~pairs)})
        runs.append((2 * len(pairs), distinct, counter, not finished))
    return PublishedRuns(*np.array(runs).T)


def _expected_run(n: int, budget: int, rng: np.random.Generator) -> PublishedRuns:
    """Return the expected run; phase 1 by size, as only cells of s and n − s see a draw of s."""
    sizes = np.arange(1, n // 2 + 1)
    if n > EVERY_SIZE:
        sizes = np.unique(np.rint(np.geomspace(1, n // 2, GRID_SIZES)).astype(int))
    m_init = published_m_init(n, budget)
    simulated = min(m_init, SIMULATED_DRAWS)
    repeats, cells = range(max(1, 1000 // n)), [sorted({s, n - s}) for s in sizes.tolist()]
    draws = [np.mean([len(fill_cells(n, c, simulated, rng)[0]) for _ in repeats]) for c in cells]
    by_size = np.exp(np.interp(np.log(np.arange(1, n // 2 + 1)), np.log(sizes), np.log(draws)))
    drawn = np.concatenate([[m_init], by_size * (m_init / simulated)])  # by size 0..⌊n/2⌋
    first = 2 * drawn.sum()
    if first >= budget:
        drawn, evaluations, counter = drawn * budget / first, budget, budget
    else:
        counter = budget - first + n // 2  # each size is rounded up by half a pair on average
        evaluations = first + counter
        drawn[:0:-1] += rounded_up((budget - first) / 2, additive_weights(n))
    run = (evaluations, expected_distinct_pairs(n, drawn), counter, first >= budget)
    return PublishedRuns(*np.array([run]).T)


def additive_weights(n: int) -> np.ndarray:
    """Return the Neyman weights of sizes ⌈n/2⌉..n − 1 for the variances of an additive game."""
    size = np.arange(n + 1)
    weight = neyman_weights(np.maximum((size - 1) * (n - size), 0)[None])[:-1]
    return weight if weight.any() else np.ones(len(weight))
