"""Paired comparisons, against scipy, statsmodels and cases done by hand."""

import numpy as np
import pytest
from scipy import stats as scipy_stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower

from sgpa_core import stats

rng = np.random.default_rng(0)
X, Y = rng.normal(0.4, 1, size=(2, 25))
DIFF = X - Y


def test_paired_against_scipy():
    result = stats.paired(X, Y)
    test = scipy_stats.ttest_rel(X, Y)
    assert (result.t, result.p) == pytest.approx((test.statistic, test.pvalue))
    assert (result.n, result.mean, result.sd) == pytest.approx((25, DIFF.mean(), DIFF.std(ddof=1)))
    assert result.d == pytest.approx(result.t / 5)
    assert result.wilcoxon_p == pytest.approx(scipy_stats.wilcoxon(X, Y).pvalue)
    assert result.shapiro_p == pytest.approx(scipy_stats.shapiro(DIFF).pvalue)
    assert result.sign_p == pytest.approx(scipy_stats.binomtest(int((DIFF > 0).sum()), 25).pvalue)
    assert stats.paired(Y, X).d == -result.d


@pytest.mark.parametrize(("d", "n"), [(0.89, 10), (-1.61, 10), (0.0, 5), (0.92, 3010), (8.0, 44)])
def test_interval_of_the_effect_is_where_the_noncentral_t_says(d, n):
    low, high = stats.effect_ci(d, n)
    tails = scipy_stats.nct.cdf(d * np.sqrt(n), n - 1, np.array([low, high]) * np.sqrt(n))
    assert tails == pytest.approx([0.975, 0.025], abs=1e-5)
    assert stats.effect_ci(-d, n) == pytest.approx((-high, -low), abs=1e-6)


def test_interval_of_the_effect_covers():
    """400 samples of 12 pairs with a true d_z of 0.8: 95 % of the intervals hold it."""
    draws = np.random.default_rng(1).normal(0.8, 1.0, size=(400, 12))
    inside = [low < 0.8 < high for low, high in map(interval, draws)]
    assert 0.92 < np.mean(inside) < 0.98


def interval(diff):
    return stats.effect_ci(diff.mean() / diff.std(ddof=1), len(diff))


def test_a_huge_effect_has_a_continuous_interval():
    below, above = stats.effect_ci(99.9 / 2, 4), stats.effect_ci(100.1 / 2, 4)
    assert above == pytest.approx(below, rel=5e-3)


def test_p_of_a_published_effect():
    assert stats.p_value(-1.45, 10) == pytest.approx(
        2 * scipy_stats.t.sf(1.45 * np.sqrt(10), 9), rel=1e-9
    )


def test_identical_samples_and_constant_differences():
    same = stats.paired(X, X)
    assert (same.mean, same.sd, same.wilcoxon_p, same.sign_p) == (0, 0, 1, 1)
    assert np.isnan([same.d, *same.ci, same.t, same.p, same.shapiro_p]).all()
    shifted = stats.paired(X, X - 0.1)  # differs by rounding only
    assert np.isnan(shifted.p) and shifted.sd == 0
    assert shifted.wilcoxon_p < 0.001 and shifted.sign_p < 0.001


def test_two_pairs_have_no_shapiro_test():
    assert np.isnan(stats.paired([1.0, 2.0], [0.0, 3.0]).shapiro_p)


@pytest.mark.parametrize("method", stats.CORRECTIONS)
def test_corrections_against_statsmodels(method):
    p = [0.02, 0.001, 0.2, 0.009]
    assert stats.correct(p, method) == pytest.approx(multipletests(p, method=method)[1])
    # a family with unlisted tests: as if these had p = 1
    assert stats.correct(p, method, family=6) == pytest.approx(
        multipletests([*p, 1, 1], method=method)[1][:4]
    )


def test_bonferroni_by_hand_and_undefined_tests_count():
    assert stats.correct([0.01, np.nan, 0.5], "bonferroni").tolist() == [
        pytest.approx(0.03),
        pytest.approx(np.nan, nan_ok=True),
        1.0,
    ]


def test_bootstrap_of_a_mean_is_near_the_t_interval():
    low, high = stats.bootstrap_ci(np.mean, X)
    mean = scipy_stats.ttest_1samp(X, 0).confidence_interval()
    assert (low, high) == pytest.approx((mean.low, mean.high), abs=0.1)
    assert stats.bootstrap_ci(np.mean, X) == (low, high)
    assert stats.bootstrap_ci(np.mean, X, seed=1) != (low, high)


def test_bootstrap_of_pairs_knows_that_they_are():
    def gap(x, y, axis=-1):
        return x.mean(axis) - y.mean(axis)

    near = X + rng.normal(0, 0.01, 25)
    together = np.ptp(stats.bootstrap_ci(gap, X, near, paired=True))
    apart = np.ptp(stats.bootstrap_ci(gap, X, near))
    assert together < apart / 20


