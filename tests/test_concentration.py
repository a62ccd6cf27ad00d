"""Measures of concentration, against cases done by hand and the formulas written out."""

import numpy as np
import pytest

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
