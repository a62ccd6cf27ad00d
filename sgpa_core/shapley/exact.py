"""Exact values of a game from its 2^n utilities, vectorised over subsets."""

import numpy as np

from ..game import all_coalitions
from .attribution import Run
from .semivalues import index_weights

#: Largest game that is enumerated: 2^20 = 1,048,576 evaluations.
MAX_EXACT_PLAYERS = 20


def check_exact(n: int) -> None:
    """Refuse to enumerate more than `MAX_EXACT_PLAYERS` players.

    Raises
    ------
    ValueError
        Naming the cost.
    """
    if n > MAX_EXACT_PLAYERS:
        raise ValueError(
            f"exact values of {n} players need 2^{n} ≈ {2.0**n:.2g} evaluations; "
            f"the limit is {MAX_EXACT_PLAYERS} players: use 'auto', 'kernel' or 'surrogate'"
        )


def exact(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Evaluate all coalitions and return the Shapley values with standard errors of zero."""
    return shapley_of_table(run(all_coalitions(run.n))), np.zeros(run.n)


def _gains(table: np.ndarray, player: int) -> np.ndarray:
    """Return U(S ∪ i) − U(S) for all S without `player`, in the order of their masks."""
    pairs = table.reshape(-1, 2, 2**player, *table.shape[1:])
    return (pairs[:, 1] - pairs[:, 0]).reshape(-1, *table.shape[1:])


def shapley_of_table(table: np.ndarray) -> np.ndarray:
    """Return the Shapley values of a table of 2^n utilities.

    φ_i = Σ_{S ⊆ N∖i} |S|! (n − |S| − 1)! / n! · (U(S ∪ i) − U(S)).

    Parameters
    ----------
    table : ndarray of float64, shape (2^n,) or (2^n, k)
        Utility by bit mask, the lowest bit is the first player; of one game, or of k.

    Returns
    -------
    ndarray of float64, shape (n,) or (n, k)

    Examples
    --------
    >>> shapley_of_table(np.array([0.0, 1.0, 2.0, 4.0])).tolist()
    [1.5, 2.5]
    """
    n = len(table).bit_length() - 1
    weight = index_weights("shapley", n)[1][all_coalitions(n - 1).sum(axis=1)]
    return np.array([weight @ _gains(table, i) for i in range(n)])


def banzhaf_of_table(table: np.ndarray) -> np.ndarray:
    """Return the Banzhaf values, 2^(1−n) Σ_{S ⊆ N∖i} (U(S ∪ i) − U(S)), of a table.

    Examples
    --------
    >>> banzhaf_of_table(np.array([0.0, 1.0, 2.0, 4.0])).tolist()
    [1.5, 2.5]
    """
    n = len(table).bit_length() - 1
    return np.array([_gains(table, i).mean() for i in range(n)])


def interactions_of_table(table: np.ndarray) -> np.ndarray:
    """Return the pairwise Shapley interaction index (Grabisch and Roubens 1999) of a table.

    I_ij = Σ_{S ⊆ N∖ij} |S|! (n − |S| − 2)! / (n − 1)! · (U(S∪ij) − U(S∪i) − U(S∪j) + U(S)).

    Parameters
    ----------
    table : ndarray of float64, shape (2^n,)

    Returns
    -------
    ndarray of float64, shape (n, n)
        Symmetric, with zeros on the diagonal.

    Examples
    --------
    >>> interactions_of_table(np.array([0.0, 1.0, 2.0, 4.0])).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    n = len(table).bit_length() - 1
    index = np.zeros((n, n))
    if n < 2:
        return index
    weight = index_weights("interaction", n)[1][all_coalitions(n - 2).sum(axis=1)]
    for j in range(n):
        gains = _gains(table, j)  # a game of the other players: those below j keep their bit
        for i in range(j):
            index[i, j] = index[j, i] = weight @ _gains(gains, i)
    return index
