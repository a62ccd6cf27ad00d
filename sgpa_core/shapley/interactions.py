"""Values and pairwise interactions from evaluations that were already paid for."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import squareform

from ..game import Game, mask_of, pack
from .attribution import Attribution
from .exact import MAX_EXACT_PLAYERS, banzhaf_of_table, interactions_of_table, shapley_of_table
from .surrogate import MAX_SURROGATE_EVALUATIONS, posterior


@dataclass(frozen=True, eq=False)
class Interactions:
    """Pairwise interactions: what two players give together beyond what each gives alone.

    Attributes
    ----------
    values : ndarray of float64, shape (n, n)
        Symmetric, zeros on the diagonal; positive where two players complement each other,
        negative where one replaces the other.
    stderr : ndarray of float64, shape (n, n)
        Zeros where the values are exact.
    distinct : int
        Coalitions that the values rest on.
    method : str
        ``"exact"`` or ``"surrogate"``.
    index : str
        What the values are.
    """

    values: np.ndarray
    stderr: np.ndarray
    distinct: int
    method: str
    index: str = "Shapley interaction index, order 2"


def _known(
    coalitions: np.ndarray, utilities: np.ndarray, index: str, of_table: Callable
) -> tuple[np.ndarray, np.ndarray, int, str]:
    """Return an index, its standard errors, the coalitions they rest on, and the method."""
    if coalitions.shape[1] <= MAX_EXACT_PLAYERS and len(coalitions) == 2 ** coalitions.shape[1]:
        values = of_table(utilities[np.argsort(mask_of(coalitions))])
        return values, np.zeros(values.shape), len(coalitions), "exact"
    chosen, inside, outside = _pairs(coalitions, utilities)
    data = inside + outside if index == "interaction" else inside - outside
    values, stderr = posterior(chosen, data, index)
    if index == "shapley":  # efficiency; the first pair is (N, ∅)
        values = values + (data[0] - values.sum(axis=0)) / len(values)
    return values, stderr, 2 * len(chosen), "surrogate"


def _pairs(coalitions: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the complementary pairs, N first: coalitions with the first player, U(S), U(N∖S).

    Of more than the surrogate can take, evenly spread ones.
    """
    row_of = {key: row for row, key in enumerate(pack(coalitions))}
    complement = np.array([row_of.get(key, -1) for key in pack(~coalitions)], dtype=int)
    rows = np.flatnonzero((complement >= 0) & coalitions[:, 0])
    if not rows.size:
        raise ValueError("no coalition together with its complement: estimate the game first")
    rows = rows[np.argsort(~coalitions[rows].all(axis=1), kind="stable")]
    most = min(len(rows), MAX_SURROGATE_EVALUATIONS // 2)
    rows = rows[np.linspace(0, len(rows) - 1, most).astype(int)]
    return coalitions[rows], values[rows], values[complement[rows]]


def shapley(coalitions: np.ndarray, utilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return Shapley values of several games that were evaluated on the same coalitions.

    Exact where all 2^n are there, else the posterior mean of the surrogate given the complementary
    pairs among them, whatever estimator chose them; it is linear in the utilities.

    Parameters
    ----------
    coalitions : ndarray of bool, shape (d, n)
        Distinct, ∅ and N among them.
    utilities : ndarray of float, shape (d, k)

    Returns
    -------
    values, stderr : ndarray, shape (n, k)
        Each column of values sums to U(N) − U(∅).

    Examples
    --------
    >>> from sgpa_core.game import all_coalitions
    >>> shapley(all_coalitions(2), np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 0.0], [4.0, 0.0]]))[0]
    array([[ 1.5,  0. ],
           [ 2.5, -1. ]])
    """
    return _known(coalitions, utilities, "shapley", shapley_of_table)[:2]


def banzhaf(game: Game) -> Attribution:
    """Return Banzhaf values from what the game remembers; nothing new is evaluated.

    β_i = 2^(1−n) Σ_{S ⊆ N∖i} (U(S ∪ i) − U(S)). Exact when all 2^n utilities are known, else the
    posterior mean of the surrogate given the known complementary pairs.

    Parameters
    ----------
    game : Game
        A game that was evaluated before, say by `estimate`.

    Returns
    -------
    Attribution
        With ``index="Banzhaf"``; these values do not sum to U(N) − U(∅).

    Raises
    ------
    ValueError
        If the game remembers no complementary pair.

    Examples
    --------
    >>> from sgpa_core.game import TableGame
    >>> game = TableGame([0.0, 1.0, 2.0, 4.0])
    >>> _ = game.full, game.empty, game(np.array([[True, False], [False, True]]))
    >>> banzhaf(game).values.tolist()
    [1.5, 2.5]
    """
    values, stderr, distinct, method = _known(*game.observed(), "banzhaf", banzhaf_of_table)
    counts = {"evaluations": distinct, "distinct": distinct, "budget": distinct}
    return Attribution(values, stderr, **counts, method=method, seed=None, index="Banzhaf")


def interactions(game: Game) -> Interactions:
    """Return pairwise Shapley interactions from what the game remembers; nothing is evaluated.

    I_ij = Σ_{S ⊆ N∖ij} |S|! (n − |S| − 2)! / (n − 1)! · (U(S∪ij) − U(S∪i) − U(S∪j) + U(S)), the
    Shapley interaction index (Grabisch and Roubens 1999). Exact when all 2^n utilities are known,
    else the posterior mean of the surrogate given the known complementary pairs.

    Parameters
    ----------
    game : Game
        A game of at least 2 players that was evaluated before, say by `estimate`.

    Returns
    -------
    Interactions

    Raises
    ------
    ValueError
        If there is one player, or the game remembers no complementary pair.
    """
    if game.n < 2:
        raise ValueError("interactions need at least 2 players, got 1")
    values, stderr, distinct, method = _known(
        *game.observed(), "interaction", lambda table: squareform(interactions_of_table(table))
    )
    return Interactions(squareform(values), squareform(stderr), distinct, method)