def test_a_prompt_counts_once_however_many_rows_it_has():
    values, prompts = [1.0, 3.0, 4.0, 4.0, 4.0, 9.0], list("aabbbc")
    mean = stats.over_prompts(values, prompts)
    assert (mean.mean, mean.n) == (5.0, 3)
    assert mean == stats.over_prompts([2.0, 4.0, 9.0], ["a", "b", "c"])
    assert 2.0 <= mean.low < mean.mean < mean.high <= 9.0
    ratio = stats.over_prompts(values, prompts, per=np.multiply(values, 2))
    assert (ratio.mean, ratio.low, ratio.high) == (0.5, 0.5, 0.5)


def test_the_interval_over_prompts_covers_the_mean():
    draws = np.random.default_rng(8)
    found = []
    for _ in range(200):
        own = np.repeat(draws.normal(1, 1, 30), 2)  # two voices, hardly different
        found.append(stats.over_prompts(own + draws.normal(0, 0.1, 60), np.repeat(range(30), 2)))
    assert 0.9 < np.mean([e.low < 1 < e.high for e in found]) < 0.98


@pytest.mark.parametrize(
    ("low", "high", "finding"),
    [
        (0.2, 0.3, "above"),
        (-0.3, -0.2, "below"),
        (-0.05, 0.09, "no effect"),
        (0.05, 0.3, "open"),
        (-0.3, 0.3, "open"),
        (-0.3, -0.05, "open"),
    ],
)
def test_an_interval_is_held_against_the_smallest_effect_of_interest(low, high, finding):
    assert stats.Estimate(0.0, low, high, 9).finding(0.1) == finding
    assert stats.Estimate(0.0, 43 + low, 43 + high, 9).finding(0.1, center=43) == finding


def test_bootstrap_of_groups_draws_whole_groups():
    groups = [np.full((k, 2), float(k)) for k in (1, 2, 3, 5)]
    low, high = stats.bootstrap_groups(groups, lambda rows: rows[:, 0].mean(), 200, seed=5)
    chosen = np.random.default_rng(5).integers(0, 4, (200, 4))
    means = [np.concatenate([groups[i] for i in draw])[:, 0].mean() for draw in chosen]
    assert (low, high) == tuple(np.percentile(means, (2.5, 97.5)))


def test_power_against_statsmodels_and_simulation():
    assert stats.power(0.7, 20) == pytest.approx(TTestPower().power(0.7, 20, 0.05))
    draws = np.random.default_rng(2).normal(0.7, 1, size=(4000, 20))
    rate = (scipy_stats.ttest_1samp(draws, 0, axis=1).pvalue < 0.05).mean()
    assert stats.power(0.7, 20) == pytest.approx(rate, abs=0.02)
    assert stats.power(0.0, 10) == pytest.approx(0.05)
    for n in (2, 10, 44, 1000):
        assert stats.power(stats.detectable(n), n) == pytest.approx(0.8, abs=1e-4)


def test_the_level_is_the_paper_s():
    """The paper: paired t-tests at α = 0.05 with Bonferroni's correction."""
    assert stats.power(0.5, 10) == stats.power(0.5, 10, alpha=0.05)
    assert stats.detectable(10) == stats.detectable(10, alpha=0.05)
    assert stats.correct([0.05 / 6], "bonferroni", family=6).tolist() == pytest.approx([0.05])
    assert stats.correct([0.3, 0.4], family=2).tolist() == [0.6, 0.6]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: stats.paired([1, 2, 3], [1, 2]), r"one length, got \[3, 2\]"),
        (lambda: stats.paired([1, np.nan], [1, 2]), "finite, got nan at 1"),
        (lambda: stats.paired([1, 2], [np.inf, 2]), "finite, got inf at 0"),
        (lambda: stats.paired([1], [2]), r"at least 2 numbers, got shape \(1,\)"),
        (lambda: stats.paired([[1, 2]], [[1, 2]]), r"got shape \(1, 2\)"),
        (lambda: stats.bootstrap_ci(np.mean, [1.0]), "at least 2 numbers"),
        (lambda: stats.correct([0.1], "sidak"), "unknown correction 'sidak'; choose from holm"),
        (lambda: stats.correct([0.1, 1.2]), "from 0 to 1, got"),
        (lambda: stats.correct([]), "from 0 to 1, got"),
        (lambda: stats.correct([0.1, 0.2], family=1), "family of 1 cannot hold the 2"),
        (
            lambda: stats.power(0.5, 1),
            "number of pairs must be a whole number of at least 2, got 1",
        ),
        (lambda: stats.p_value(0.5, 9.5), "number of pairs must be a whole number"),
        (lambda: stats.bootstrap_groups([[], []], np.mean), "needs values, got 2 empty groups"),
        (lambda: stats.bootstrap_groups([[1.0]], np.mean, 0), "draws must be a whole number"),
        (lambda: stats.power(0.5, 9, alpha=5), "alpha must be between 0 and 1, got 5"),
        (lambda: stats.detectable(9, power=0.04), "above alpha = 0.05, got 0.04"),
        (lambda: stats.detectable(9, power=0.05), "above alpha = 0.05, got 0.05"),
        (lambda: stats.effect_ci(0.5, 9, 95), "confidence must be between 0 and 1, got 95"),
        (lambda: stats.bootstrap_ci(np.mean, X, confidence=1), "between 0 and 1, got 1"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
