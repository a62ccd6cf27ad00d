"""Values and interactions of functions of the Hamming distance, in closed form.

A kernel κ(|S △ T|) is, for fixed T, a game in which all players of T are alike and all others are
alike. Its Shapley value is therefore a fixed linear map of κ for each size of T, and no sum over
2^n coalitions is needed. The same holds for Banzhaf values and pairwise interactions.
"""

from functools import lru_cache
from itertools import product
from math import comb

import numpy as np
import scipy


def index_weights(index: str, n: int) -> tuple[int, np.ndarray]:
    """Return the order k of an index and the weights of its k-th differences by |S| = 0..n − k.

    ``"shapley"``: s!(n−s−1)!/n!, order 1; ``"banzhaf"``: 2^(1−n), order 1; ``"interaction"``
    (Shapley interaction index): s!(n−s−2)!/(n−1)!, order 2.

    Examples
    --------
    >>> index_weights("shapley", 3)[1].round(3).tolist()
    [0.333, 0.167, 0.333]
    """
    if index == "banzhaf":
        return 1, np.full(n, 0.5 ** (n - 1))
    order = {"shapley": 1, "interaction": 2}[index]
    top = n - order
    return order, np.array([1 / ((top + 1) * comb(top, s)) for s in range(top + 1)])


@lru_cache(maxsize=32)
def distance_map(index: str, n: int) -> np.ndarray:
    """Return the map from a distance kernel to the index of S ↦ κ(|S △ T|).

    Parameters
    ----------
    index : str
        As in `index_weights`.
    n : int
        Number of players.

    Returns
    -------
    ndarray, shape (k + 1, n + 1, n + 1)
        ``map[p, t] @ kappa`` is the index of k players of whom p are in T, with |T| = t; zero where
        that cannot be.
    """
    order, weight = index_weights(index, n)
    result = np.zeros((order + 1, n + 1, n + 1))
    choose = scipy.linalg.pascal(n, "lower").astype(float)
    # of the k players p are in T, of the others `inside`
    for p, inside in product(range(order + 1), range(n - order + 1)):
        t, outside = inside + p, n - order - inside
        a, b = np.arange(inside + 1)[:, None], np.arange(outside + 1)[None, :]
        share = choose[inside, : inside + 1, None] * choose[outside, : outside + 1] * weight[a + b]
        for joined in product((0, 1), repeat=order):  # which of the k players join S
            sign, shift = (-1) ** (order - sum(joined)), sum(joined[p:]) - sum(joined[:p])
            where = (t - a + b + shift).ravel()  # the distance |S △ T|
            result[p, t] += sign * np.bincount(where, weights=share.ravel(), minlength=n + 1)
    return result


def prior_variance(index: str, n: int, by_type: np.ndarray) -> float:
    """Return the index of the game T ↦ index[κ(· △ T)]: the variance of the index under κ.

    Parameters
    ----------
    by_type : ndarray, shape (k + 1, n + 1)
        ``distance_map(index, n) @ kappa``.
    """
    order, weight = index_weights(index, n)
    total = 0.0
    for s, w in enumerate(weight):
        joined = map(sum, product((0, 1), repeat=order))  # how many of the k players join S
        step = sum((-1) ** (order - j) * by_type[j, s + j] for j in joined)
        total += w * comb(n - order, s) * step
    return float(total)
