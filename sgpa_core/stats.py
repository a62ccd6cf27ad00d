"""Paired comparisons: tests, effect sizes with intervals, corrections, power, equivalence.

scipy and statsmodels do the work. Samples are one-dimensional, finite and of equal length where
they are pairs; anything else is a `ValueError`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

__all__ = [
    "Equivalence", "Paired", "Permuted", "bootstrap_ci", "correct", "detectable", "effect_ci",
    "p_value", "paired", "permutation", "power", "tost",
]  # fmt: skip

CORRECTIONS = ("holm", "bonferroni")
RESAMPLES = 9_999
"""Of a bootstrap or a permutation test; a p cannot be less than 1 / (RESAMPLES + 1)."""

LARGE_T = 100.0
"""Beyond it the noncentral t is, to four digits, a scaled inverse chi."""

SPREADLESS = 1e-12
"""A standard deviation below this share of the largest sample value is rounding."""


@dataclass(frozen=True)
class Paired:
    """How much x is above y, pair by pair; NaN where a test is not defined.

    Attributes
    ----------
    n : int
        Pairs.
    mean, sd : float
        Of the differences x − y; sd with divisor n − 1.
    d : float
        d_z = mean / sd, the paper's "Cohen's d".
    ci : (float, float)
        95 % interval of d, from the noncentral t distribution.
    t, p : float
        Paired t-test, two-sided.
    wilcoxon_p, sign_p : float
        Signed-rank test (zero differences count, Pratt's way) and exact sign test (without them).
    shapiro_p : float
        Of the test that the differences are normal: a note, which chooses no test. NaN for n = 2.
    """

    n: int
    mean: float
    sd: float
    d: float
    ci: tuple[float, float]
    t: float
    p: float
    wilcoxon_p: float
    sign_p: float
    shapiro_p: float


@dataclass(frozen=True)
class Equivalence:
    """Two one-sided tests: `p` is the larger; below 0.05 the mean difference is within ±margin.

    `ci` is the 90 % interval of the mean difference, which then lies within the margin.
    """

    n: int
    mean: float
    margin: float
    p: float
    ci: tuple[float, float]


@dataclass(frozen=True)
class Permuted:
    """A statistic, its two-sided permutation p, and the central 95 % of its null distribution."""

    value: float
    p: float
    null: tuple[float, float]


def paired(x: ArrayLike, y: ArrayLike) -> Paired:
    """Compare pairs: t-test with d_z, and what does not need normal differences.

    Where the differences do not vary, d, ci, t, p and shapiro_p are NaN; identical samples have
    wilcoxon_p = sign_p = 1.

    Raises
    ------
    ValueError
        If the samples differ in length, hold fewer than 2 pairs, or a value that is not finite.

    Examples
    --------
    >>> found = paired([3.0, 5.0, 4.0, 8.0], [1.0, 4.0, 4.0, 5.0])
    >>> found.n, round(found.d, 2), round(found.p, 3), round(found.sign_p, 2)
    (4, 1.16, 0.103, 0.25)
    """
    from scipy import stats

    x, y = _pairs(x, y)
    diff = x - y
    n, mean, sd = len(diff), float(diff.mean()), _spread(x, y)
    d = t = p = shapiro = np.nan
    if sd > 0:
        d = mean / sd
        t, p = d * np.sqrt(n), p_value(d, n)
        shapiro = stats.shapiro(diff).pvalue if n > 2 else np.nan
    up, moved = int((diff > 0).sum()), int((diff != 0).sum())
    ranks = stats.wilcoxon(diff, zero_method="pratt").pvalue if moved else 1.0
    signs = stats.binomtest(up, moved).pvalue if moved else 1.0
    numbers = (t, p, ranks, signs, shapiro)
    return Paired(n, mean, sd, float(d), effect_ci(d, n), *(float(v) for v in numbers))


def p_value(d: float, n: int) -> float:
    """Return the two-sided p of a paired t-test with effect size d_z = d on n pairs.

    Examples
    --------
    >>> round(p_value(0.21, 44), 2), round(p_value(0.21, 100), 2)
    (0.17, 0.04)
    """
    from scipy.stats import t

    return float(2 * t.sf(abs(d) * np.sqrt(_count(n)), n - 1))


def effect_ci(d: float, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the interval of d_z: the δ whose noncentral t with n − 1 df has d√n at its quantiles.

    Examples
    --------
    >>> [round(end, 2) for end in effect_ci(0.89, 10)]
    [0.13, 1.61]
    """
    from scipy.special import nctdtrinc
    from scipy.stats import chi2

    n, tail = _count(n), (1 - _share(confidence, "confidence")) / 2
    if not np.isfinite(d):
        return (np.nan, np.nan)
    t = d * np.sqrt(n)
    if abs(t) > LARGE_T:
        ends = d * np.sqrt(chi2.ppf([tail, 1 - tail], n - 1) / (n - 1))
    else:
        ends = nctdtrinc(n - 1, np.array([1 - tail, tail]), t) / np.sqrt(n)
    low, high = np.sort(ends)
    return float(low), float(high)


def correct(p: ArrayLike, method: str = "holm", family: int | None = None) -> np.ndarray:
    """Return p-values adjusted for a family of tests; to be compared with α itself.

    Parameters
    ----------
    p : array_like, shape (tests,)
        A NaN (an undefined test) stays one, and counts in the family.
    method : {"holm", "bonferroni"}
    family : int, optional
        Number of tests in the family, if it has more than are listed; the others count as p = 1,
        which never makes a listed one smaller.

    Examples
    --------
    >>> correct([0.01, 0.04, 0.03]).round(2).tolist()
    [0.03, 0.06, 0.06]
    >>> correct([0.01, 0.04], "bonferroni", family=6).round(2).tolist()
    [0.06, 0.24]
    """
    from statsmodels.stats.multitest import multipletests

    if method not in CORRECTIONS:
        raise ValueError(f"unknown correction {method!r}; choose from {', '.join(CORRECTIONS)}")
    p = np.atleast_1d(np.asarray(p, dtype=float))
    family = p.size if family is None else family
    if p.ndim != 1 or not p.size or np.any((p < 0) | (p > 1)):
        raise ValueError(f"p-values are a list of numbers from 0 to 1, got {p.tolist()}")
    if family < p.size:
        raise ValueError(f"a family of {family} cannot hold the {p.size} tests that are listed")
    padded = np.r_[np.nan_to_num(p, nan=1.0), np.ones(family - p.size)]
    adjusted = multipletests(padded, method=method)[1][: p.size]
    return np.where(np.isnan(p), np.nan, adjusted)


def bootstrap_ci(
    statistic: Callable[..., Any],
    *samples: ArrayLike,
    paired: bool = False,
    confidence: float = 0.95,
    method: str = "percentile",
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[float, float]:
    """Return a bootstrap interval of ``statistic(*samples)``.

    Parameters
    ----------
    statistic : callable
        Of one-dimensional samples; faster if it takes `axis`.
    paired : bool
        Resample pairs (rows) instead of each sample by itself.
    method : {"percentile", "basic", "BCa"}

    Examples
    --------
    >>> low, high = bootstrap_ci(np.mean, [1.0, 2.0, 3.0, 4.0, 5.0])
    >>> low < 3 < high
    True
    """
    from scipy.stats import bootstrap

    if method not in ("percentile", "basic", "BCa"):
        raise ValueError(f"unknown method {method!r}; choose from percentile, basic, BCa")
    kept = _samples(samples, paired)
    found = bootstrap(
        kept,
        statistic,
        paired=paired,
        confidence_level=_share(confidence, "confidence"),
        method=method,
        n_resamples=resamples,
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(found.low), float(found.high)


def permutation(
    statistic: Callable[..., Any],
    x: ArrayLike,
    y: ArrayLike,
    paired: bool = True,
    alternative: str = "two-sided",
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Permuted:
    """Test whether x and y may be exchanged (within pairs, or all of them); exact if few.

    Examples
    --------
    >>> found = permutation(lambda x, y: x.mean() - y.mean(), [3, 4, 5, 6], [1, 2, 3, 3])
    >>> found.value, found.p  # 2 of 2^4 exchanges are as far from 0
    (2.25, 0.125)
    """
    from scipy.stats import permutation_test

    found = permutation_test(
        _samples((x, y), paired),
        statistic,
        permutation_type="samples" if paired else "independent",
        alternative=alternative,
        n_resamples=resamples,
        vectorized=False,
        rng=np.random.default_rng(seed),
    )
    low, high = np.quantile(found.null_distribution, [0.025, 0.975])
    return Permuted(float(found.statistic), float(found.pvalue), (float(low), float(high)))


def tost(x: ArrayLike, y: ArrayLike, margin: float) -> Equivalence:
    """Test that the mean of x − y lies within ±`margin`, in the units of x, stated beforehand.

    Where the differences do not vary, p is 0 or 1: their only value is within or not.

    Examples
    --------
    >>> found = tost([1.0, 2.1, 2.9, 4.0], [1.1, 2.0, 3.0, 3.9], margin=0.5)
    >>> found.p < 0.05, [round(end, 2) for end in found.ci]
    (True, [-0.14, 0.14])
    """
    from scipy.stats import t
    from statsmodels.stats.weightstats import ttost_paired

    x, y = _pairs(x, y)
    if not (np.isfinite(margin) and margin > 0):
        raise ValueError(f"a margin is a positive number, got {margin!r}")
    n, mean, sd = len(x), float((x - y).mean()), _spread(x, y)
    half = float(t.ppf(0.95, n - 1) * sd / np.sqrt(n))
    p = ttost_paired(x, y, -margin, margin)[0] if sd > 0 else float(abs(mean) >= margin)
    return Equivalence(n, mean, float(margin), float(p), (mean - half, mean + half))


def power(d: float, n: int, alpha: float = 0.05) -> float:
    """Return how often a two-sided paired t-test on n pairs finds a true effect d_z = d.

    Examples
    --------
    >>> round(power(0.5, 10), 2), round(power(0.5, 80), 2)
    (0.29, 0.99)
    """
    from statsmodels.stats.power import TTestPower

    return float(TTestPower().power(float(d), _count(n), _share(alpha, "alpha")))


def detectable(n: int, power: float = 0.8, alpha: float = 0.05) -> float:
    """Return the smallest d_z that n pairs detect with this power.

    Examples
    --------
    >>> [round(detectable(n), 2) for n in (10, 44, 100)]
    [1.0, 0.43, 0.28]
    """
    from statsmodels.stats.power import TTestPower

    n, alpha, power = _count(n), _share(alpha, "alpha"), _share(power, "power")
    if power <= alpha:
        raise ValueError(f"the power must be above alpha = {alpha}, got {power}")
    return float(TTestPower().solve_power(nobs=n, alpha=alpha, power=power))


def _samples(samples: tuple[ArrayLike, ...], paired: bool) -> tuple[np.ndarray, ...]:
    kept = tuple(np.asarray(sample, dtype=float) for sample in samples)
    for sample in kept:
        if sample.ndim != 1 or len(sample) < 2:
            raise ValueError(f"a sample is a list of 2 numbers or more, got shape {sample.shape}")
        if not np.isfinite(sample).all():
            at = int(np.flatnonzero(~np.isfinite(sample))[0])
            raise ValueError(f"samples must be finite, got {sample[at]} at {at}: leave it out")
    if paired and len({len(sample) for sample in kept}) > 1:
        raise ValueError(f"pairs need samples of one length, got {[len(s) for s in kept]}")
    return kept


def _pairs(x: ArrayLike, y: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    x, y = _samples((x, y), paired=True)
    return x, y


def _spread(x: np.ndarray, y: np.ndarray) -> float:
    """Return the standard deviation of x − y, 0 where it is rounding."""
    sd = float((x - y).std(ddof=1))
    return sd if sd > SPREADLESS * max(np.abs(x).max(), np.abs(y).max()) else 0.0


def _count(n: int) -> int:
    if not n >= 2:
        raise ValueError(f"a paired test needs at least 2 pairs, got {n!r}")
    return int(n)


def _share(value: float, name: str) -> float:
    if not 0 < value < 1:
        raise ValueError(f"{name} must be between 0 and 1, got {value!r}")
    return float(value)
