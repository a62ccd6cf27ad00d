"""Tests of the macro-trend: distances of mean profiles and their permutation null."""

import numpy as np
import pytest

from sgpa_core import profile
from sgpa_core.companion import profile_tests
from sgpa_core.profile import GRID


def drawn(rng, n, players, tilt=0.0):
    """Draw profiles of random values; `tilt` moves mass towards the end."""
    weights = 1 + tilt * np.linspace(-1, 1, players)
    return np.stack([profile.cumulative(rng.exponential(size=players) * weights) for _ in range(n)])


def test_the_permutation_null_errs_as_often_as_stated(monkeypatch):
    monkeypatch.setattr(profile_tests, "RESAMPLES", 199)
    rng, runs = np.random.default_rng(2), 300
    p = np.array(
        [
            (distance.largest_p, distance.area_p)
            for seed in range(runs)
            for distance in [profile_tests.distance(drawn(rng, 12, 5), drawn(rng, 12, 5), seed)]
        ]
    )
    rate = (p <= 0.05).mean(axis=0)
    assert np.all(np.abs(rate - 0.05) < 3 * np.sqrt(0.05 * 0.95 / runs)), rate


def test_a_shift_of_mass_is_found_and_measured():
    rng = np.random.default_rng(3)
    even, late = drawn(rng, 60, 8), drawn(rng, 60, 8, tilt=0.6)
    distance = profile_tests.distance(even, late)
    assert distance.largest_p == distance.area_p == 1 / (1 + profile.RESAMPLES)
    difference = np.abs(even.mean(axis=0) - late.mean(axis=0))
    assert distance.largest == pytest.approx(difference.max())
    assert distance.area == pytest.approx(np.trapezoid(difference, GRID))
    assert profile_tests.distance(late, even) == distance


def test_a_row_of_a_table():
    rng = np.random.default_rng(5)
    values = rng.exponential(size=(30, 7))
    x = np.stack([profile.cumulative(v) for v in values])
    y = np.stack([profile.cumulative(v * rng.uniform(0.9, 1.1, 7)) for v in values])
    x[0] = np.nan
    row = profile_tests.compare(x, y, margin=0.05)
    assert (row["n"], row["undefined"]) == (29, 1)
    early = profile.early_mass(x[1:]) - profile.early_mass(y[1:])
    assert row["difference"] == pytest.approx(row["x"] - row["y"]) == pytest.approx(early.mean())
    assert row["low"] < early.mean() < row["high"] and row["p_equivalent"] < 1e-6
    own = np.mean([np.trapezoid(np.abs(p - q), GRID) for p, q in zip(x[1:], y[1:], strict=True)])
    assert row["apart"] == pytest.approx(own) and own < row["apart_between"] / 3
    assert row["apart_p"] == 1 / (1 + profile.RESAMPLES)
    other = profile_tests.compare(x, np.roll(y, 1, axis=0), margin=0.05)
    assert other["apart_p"] > 0.05 and other["area"] < other["apart"]


def test_equal_statistics_count_as_extreme():
    """A p value counts resamples that are as far as what was seen, and the seen one itself."""
    x = [profile.cumulative([1.0, 1.0]), profile.cumulative([1.0, 2.0])]
    row = profile_tests.compare(x, x)
    assert row["largest_p"] == row["area_p"] == 1
    apart = profile_tests.distance(x[:1] * 2, x[1:] * 2)  # so are 2 of 4 swaps
    assert apart.largest_p == pytest.approx(0.5, abs=0.03)


def test_undefined_profiles_are_left_out():
    zero, some = profile.cumulative([0.0, 0.0]), profile.cumulative([1.0, 0.0])
    apart = profile_tests.distance([zero, some, some, some], [some, zero, some, some])
    assert (apart.n, apart.undefined, apart.largest, apart.largest_p) == (2, 2, 0, 1)
