"""Cumulative profiles: cases worked by hand, properties, bands that cover as often as stated."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis.extra.numpy import arrays

from sgpa_core import profile

GRID = profile.GRID
VALUES = arrays(float, st.integers(1, 40), elements=st.floats(-1e6, 1e6))


def at(x, curve):
    return np.interp(x, GRID, curve)


def test_the_grid_has_the_usual_shares():
    for share in (1 / 2, 1 / 3, 1 / 4, 1 / 5, 2 / 3):
        assert np.isclose(GRID, share).any()


def test_flat_values_are_the_diagonal_for_any_number_of_players():
    for n in (1, 2, 7, 50, 400):
        assert profile.cumulative(np.full(n, -0.3)) == pytest.approx(GRID)


def test_by_index_by_hand():
    curve = profile.cumulative([0.0, -2.0, 1.0, 1.0])
    assert at([0.25, 0.375, 0.5, 0.75, 1], curve) == pytest.approx([0, 0.25, 0.5, 0.75, 1])
    assert profile.early_mass(curve, 0.375) == pytest.approx(0.25)
    assert profile.centre(curve) == pytest.approx((0.375 * 2 + 0.625 + 0.875) / 4, abs=1e-4)


def test_by_time_by_hand():
    spans = [[0.4, 0.8], [1.0, 1.2], [1.2, 2.0]]  # silence at the start, a gap between two words
    curve = profile.cumulative([1.0, 2.0, 1.0], spans, 2.0)
    expected = {0.2: 0, 0.3: 0.125, 0.4: 0.25, 0.45: 0.25, 0.5: 0.25, 0.6: 0.75, 0.8: 0.875, 1: 1}
    assert at(list(expected), curve) == pytest.approx(list(expected.values()))


def test_equal_spans_over_the_whole_recording_are_the_index():
    values, edges = [0.3, -0.1, 0.5, 0.1], np.arange(5) * 0.7
    by_time = profile.cumulative(values, np.c_[edges[:-1], edges[1:]], edges[-1])
    assert by_time == pytest.approx(profile.cumulative(values))


def test_forms():
    values = [1.0, -1.0, 2.0]
    third, two = 1 / 3, 2 / 3
    for form, expected in {
        "absolute": (0.25, 0.5, 1),
        "positive": (1 / 3, 1 / 3, 1),
        "negative": (0, 1, 1),
        "minmax": (0.4, 0.4, 1),
        "signed": (0.5, 0, 1),
    }.items():
        curve = profile.cumulative(values, form=form)
        assert at([third, two, 1], curve) == pytest.approx(expected), form


@given(VALUES, st.floats(1e-3, 1e3))
def test_rises_from_0_to_1_whatever_the_scale(values, scale):
    assume(np.abs(values).max() > 1e-9)
    curve = profile.cumulative(values)
    assert curve[0] == 0 and curve[-1] == 1
    assert np.all(np.diff(curve) >= -1e-12)
    assert profile.cumulative(-scale * values) == pytest.approx(curve, abs=1e-9)
    backwards = profile.cumulative(values[::-1])
    assert backwards == pytest.approx(1 - curve[::-1], abs=1e-9)
    assert profile.centre(backwards) == pytest.approx(1 - profile.centre(curve), abs=1e-9)
    assert 0 <= profile.early_mass(curve) <= 1


@given(VALUES, st.integers(2, 5))
def test_a_finer_partition_of_the_same_mass_has_the_same_profile(values, pieces):
    assume(np.abs(values).max() > 1e-9)
    fine = profile.cumulative(np.repeat(values, pieces))
    assert fine == pytest.approx(profile.cumulative(values), abs=1e-9)


def test_all_zero_is_undefined_counted_and_left_out():
    zero, some = profile.cumulative([0.0, 0.0]), profile.cumulative([1.0, 0.0])
    assert np.isnan(zero).all() and np.isnan(profile.early_mass(zero))
    assert np.isnan(profile.cumulative([1.0, 2.0], form="negative")).all()
    assert np.isnan(profile.cumulative([0.5, 1e-9, -0.5], form="signed")).all()
    band = profile.band([zero, some, some])
    assert (band.n, band.undefined) == (2, 1)
    assert band.mean == pytest.approx(some)


def drawn(rng, n, players):
    """Draw profiles of random values."""
    return np.stack([profile.cumulative(rng.exponential(size=players)) for _ in range(n)])


def test_the_band_covers_the_whole_mean(monkeypatch):
    monkeypatch.setattr(profile, "RESAMPLES", 299)
    rng, covered = np.random.default_rng(0), 0
    for seed in range(100):
        band = profile.band(drawn(rng, 40, 6), seed=seed)
        covered += bool(((band.low - 1e-9 <= GRID) & (band.high + 1e-9 >= GRID)).all())
    assert covered > 0.88 * 100


def test_band_against_the_standard_error():
    curves = drawn(np.random.default_rng(1), 60, 8)
    band = profile.band(curves)
    half = curves.std(axis=0, ddof=1) / np.sqrt(60)
    reach = (band.high - band.low)[1:-1] / 2 / half[1:-1]
    assert 1.96 < reach.mean() < 3.5 and reach.std() < 0.1 * reach.mean()
    assert band.mean == pytest.approx(curves.mean(axis=0))


def test_the_early_part():
    """The paper's macro-trend names no number: the book's third is stated here."""
    assert profile.EARLY_SHARE == 1 / 3
    flat = profile.cumulative(np.ones(3))
    assert profile.early_mass(flat) == pytest.approx(1 / 3)


def test_bad_input():
    good = np.stack([GRID, GRID])
    for values in ([], [[1.0]], [np.nan, 1.0], [np.inf], 3.0):
        with pytest.raises(ValueError, match="values must be"):
            profile.cumulative(values)
    with pytest.raises(ValueError, match="unknown form 'relative'"):
        profile.cumulative([1.0], form="relative")
    for spans, duration, reason in [
        ([[0, 1]], 2.0, r"need spans of shape \(2, 2\), got \(1, 2\)"),
        ([[0, 1], [0.5, 2]], 2.0, "in order"),
        ([[-0.1, 1], [1, 2]], 2.0, "in order"),
        ([[0, 1], [1, np.nan]], 2.0, "in order"),
        ([[0, 1], [1, 2]], None, "duration of the recording in s, got None"),
        ([[0, 1], [1, 2]], 1.5, "ends at 2.0 s, after 1.5 s"),
        (None, 2.0, "duration 2.0 is used with spans only"),
    ]:
        with pytest.raises(ValueError, match=reason):
            profile.cumulative([1.0, 1.0], spans, duration)
    for share in (0, 1, -1, np.nan):
        with pytest.raises(ValueError, match="share must be between 0 and 1"):
            profile.early_mass(good, share)
        with pytest.raises(ValueError, match="confidence must be between 0 and 1"):
            profile.band(good, confidence=share)
    with pytest.raises(ValueError, match=r"a profile has 121 points, got shape \(2, 5\)"):
        profile.centre(good[:, :5])
    with pytest.raises(ValueError, match="at least 2 defined profiles are needed, got 1"):
        profile.band(good[:1])
