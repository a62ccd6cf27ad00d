"""Owen values of one union, against all orders in which the union stays together."""

from itertools import permutations

import numpy as np
import pytest

from sgpa_core import TableGame
from sgpa_core.shapley.owen import owen, planned


def brute(table, union):
    n = len(union)
    gains, count, inside = np.zeros(n), 0, np.flatnonzero(union)
    for order in permutations(range(n)):
        places = [order.index(player) for player in inside]
        if max(places) - min(places) == len(inside) - 1:
            before, count = 0, count + 1
            for player in order:
                gains[player] += table[before | 1 << player] - table[before]
                before |= 1 << player
    return gains[inside] / count


@pytest.mark.parametrize("union", ["1010", "01101", "11110", "010", "1111", "00011"])
def test_exact_values_are_those_of_all_orders(union):
    inside = np.array([mark == "1" for mark in union])
    table = np.random.default_rng(len(union)).normal(size=2 ** len(union))
    found = owen(TableGame(table), inside, "2^n")
    assert (found.method, found.index, found.evaluations) == ("exact", "Owen", table.size)
    np.testing.assert_allclose(found.values, brute(table, inside), atol=1e-12)


def test_drawn_orders_are_near_and_know_how_near():
    rng, union = np.random.default_rng(5), np.arange(11) % 3 == 0
    table = rng.normal(size=2**11).cumsum() / 20
    exact = owen(TableGame(table), union, "2^n")
    inside, misses = [], {False: [], True: []}
    for seed in range(50):
        for known in (False, True):
            total = exact.values.sum() if known else None
            found = owen(TableGame(table), union, 300, seed, total)
            assert found.method == "permutation" and found.evaluations == planned(7, 4, 300) == 300
            inside.append(np.abs(found.values - exact.values) <= 1.96 * found.stderr)
            misses[known].append(np.abs(found.values - exact.values).mean())
            if known:
                assert found.values.sum() == pytest.approx(total, abs=1e-9)
    assert 0.88 < np.mean(inside) < 0.99
    assert np.mean(misses[True]) < np.mean(misses[False])


def test_few_pairs_of_orders_have_no_error_and_none_is_refused():
    game = TableGame(np.arange(2.0**6))
    found = owen(game, np.arange(6) < 3, 8)
    assert found.stderr is None and found.values.tolist() == [1.0, 2.0, 4.0]
    assert owen(game, np.arange(6) < 3, 8, total=10.0).values.tolist() == [2.0, 3.0, 5.0]
    assert owen(game, np.arange(6) < 3, 63, total=10.0).stderr.tolist() == [0.0, 0.0, 0.0]
    assert planned(30, 4, 10**9) <= 2**20
    with pytest.raises(ValueError, match="one pair of orders takes 8 evaluations, got 7"):
        owen(game, np.arange(6) < 3, 7)


@pytest.mark.parametrize("union", [[0, 1, 1], [True, False], np.zeros(3, bool)])
def test_a_union_is_a_row_of_bools(union):
    with pytest.raises(ValueError, match="union must be 3 bools, some of them true"):
        owen(TableGame(np.arange(8.0)), union)
