"""Paired comparisons: tests, effect sizes with intervals, corrections, power.

scipy and statsmodels do the work. Samples are one-dimensional, finite and of equal length where
they are pairs; anything else is a `ValueError`. The paper tests its concentration metrics by paired
t-tests at α = 0.05 with Bonferroni's correction, and calls d_z "Cohen's d".
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy
from numpy.typing import ArrayLike

from .checks import choice, fraction, vector, whole

CORRECTIONS = ("holm", "bonferroni")

#: Of a bootstrap.
RESAMPLES = 9_999

#: Above this t, the interval of d_z is computed from the chi-square distribution (four digits
#: agree), because the noncentral t is not reliable there.
LARGE_T = 100.0

PAIRS = "the number of pairs"

#: A standard deviation below this share of the largest sample value is rounding.
SPREADLESS = 1e-12


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
class Estimate:
    """A mean over prompts with its 95 % interval, or a ratio of two means; see `over_prompts`."""

    mean: float
    low: float
    high: float
    n: int

    def finding(self, effect: float, center: float = 0.0) -> str:
        """Hold the interval against a smallest effect of interest.

        Returns
        -------
        {"above", "below", "no effect", "open"}
            Whether it lies beyond `center` ± `effect`, within, or neither.
        """
        low, high = self.low - center, self.high - center
        if low > effect or high < -effect:
            return "above" if low > 0 else "below"
        return "no effect" if -effect < low and high < effect else "open"


def over_prompts(
    values: ArrayLike, prompts: Sequence[Any], per: ArrayLike | None = None, seed: int = 0
) -> Estimate:
    """Estimate a mean over prompts: voices, seeds and cuttings of a prompt are averaged first.

    Parameters
    ----------
    values : array_like, shape (rows,)
    prompts : sequence, length rows
        Whose row it is. Prompts are drawn anew for the interval (bootstrap, percentiles).
    per : array_like, shape (rows,), optional
        Estimate the ratio of the mean of values to the mean of these.
    seed : int

    Examples
    --------
    >>> estimate = over_prompts([1.0, 3.0, 4.0, 6.0], ["a", "a", "b", "c"])
    >>> estimate.mean, estimate.n, estimate.finding(1.0)
    (4.0, 3, 'above')
    """
    names, place = np.unique(np.asarray(prompts), return_inverse=True)
    per = np.ones(len(place)) if per is None else per
    columns = [vector(column, "values", len(place)) for column in (values, per)]
    means = [np.bincount(place, column) / np.bincount(place) for column in columns]

    def ratio(top: np.ndarray, bottom: np.ndarray, *, axis: int = -1) -> Any:
        return top.mean(axis) / bottom.mean(axis)

    interval = bootstrap_ci(ratio, *means, paired=True, resamples=10_000, seed=seed)
    return Estimate(float(ratio(*means)), *interval, len(names))


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
    >>> test = paired([3.0, 5.0, 4.0, 8.0], [1.0, 4.0, 4.0, 5.0])
    >>> test.n, round(test.d, 2), round(test.p, 3), round(test.sign_p, 2)
    (4, 1.16, 0.103, 0.25)
    """
    x, y = _samples((x, y), paired=True)
    diff = x - y
    n, mean, sd = len(diff), float(diff.mean()), float(diff.std(ddof=1))
    if sd <= SPREADLESS * max(np.abs(x).max(), np.abs(y).max()):
        sd = 0.0
    d = mean / sd if sd > 0 else np.nan
    shapiro = scipy.stats.shapiro(diff).pvalue if sd > 0 and n > 2 else np.nan
    up, moved = int((diff > 0).sum()), int((diff != 0).sum())
    ranks = scipy.stats.wilcoxon(diff, zero_method="pratt").pvalue if moved else 1.0
    signs = scipy.stats.binomtest(up, moved).pvalue if moved else 1.0
    tests = map(float, (d * np.sqrt(n), p_value(d, n), ranks, signs, shapiro))
    return Paired(n, mean, sd, float(d), effect_ci(d, n), *tests)


def p_value(d: float, n: int) -> float:
    """Return the two-sided p of a paired t-test with effect size d_z = d on n pairs.

    Examples
    --------
    >>> round(p_value(0.21, 44), 2), round(p_value(0.21, 100), 2)
    (0.17, 0.04)
    """
    return float(2 * scipy.stats.t.sf(abs(d) * np.sqrt(whole(n, PAIRS, 2)), n - 1))


