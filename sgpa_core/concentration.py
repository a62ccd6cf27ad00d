"""How concentrated an attribution is: a few players or all of them (Section 4 of the paper).

All take values (…, n), of any sign, and look at s̃_i = |φ_i| / Σ_j |φ_j| over the last axis. Where
every value is 0 there is nothing to share out, and the answer is NaN.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

TOP_SHARE = 0.2
"""The paper's share of players for `top_mass`."""

DIVISORS = ("sqrt", "log", "none")
"""What an entropy is divided by: √n, as the paper's text says, ln n, or nothing."""


def shares(values: ArrayLike) -> np.ndarray:
    """Return s̃, which sums to 1 over the last axis."""
    size = np.abs(np.asarray(values, dtype=float))
    if size.ndim == 0 or size.shape[-1] == 0:
        raise ValueError(f"concentration needs the values of at least one player, got {values!r}")
    total = size.sum(axis=-1, keepdims=True)
    return np.divide(size, total, out=np.full_like(size, np.nan), where=total > 0)


def gini(values: ArrayLike) -> np.ndarray:
    """Return G = (1/2n) Σ_i Σ_j |s̃_i − s̃_j|: 0 where all are equal, 1 − 1/n where one has all.

    Examples
    --------
    >>> gini([[1.0, 1.0, -1.0, 1.0], [0.0, 0.0, 2.0, 0.0]]).tolist()
    [0.0, 0.75]
    """
    ordered = np.sort(shares(values), axis=-1)
    n = ordered.shape[-1]
    return ordered @ (2 * np.arange(1, n + 1) - n - 1) / n


def top_mass(values: ArrayLike, share: float = TOP_SHARE) -> np.ndarray:
    """Return what the ⌈share · n⌉ largest s̃ sum to; `share` in (0, 1].

    Examples
    --------
    >>> top_mass([3.0, -5.0, 1.0, 1.0, 0.0, 0.0]).round(3).tolist()  # two of six
    0.8
    """
    if not 0 < share <= 1:
        raise ValueError(f"share must be in (0, 1], got {share!r}")
    ordered = np.sort(shares(values), axis=-1)
    count = int(np.ceil(share * ordered.shape[-1] - 1e-9))
    return ordered[..., -count:].sum(axis=-1)


def entropy(values: ArrayLike, divisor: str = "log") -> np.ndarray:
    """Return H = −Σ s̃ ln s̃ over ``"sqrt"`` (√n), ``"log"`` (ln n) or ``"none"`` (1), in nats.

    H / ln n lies in [0, 1] and is NaN for a single player; H / √n reaches ln(n) / √n.

    Examples
    --------
    >>> [entropy([1.0, 1.0, 1.0, 1.0], by).round(3).tolist() for by in DIVISORS]
    [0.693, 1.0, 1.386]
    """
    if divisor not in DIVISORS:
        raise ValueError(f"unknown divisor {divisor!r}; choose from {', '.join(DIVISORS)}")
    s = shares(values)
    plain = -(s * np.log(np.where(s > 0, s, 1.0))).sum(axis=-1) + 0.0
    n = s.shape[-1]
    by = {"sqrt": np.sqrt(n), "log": np.log(n) or np.nan, "none": 1.0}[divisor]
    return plain / by


def effective_players(values: ArrayLike) -> np.ndarray:
    """Return exp(H): as many equal players would be as concentrated.

    Examples
    --------
    >>> effective_players([[2.0, -2.0, 0.0], [1.0, 0.0, 0.0]]).round(6).tolist()
    [2.0, 1.0]
    """
    return np.exp(entropy(values, "none"))
