"""Measures of concentration, against cases done by hand and the formulas written out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sgpa_core import concentration as measures

VALUES = np.random.default_rng(0).normal(size=(20, 7))
EVERY = (measures.gini, measures.top_mass, measures.entropy, measures.effective_players)


def test_one_player_of_four_has_all():
    assert measures.gini([0, 0, -3, 0]) == pytest.approx(0.75)
    assert measures.top_mass([0, 0, -3, 0]) == 1
    assert measures.entropy([0, 0, -3, 0]) == 0
    assert measures.effective_players([0, 0, -3, 0]) == 1


def test_four_equal_players():
    assert measures.gini([2, -2, 2, 2]) == 0
    assert measures.top_mass([2, -2, 2, 2]) == 0.25
    assert measures.entropy([2, -2, 2, 2]) == pytest.approx(1)
    assert measures.entropy([2, -2, 2, 2], "sqrt") == pytest.approx(np.log(4) / 2)
    assert measures.effective_players([2, -2, 2, 2]) == pytest.approx(4)


def test_gini_is_the_paper_s_double_sum():
    for values in VALUES:
        s = np.abs(values) / np.abs(values).sum()
        assert measures.gini(values) == pytest.approx(
            np.abs(s[:, None] - s[None, :]).sum() / (2 * len(s))
        )


@pytest.mark.parametrize(
    ("n", "count"), [(1, 1), (4, 1), (5, 1), (6, 2), (10, 2), (15, 3), (31, 7)]
)
def test_the_top_fifth_is_rounded_up(n, count):
    assert measures.top_mass(np.ones(n)) == pytest.approx(count / n)


def test_the_share_is_the_paper_s():
    """The paper: top-20 % mass, the sum of the ⌈0.2 n⌉ largest."""
    assert measures.TOP_SHARE == 0.2
    assert measures.top_mass([1.0, 2.0], share=1) == 1  # the bound is inclusive


@pytest.mark.parametrize("measure", EVERY)
def test_rows_are_independent_and_scale_sign_and_order_do_not_matter(measure):
    one_by_one = [float(measure(values)) for values in VALUES]
    np.testing.assert_allclose(measure(VALUES), one_by_one)
    np.testing.assert_allclose(measure(-3 * VALUES[:, ::-1]), one_by_one)
    assert measure(VALUES.reshape(4, 5, 7)).shape == (4, 5)


@pytest.mark.parametrize("measure", EVERY)
def test_nothing_to_share_out_is_not_a_number(measure):
    found = measure([[0.0, 0.0], [1.0, 0.0]])
    assert np.isnan(found).tolist() == [True, False]


def test_a_single_player_has_no_normalised_entropy():
    assert np.isnan(measures.entropy([0.7]))
    assert measures.entropy([0.7], "sqrt") == 0
    assert measures.gini([0.7]) == 0


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"share must be in \(0, 1\], got 0"):
        measures.top_mass([1.0], 0)
    with pytest.raises(ValueError, match="unknown divisor 'n'; choose from sqrt, log, none"):
        measures.entropy([1.0], "n")
    with pytest.raises(ValueError, match="at least one player"):
        measures.gini([])


def test_unbiased_gini_of_one_who_has_all_is_one_for_any_n():
    for n in (2, 5, 40):
        assert measures.gini(np.eye(n)[0], unbiased=True) == pytest.approx(1)
        assert measures.gini(np.eye(n)[0]) == pytest.approx(1 - 1 / n)
    assert np.isnan(measures.gini([0.7], unbiased=True))


def test_forms_of_shares():
    values = [2.0, -1.0, 0.0, 1.0]
    expected = {
        "absolute": [0.5, 0.25, 0, 0.25],
        "positive": [2 / 3, 0, 0, 1 / 3],
        "negative": [0, 1, 0, 0],
        "minmax": [3 / 6, 0, 1 / 6, 2 / 6],
    }
    for form in measures.FORMS:
        assert measures.shares(values, form) == pytest.approx(expected[form])


@pytest.mark.parametrize("flat", [[0.0, 0.0, 0.0], [0.4, 0.4, 0.4], [-2.0, -2.0, -2.0], [7.0]])
def test_min_max_scaling_of_flat_vectors_gives_equal_shares(flat):
    assert measures.shares(flat, "minmax") == pytest.approx(1 / len(flat))


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
    assert list(table) == list(measures.METRICS)
    for metric, expected in table.items():
        found = measures.measure(metric, [[0.3], np.full(n, -0.2), np.zeros(n)])
        np.testing.assert_allclose(found, expected, atol=1e-12, err_msg=metric)


def test_ragged_lists_keep_their_order():
    vectors = [VALUES[0, : 2 + k % 5] for k in range(20)]
    for metric, function in measures.METRICS.items():
        for form in measures.FORMS:
            expected = [float(function(measures.shares(v, form))) for v in vectors]
            np.testing.assert_allclose(measures.measure(metric, vectors, form), expected)
    assert measures.measure("Gini", []).shape == (0,)


# tiny sizes lose digits by underflow: what is compared is not smaller than 1e-6 of the largest
vector = arrays(
    float, st.integers(2, 40), elements=st.floats(-1, 1).filter(lambda v: v == 0 or abs(v) > 1e-6)
).filter(np.any)


@given(vector, st.sampled_from(measures.FORMS))
def test_bounds(values, form):
    n, s = len(values), measures.shares(values, form)
    if np.isnan(s).any():
        assert form in ("positive", "negative") and np.isnan(s).all()
        return
    assert s.min() >= 0 and s.sum() == pytest.approx(1)
    found = {name: float(metric(s)) for name, metric in measures.METRICS.items()}
    assert 0 <= found["Gini"] < 1
    assert 0 <= found["unbiased Gini"] <= 1 + 1e-12
    assert np.ceil(n / 5) / n - 1e-12 <= found["top-20 %"] <= 1 + 1e-12
    assert -1e-12 <= found["H"] <= np.log(n) + 1e-12
    assert -1e-12 <= found["H/log n"] <= 1 + 1e-12
    assert -1e-12 <= found["H/√n"] <= np.log(n) / np.sqrt(n) + 1e-12
    assert 1 - 1e-12 <= found["effective players"] <= n + 1e-9


@given(vector, st.floats(1e-100, 1e300), st.randoms(use_true_random=False))
def test_scale_and_order_do_not_matter(values, scale, random):
    order = random.sample(range(len(values)), len(values))
    for metric in measures.METRICS:
        for form in ("absolute", "minmax"):
            one, other = measures.measure(metric, [values, scale * values[order]], form)
            assert one == pytest.approx(other, abs=1e-9)


@given(vector, st.floats(-3, 3))
def test_min_max_scaling_forgets_what_is_added(values, shift):
    one, other = (measures.shares(v, "minmax") for v in (values, values + shift))
    if np.ptp(values) > 1e-3:
        np.testing.assert_allclose(one, other, atol=1e-9)


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
        measures.measure(*arguments)