def effect_ci(d: float, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the interval of d_z: the δ whose noncentral t with n − 1 df has d√n at its quantiles.

    Examples
    --------
    >>> [round(end, 2) for end in effect_ci(0.89, 10)]
    [0.13, 1.61]
    """
    n, tail = whole(n, PAIRS, 2), (1 - fraction(confidence, "confidence")) / 2
    if not np.isfinite(d):
        return (np.nan, np.nan)
    t = d * np.sqrt(n)
    if abs(t) > LARGE_T:
        ends = d * np.sqrt(scipy.stats.chi2.ppf([tail, 1 - tail], n - 1) / (n - 1))
    else:
        ends = scipy.special.nctdtrinc(n - 1, np.array([1 - tail, tail]), t) / np.sqrt(n)
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

    choice(method, CORRECTIONS, "correction")
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
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[float, float]:
    """Return a bootstrap interval of ``statistic(*samples)``, by percentiles.

    Parameters
    ----------
    statistic : callable
        Of one-dimensional samples; faster if it takes `axis`.
    paired : bool
        Resample pairs (rows) instead of each sample by itself.

    Examples
    --------
    >>> low, high = bootstrap_ci(np.mean, [1.0, 2.0, 3.0, 4.0, 5.0])
    >>> low < 3 < high
    True
    """
    options: dict[str, Any] = {"rng": np.random.default_rng(seed), "method": "percentile"}
    options |= {"n_resamples": resamples, "confidence_level": fraction(confidence, "confidence")}
    drawn = scipy.stats.bootstrap(_samples(samples, paired), statistic, paired=paired, **options)
    return float(drawn.confidence_interval.low), float(drawn.confidence_interval.high)


def bootstrap_groups(
    groups: Sequence[ArrayLike],
    statistic: Callable[[np.ndarray], float],
    draws: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """Return a 95 % percentile bootstrap interval, whole groups drawn anew.

    Boundaries of one recording are not independent, recordings are.

    Parameters
    ----------
    groups : sequence of array_like, shape (rows, …) each
        One row per observation, in as many columns as the statistic needs.
    statistic : callable
        Of the rows of the drawn groups together.
    draws, seed : int

    Examples
    --------
    >>> bootstrap_groups([[1.0, 1.0], [1.0], [1.0, 1.0, 1.0]], np.median)
    (1.0, 1.0)
    """
    parts = [np.asarray(group, dtype=float) for group in groups]
    if not any(len(part) for part in parts):
        raise ValueError(f"an interval needs values, got {len(parts)} empty groups")
    size = (whole(draws, "draws"), len(parts))
    drawn = np.random.default_rng(seed).integers(0, len(parts), size)
    values = [statistic(np.concatenate([parts[i] for i in draw])) for draw in drawn]
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)


def power(d: float, n: int, alpha: float = 0.05) -> float:
    """Return how often a two-sided paired t-test on n pairs finds a true effect d_z = d.

    Examples
    --------
    >>> round(power(0.5, 10), 2), round(power(0.5, 80), 2)
    (0.29, 0.99)
    """
    from statsmodels.stats.power import TTestPower

    return float(TTestPower().power(float(d), whole(n, PAIRS, 2), fraction(alpha, "alpha")))


def detectable(n: int, power: float = 0.8, alpha: float = 0.05) -> float:
    """Return the smallest d_z that n pairs detect with this power.

    Examples
    --------
    >>> [round(detectable(n), 2) for n in (10, 44, 100)]
    [1.0, 0.43, 0.28]
    """
    from statsmodels.stats.power import TTestPower

    if fraction(power, "power") <= fraction(alpha, "alpha"):
        raise ValueError(f"the power must be above alpha = {alpha}, got {power}")
    return float(TTestPower().solve_power(nobs=whole(n, PAIRS, 2), alpha=alpha, power=power))


def _samples(samples: Sequence[ArrayLike], paired: bool) -> tuple[np.ndarray, ...]:
    """Check that samples are finite and, where they are pairs, of one length."""
    checked = tuple(vector(sample, "a sample", least=2) for sample in samples)
    if paired and len({len(sample) for sample in checked}) > 1:
        raise ValueError(f"pairs need samples of one length, got {[len(s) for s in checked]}")
    return checked
