"""Tests of the paper's macro-trend: how far the mean profiles of two regimes are apart.

Profiles are those of :mod:`sgpa_core.profile`; the tests on stored and recorded values are in
:mod:`sgpa_core.companion.macro_trend`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..profile import GRID, RESAMPLES, defined, early_mass
from ..stats import paired, tost

#: Of the early mass, for equivalence: about a third of the mass of one word of seven.
MARGIN = 0.05

#: Statistics this close to each other count as equal.
TIE = 1e-12


@dataclass(frozen=True)
class Distance:
    """How far two mean profiles are apart; p is how often swapped regimes are as far.

    Attributes
    ----------
    n, undefined : int
        Pairs, and those left out because one of the profiles is not defined.
    largest, area : float
        max |P − Q| and ∫ |P − Q| of the means P and Q.
    largest_p, area_p : float
        Under the paired permutation null: regimes swapped within utterances.
    """

    n: int
    undefined: int
    largest: float
    area: float
    largest_p: float
    area_p: float


def distance(x: ArrayLike, y: ArrayLike, seed: int = 0) -> Distance:
    """Return how far the mean profiles of two regimes are apart, with a permutation null.

    Parameters
    ----------
    x, y : array_like, shape (n, len(GRID))
        Profiles of the same utterances.
    seed : int
        Of the `RESAMPLES` random swaps.

    Examples
    --------
    >>> from sgpa_core.profile import cumulative
    >>> early, late = cumulative([3.0, 1.0]), cumulative([1.0, 3.0])
    >>> apart = distance([early] * 8, [late] * 8)
    >>> round(apart.largest, 3), round(apart.area, 3), apart.largest_p < 0.05
    (0.5, 0.25, True)
    """
    a, b = defined(x, y)
    difference, n = a - b, len(a)
    swaps = np.random.default_rng(seed).choice([-1.0, 1.0], size=(RESAMPLES, n))
    null, seen = np.abs(swaps @ difference / n), np.abs(difference.mean(axis=0))
    largest, area = float(seen.max()), float(np.trapezoid(seen, GRID))
    largest_p = _p_value(null.max(axis=1) >= largest - TIE)
    area_p = _p_value(np.trapezoid(null, GRID, axis=1) >= area - TIE)
    return Distance(n, len(np.atleast_2d(x)) - n, largest, area, largest_p, area_p)


def _p_value(as_extreme: np.ndarray) -> float:
    """Return the share of resamples as extreme as what was seen, which counts as one of them."""
    return float((1 + np.sum(as_extreme)) / (1 + RESAMPLES))


def compare(x: ArrayLike, y: ArrayLike, margin: float = MARGIN, seed: int = 0) -> dict[str, float]:
    """Return all that tells two paired sets of profiles apart, as a row of a table.

    Parameters
    ----------
    x, y : array_like, shape (n, len(GRID))
        Profiles of the same utterances.
    margin : float
        Of the early mass, stated beforehand.
    seed : int
        Of the permutations.

    Returns
    -------
    dict
        n and undefined; x and y, the mean early masses; difference, x − y, with low and high (90 %
        interval), margin and p_equivalent of `stats.tost`; d_z; largest and area with their p, of
        `distance`. Within utterances: apart, the mean ∫|P − Q|; apart_between, what it is when
        utterances are paired at random, and apart_p, how often
        random pairings have a mean as small.
    """
    a, b = defined(x, y)
    means, early = distance(x, y, seed), (early_mass(a), early_mass(b))
    equal = tost(*early, margin)
    between = np.array([np.trapezoid(np.abs(curve - b), GRID, axis=-1) for curve in a])
    rows = np.arange(len(a))
    others = np.random.default_rng(seed).permuted(np.tile(rows, (RESAMPLES, 1)), axis=1)
    repaired, own = between[rows, others].mean(axis=1), float(between[rows, rows].mean())
    p = _p_value(repaired <= own + TIE)
    row: dict[str, float] = {"n": means.n, "undefined": means.undefined}
    row |= {"x": float(early[0].mean()), "y": float(early[1].mean()), "difference": equal.mean}
    row |= {"low": equal.ci[0], "high": equal.ci[1], "margin": margin, "p_equivalent": equal.p}
    row |= {"d_z": paired(*early).d, "largest": means.largest, "largest_p": means.largest_p}
    row |= {"area": means.area, "area_p": means.area_p, "apart": own}
    return row | {"apart_between": float(repaired.mean()), "apart_p": p}
