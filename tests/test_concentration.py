"""Measures of concentration, against cases done by hand and the formulas written out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sgpa_core import concentration

VALUES = np.random.default_rng(0).normal(size=(20, 7))
EVERY = (
    concentration.gini,
    concentration.top_mass,
    concentration.entropy,
    concentration.effective_players,
)


def test_one_player_of_four_has_all():
    assert concentration.gini([0, 0, -3, 0]) == pytest.approx(0.75)
    assert concentration.top_mass([0, 0, -3, 0]) == 1
    assert concentration.entropy([0, 0, -3, 0]) == 0
    assert concentration.effective_players([0, 0, -3, 0]) == 1


def test_four_equal_players():
    assert concentration.gini([2, -2, 2, 2]) == 0
    assert concentration.top_mass([2, -2, 2, 2]) == 0.25
    assert concentration.entropy([2, -2, 2, 2]) == pytest.approx(1)
    assert concentration.entropy([2, -2, 2, 2], "sqrt") == pytest.approx(np.log(4) / 2)
    assert concentration.effective_players([2, -2, 2, 2]) == pytest.approx(4)


def test_gini_is_the_paper_s_double_sum():
    for values in VALUES:
        s = np.abs(values) / np.abs(values).sum()
        assert concentration.gini(values) == pytest.approx(
            np.abs(s[:, None] - s[None, :]).sum() / (2 * len(s))
        )


@pytest.mark.parametrize(
    ("n", "count"), [(1, 1), (4, 1), (5, 1), (6, 2), (10, 2), (15, 3), (31, 7)]
)
def test_the_top_fifth_is_rounded_up(n, count):
    assert concentration.top_mass(np.ones(n)) == pytest.approx(count / n)


def test_the_share_is_the_paper_s():
    """The paper: top-20 % mass, the sum of the ⌈0.2 n⌉ largest."""
    assert concentration.TOP_SHARE == 0.2
    assert concentration.top_mass([1.0, 2.0], share=1) == 1  # the bound is inclusive


@pytest.mark.parametrize("measure", EVERY)
def test_rows_are_independent_and_scale_sign_and_order_do_not_matter(measure):
    one_by_one = [float(measure(values)) for values in VALUES]
    np.testing.assert_allclose(measure(VALUES), one_by_one)
    np.testing.assert_allclose(measure(-3 * VALUES[:, ::-1]), one_by_one)
    assert measure(VALUES.reshape(4, 5, 7)).shape == (4, 5)


@pytest.mark.parametrize("measure", EVERY)
def test_nothing_to_share_out_is_not_a_number(measure):
    shared = measure([[0.0, 0.0], [1.0, 0.0]])
    assert np.isnan(shared).tolist() == [True, False]


def test_a_single_player_has_no_normalised_entropy():
    assert np.isnan(concentration.entropy([0.7]))
    assert concentration.entropy([0.7], "sqrt") == 0
    assert concentration.gini([0.7]) == 0


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"share must be in \(0, 1\], got 0"):
        concentration.top_mass([1.0], 0)
    with pytest.raises(ValueError, match="unknown divisor 'n'; choose from sqrt, log, none"):
        concentration.entropy([1.0], "n")
    with pytest.raises(ValueError, match="at least one player"):
        concentration.gini([])


def test_unbiased_gini_of_one_who_has_all_is_one_for_any_n():
    for n in (2, 5, 40):
        assert concentration.gini(np.eye(n)[0], unbiased=True) == pytest.approx(1)
        assert concentration.gini(np.eye(n)[0]) == pytest.approx(1 - 1 / n)
    assert np.isnan(concentration.gini([0.7], unbiased=True))


def test_forms_of_shares():
    values = [2.0, -1.0, 0.0, 1.0]
    expected = {
        "absolute": [0.5, 0.25, 0, 0.25],
        "positive": [2 / 3, 0, 0, 1 / 3],
        "negative": [0, 1, 0, 0],
        "minmax": [3 / 6, 0, 1 / 6, 2 / 6],
    }
    for form in concentration.FORMS:
        assert concentration.shares(values, form) == pytest.approx(expected[form])


@pytest.mark.parametrize("flat", [[0.0, 0.0, 0.0], [0.4, 0.4, 0.4], [-2.0, -2.0, -2.0], [7.0]])
def test_min_max_scaling_of_flat_vectors_gives_equal_shares(flat):
    assert concentration.shares(flat, "minmax") == pytest.approx(1 / len(flat))


def test_the_special_cases_of_the_module_s_table():
    n = 8
    table = {
        "Gini": (0, 0, np.nan),
        "unbiased Gini": (np.nan, 0, np.nan),
        "top-20 %": (1, 2 / n, np.nan),
        "H/log n": (np.nan, 1, np.nan),
        "H/√n": (0, np.log(n) / np.sqrt(n), np.nan),
        "H": (0, np.log(n), np.nan),
        "effective players": (1, n, np.nan),
    }
    assert list(table) == list(concentration.METRICS)
    for metric, expected in table.items():
        measured = concentration.measure(metric, [[0.3], np.full(n, -0.2), np.zeros(n)])
        np.testing.assert_allclose(measured, expected, atol=1e-12, err_msg=metric)


def test_ragged_lists_keep_their_order():
    vectors = [VALUES[0, : 2 + k % 5] for k in range(20)]
    for metric, function in concentration.METRICS.items():
        for form in concentration.FORMS:
            expected = [float(function(concentration.shares(v, form))) for v in vectors]
            np.testing.assert_allclose(concentration.measure(metric, vectors, form), expected)
    assert concentration.measure("Gini", []).shape == (0,)


# tiny sizes lose digits by underflow: what is compared is not smaller than 1e-6 of the largest
vector = arrays(
    float, st.integers(2, 40), elements=st.floats(-1, 1).filter(lambda v: v == 0 or abs(v) > 1e-6)
).filter(np.any)


@given(vector, st.sampled_from(concentration.FORMS))
def test_bounds(values, form):
    n, s = len(values), concentration.shares(values, form)
    if np.isnan(s).any():
        assert form in ("positive", "negative") and np.isnan(s).all()
        return
    assert s.min() >= 0 and s.sum() == pytest.approx(1)
    metrics = {name: float(metric(s)) for name, metric in concentration.METRICS.items()}
    assert 0 <= metrics["Gini"] < 1
    assert 0 <= metrics["unbiased Gini"] <= 1 + 1e-12
    assert np.ceil(n / 5) / n - 1e-12 <= metrics["top-20 %"] <= 1 + 1e-12
    assert -1e-12 <= metrics["H"] <= np.log(n) + 1e-12
    assert -1e-12 <= metrics["H/log n"] <= 1 + 1e-12
    assert -1e-12 <= metrics["H/√n"] <= np.log(n) / np.sqrt(n) + 1e-12
    assert 1 - 1e-12 <= metrics["effective players"] <= n + 1e-9


@given(vector, st.floats(1e-100, 1e300), st.randoms(use_true_random=False))
def test_scale_and_order_do_not_matter(values, scale, random):
    order = random.sample(range(len(values)), len(values))
    for metric in concentration.METRICS:
        for form in ("absolute", "minmax"):
            plain, scaled = concentration.measure(metric, [values, scale * values[order]], form)
            assert plain == pytest.approx(scaled, abs=1e-9)


@given(vector, st.floats(-3, 3))
def test_min_max_scaling_forgets_what_is_added(values, shift):
    plain, moved = (concentration.shares(v, "minmax") for v in (values, values + shift))
    if np.ptp(values) > 1e-3:
        np.testing.assert_allclose(plain, moved, atol=1e-9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("gini", [[1.0]]), "unknown metric 'gini'; choose from Gini, unbiased Gini, top-20 %"),
        (("Gini", [[1.0]], "signed"), "unknown form 'signed'; choose from absolute, positive"),
        (("Gini", [[1.0], [1.0, np.nan]]), "vector 1 must be finite, got nan at 1"),
        (("Gini", [1.0, 2.0]), r"vector 0 must be a list .*got shape \(\)"),
        (("Gini", [[1.0], []]), "vector 1 must be a list of at least 1 numbers"),
    ],
)
def test_bad_vectors(arguments, message):
    with pytest.raises(ValueError, match=message):
        concentration.measure(*arguments)
